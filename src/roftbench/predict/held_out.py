"""Labels and predictions of molecules that a model was not fitted to, the basis of its error estimates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.store.record_schema import Record

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """M molecules: rows [M] of the data set's file, y [M, T] (NaN: no label), prediction [M, T]."""

    rows: NDArray[np.int64]
    y: Matrix
    prediction: Matrix


def from_record(dataset: MoleculeDataset, record: Record) -> HeldOut:
    """Return the test molecules of a record with their labels and predictions."""
    found = record.test_predictions
    if found is None:
        raise ValueError(f"the record of job {record.key} has no test predictions")
    rows = np.array(found.row, np.int64)
    position = np.searchsorted(dataset.rows, rows)  # kept rows are in the file's order
    prediction = np.array(found.prediction, np.float64).reshape(len(rows), dataset.y.shape[1])
    return HeldOut(rows, dataset.y[position], prediction)


def joined(parts: Sequence[HeldOut]) -> HeldOut:
    """Return the molecules of several parts, one part behind the other."""
    return HeldOut(*(np.concatenate([getattr(one, name) for one in parts]) for name in ("rows", "y", "prediction")))


def with_others(parts: Sequence[HeldOut]) -> list[tuple[HeldOut, HeldOut]]:
    """Return each part with the molecules of all others, to judge on the one what was fitted to the others."""
    none = HeldOut(parts[0].rows[:0], parts[0].y[:0], parts[0].prediction[:0])
    return [(one, joined([none, *parts[:at], *parts[at + 1 :]])) for at, one in enumerate(parts)]


def pooled(parts: Sequence[tuple[str, HeldOut]]) -> HeldOut:
    """Return each molecule once, predicted by the mean of the members that held it out.

    Members with the same parts (seeds) give the errors of their mean; members of folds give each molecule the error of
    the member that was not fitted to it, as in cross-conformal prediction (Vovk 2015, Ann. Math. Artif. Intell. 74, 9).

    Args:
        parts: The checksum of its data, which row numbers refer to, and the held-out molecules, per member.
    """
    found: dict[tuple[str, int], list[tuple[Matrix, Matrix]]] = {}
    for data, one in parts:
        for row, y, prediction in zip(one.rows.tolist(), one.y, one.prediction, strict=True):
            found.setdefault((data, row), []).append((y, prediction))
    tasks = parts[0][1].y.shape[1]
    rows = np.array([row for _, row in found], np.int64)
    y = np.array([pairs[0][0] for pairs in found.values()]).reshape(-1, tasks)
    prediction = np.array([np.mean([one for _, one in pairs], axis=0) for pairs in found.values()]).reshape(-1, tasks)
    return HeldOut(rows, y, prediction)


def common(parts: Sequence[tuple[str, HeldOut]]) -> HeldOut:
    """Return the molecules that every member held out, predicted by the mean of all of them."""
    shared = set.intersection(*({(data, row) for row in one.rows.tolist()} for data, one in parts))
    chosen = []
    for data, one in parts:
        keep = np.array([(data, row) in shared for row in one.rows.tolist()], bool)
        chosen.append((data, HeldOut(one.rows[keep], one.y[keep], one.prediction[keep])))
    return pooled(chosen)
