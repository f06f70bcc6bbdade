"""The winner's models, kept for `roftbench predict`, with intervals from the folds' errors."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roftbench.advise.ensembling import held_out
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.console import logged
from roftbench.data.dataset import MoleculeDataset
from roftbench.metrics import evaluate
from roftbench.predict.conformal import COVERAGE
from roftbench.predict.ensemble import load
from roftbench.predict.held_out import HeldOut
from roftbench.predict.save import keep
from roftbench.runner.run import load_experiment
from roftbench.store.record_schema import Record


def out_of_folds(dataset: MoleculeDataset, records: Mapping[int, Record], folds: int) -> HeldOut | None:
    """Return the labeled molecules as the first partition's folds predicted them; None unless it was judged whole.

    Each prediction is that of a model which had not seen the molecule, so the errors are honest; these models had fewer
    training molecules than the kept ones, so they are rather too large than too small.
    """
    if not set(range(folds)) <= set(records):
        return None
    found = [held_out(dataset, records[fold]) for fold in range(folds)]
    return HeldOut(*(np.concatenate([getattr(one, name) for one in found]) for name in ("rows", "y", "prediction")))


def kept(job: Job, env: RunContext, calibration: HeldOut | None) -> Path:
    """Keep the model of a finished job; its stages are in the store, fresh if they had to be. Returns its folder."""
    env = env.running(rerun=False)
    experiment = load_experiment(job, env)
    with logged(None, quiet=True):
        return keep(experiment, experiment.work(), calibration)


def tested(folders: list[Path], metric: str, env: RunContext) -> tuple[float | None, str]:
    """Return the test score of kept models together, and say how many of the labels there their intervals hold."""
    models = load(*folders, device=env.run.device, plugins=env.plugins)
    found = models.test()
    score = evaluate(models.task, found.y, found.prediction, [metric])[metric]
    shares = [share for share in models.coverage() if share is not None]
    if not shares:
        return score, ""
    source = " and the ".join(sorted({str(one.facts["calibration"]["labels"]) for one in models.kept}))
    held = f"hold {np.mean(shares):.1%} of the test labels"
    return score, f"their {COVERAGE:.0%} intervals, made from the {source}, {held}"
