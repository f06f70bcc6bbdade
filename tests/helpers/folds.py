"""Records of methods on the folds of a cross-validation, with given scores."""

import numpy as np
from boards import changed, runs
from numpy.typing import NDArray

from roftbench.store.record_schema import RecordSummary

rng = np.random.default_rng(3)
METHODS = ("lp", "bss", "roftmol")
SCORES = np.round(1 + rng.normal(0, 0.1, (10, 1)) + np.array([0.0, 0.02, 0.4]) + rng.normal(0, 0.05, (10, 3)), 4)


def cross_validated(records: list[RecordSummary], seeds: int = 1) -> list[RecordSummary]:
    """The same jobs on the folds of five-fold cross-validation, `seeds` of them on each."""
    found = []
    for i, one in enumerate(records):
        split = {"name": "cv", "target": "cv", "params": {"folds": 5, "fold": i // seeds, "seed": 42}}
        found.append(changed(one, f"{one.key}-cv", split=split))
    return found


def folds(method: str, scores: NDArray[np.float64], dataset: str = "esol") -> list[RecordSummary]:
    """A record per fold."""
    return cross_validated(runs(method, dataset, scores.tolist()))


def three(dataset: str = "esol", scores: NDArray[np.float64] = SCORES) -> list[RecordSummary]:
    """LP, BSS and ROFT-MOL on the same folds."""
    columns = zip(METHODS, scores.T, strict=False)
    return [record for method, column in columns for record in folds(method, column, dataset)]
