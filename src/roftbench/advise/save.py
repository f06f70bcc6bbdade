"""Save the winner's models for `roftbench predict`, with intervals from the errors on the folds."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from roftbench.config import registry
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.kinds import check_no_pretrained
from roftbench.console import logged
from roftbench.data.dataset import MoleculeDataset
from roftbench.metrics import evaluate
from roftbench.predict.conformal import COVERAGE
from roftbench.predict.ensemble import load
from roftbench.predict.held_out import HeldOut, from_record, joined
from roftbench.predict.neighbors import among_others
from roftbench.predict.save import save
from roftbench.runner.run import load_experiment
from roftbench.store.names import LONGEST, Kept, Names, is_name
from roftbench.store.record_schema import Record

KEY = "advise.keep"


def out_of_folds(dataset: MoleculeDataset, records: Mapping[int, Record], folds: int) -> HeldOut | None:
    """Return the out-of-fold predictions of the labeled molecules, None if a fold of the first partition is missing.

    Their errors are those of models that were not fitted to the molecule. These models had fewer training molecules
    than the saved ones, so the errors are rather too large.
    """
    if not set(range(folds)) <= set(records):
        return None
    chosen = [records[fold] for fold in range(folds)]
    return joined(among_others(dataset, chosen, [from_record(dataset, record) for record in chosen]))


def save_model(job: Job, env: RunContext, calibration: HeldOut | None) -> Path:
    """Save the model of a finished job, whose stages are in the store, and return its folder."""
    env = env.running(rerun=False, keep=True)  # with the encoder whose embeddings an estimator needs
    experiment = load_experiment(job, env)
    with logged(None, quiet=True):
        return save(experiment, experiment.work(), calibration)


def check_keep(wanted: str, env: RunContext, by: str, folder: Path | None) -> None:
    """Raise UsageError if the requested name for the winner belongs to other models; "" is always free."""
    if wanted:
        check_no_pretrained(KEY, wanted, folder)
        Names(env.store).check_free(KEY, Kept(wanted, (), by), overwrite=env.run.overwrite)


def give_name(wanted: str, dataset: str, keys: Sequence[str], env: RunContext, by: str, folder: Path | None) -> str:
    """Give a name to saved models and return it: the one that is wanted, or the first free one made of the data set's.

    A name that the same advice has given before follows its winner.
    """
    names = Names(env.store)
    name = wanted or next(
        one
        for one in _proposed(dataset)
        if one not in registry.names("model", folder) and names.is_free(Kept(one, tuple(keys), by))
    )
    names.put(KEY, Kept(name, tuple(keys), by), overwrite=bool(wanted) and env.run.overwrite)
    return name


def _proposed(dataset: str) -> Iterator[str]:
    """Return a data set's name, with "-" in place of characters that names cannot have, then the same with numbers."""
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", dataset)[: LONGEST - 10].strip("._-")
    stem = text if is_name(text) else f"model-{text}".rstrip("-")
    return itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))


def test_score(folders: list[Path], metric: str, env: RunContext) -> tuple[float | None, str]:
    """Return the test score of saved models together and the coverage of their intervals in words."""
    models = load(*folders, device=env.run.device, plugins=env.plugins)
    found = models.test
    score = evaluate(models.task, found.y, found.prediction, [metric])[metric]
    share = models.held() if models.task == "regression" else None
    if share is None:
        return score, ""
    source = " and the ".join(sorted({str(one.facts["calibration"]["labels"]) for one in models.saved}))
    held = f"hold {share:.1%} of the test labels"
    whose = "their" if len(folders) > 1 else "its"
    return score, f"{whose} {COVERAGE:.0%} intervals, made from the {source}, {held}"
