"""Save the winner's models for `roftbench predict`, with intervals from the errors on the folds."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.console import logged
from roftbench.data.dataset import MoleculeDataset
from roftbench.metrics import evaluate
from roftbench.predict.conformal import COVERAGE
from roftbench.predict.ensemble import load
from roftbench.predict.held_out import HeldOut, from_record, joined
from roftbench.predict.save import save
from roftbench.runner.run import load_experiment
from roftbench.store.record_schema import Record


def out_of_folds(dataset: MoleculeDataset, records: Mapping[int, Record], folds: int) -> HeldOut | None:
    """Return the out-of-fold predictions of the labeled molecules, None if a fold of the first partition is missing.

    Their errors are those of models that were not fitted to the molecule. These models had fewer training molecules
    than the saved ones, so the errors are rather too large.
    """
    if not set(range(folds)) <= set(records):
        return None
    return joined([from_record(dataset, records[fold]) for fold in range(folds)])


def save_model(job: Job, env: RunContext, calibration: HeldOut | None) -> Path:
    """Save the model of a finished job, whose stages are in the store, and return its folder."""
    env = env.running(rerun=False, keep=True)  # with the encoder whose embeddings an estimator needs
    experiment = load_experiment(job, env)
    with logged(None, quiet=True):
        return save(experiment, experiment.work(), calibration)


def test_score(folders: list[Path], metric: str, env: RunContext) -> tuple[float | None, str]:
    """Return the test score of saved models together and the coverage of their intervals in words."""
    models = load(*folders, device=env.run.device, plugins=env.plugins)
    found = models.test()
    score = evaluate(models.task, found.y, found.prediction, [metric])[metric]
    shares = [share for share in models.coverage() if share is not None]
    if not shares:
        return score, ""
    source = " and the ".join(sorted({str(one.facts["calibration"]["labels"]) for one in models.saved}))
    held = f"hold {np.mean(shares):.1%} of the test labels"
    return score, f"their {COVERAGE:.0%} intervals, made from the {source}, {held}"
