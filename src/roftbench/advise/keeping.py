"""The winner's models, kept for `roftbench predict`, with intervals from the folds' errors."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roftbench.config import Env
from roftbench.data.dataset import MoleculeDataset
from roftbench.job import Job
from roftbench.predict.conformal import COVERAGE
from roftbench.predict.ensemble import load
from roftbench.predict.held_out import HeldOut
from roftbench.predict.keep import keep
from roftbench.progress import logged
from roftbench.runner import BENCHES
from roftbench.store import Record, Store


def out_of_folds(dataset: MoleculeDataset, records: Mapping[int, Record], folds: int) -> HeldOut | None:
    """Return the labelled molecules as the first partition's folds predicted them; None unless it was judged whole.

    Each prediction is that of a model which had not seen the molecule, so the errors are honest; these models had fewer
    training molecules than the kept ones, so they are rather too large than too small.
    """
    if not set(range(folds)) <= set(records):
        return None
    found = [records[fold]["test_predictions"] for fold in range(folds)]
    rows = np.concatenate([one["row"] for one in found]).astype(np.int64)
    position = np.full(dataset.num_rows, -1)
    position[dataset.rows] = np.arange(len(dataset))
    prediction = np.concatenate([np.array(one["prediction"], np.float64) for one in found])
    return HeldOut(rows, dataset.y[position[rows]], prediction)


def kept(job: Job, env: Env, calibration: HeldOut | None) -> Path:
    """Keep the model of a finished job; its stages are in the store. Returns its folder."""
    bench = BENCHES[job.model.kind](job, env, Store(env.results, env.run.stage_cap_gb))
    with logged(None, quiet=True):
        return keep(bench, bench.work(), calibration)


def covered(folders: list[Path]) -> str:
    """Say which share of the test labels the intervals of kept models hold; "" where there are no intervals."""
    models = load(*folders)
    shares = [share for share in models.coverage() if share is not None]
    if models.task != "regression" or not shares:
        return ""
    return f"their {COVERAGE:.0%} intervals hold {np.mean(shares):.1%} of the test labels"
