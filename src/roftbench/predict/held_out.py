"""Labels and predictions of molecules that a model was not fitted to, the basis of its error estimates."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.store.record_schema import Record

Matrix = NDArray[np.float64]


class Surroundings(NamedTuple):
    """What training molecules tell of M molecules before a model is asked.

    Attributes:
        similarity: Tanimoto similarity (ECFP4) to the nearest, [M].
        local: labels of the nearest per task, [M, T, 3]: similarity-weighted mean and standard deviation of up to five
            that have a label, and the label of the first of them. NaN without any.
    """

    similarity: Matrix
    local: NDArray[np.float64] | None


@dataclass(frozen=True)
class HeldOut:
    """M molecules that a model was not fitted to.

    Attributes:
        rows: Rows of the data set's file, [M].
        y: Labels, [M, T], NaN where missing.
        prediction: Predictions, [M, T].
        similarity: `Surroundings.similarity` among the molecules that the model was fitted to, [M]; None if unknown,
            as in models that were saved by earlier versions.
        local: `Surroundings.local`, [M, T, 3]; None likewise.
    """

    rows: NDArray[np.int64]
    y: Matrix
    prediction: Matrix
    similarity: Matrix | None = None
    local: NDArray[np.float64] | None = None

    def __getitem__(self, chosen: NDArray[Any]) -> "HeldOut":
        """Return the molecules of a mask or of indices."""
        arrays: list[Any] = [getattr(self, one.name) for one in fields(self)]
        parts: list[Any] = [None if array is None else array[chosen] for array in arrays]
        return HeldOut(*parts)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The number of labels of each task, [T]."""
        counts: NDArray[np.int64] = (~np.isnan(self.y)).sum(axis=0)
        return counts

    @property
    def around(self) -> Surroundings | None:
        """The surroundings of the molecules, None if unknown."""
        return None if self.similarity is None else Surroundings(self.similarity, self.local)


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
    arrays: list[list[Any]] = [[getattr(one, field.name) for one in parts] for field in fields(HeldOut)]
    whole: list[Any] = [None if any(one is None for one in every) else np.concatenate(every) for every in arrays]
    return HeldOut(*whole)


def with_others(parts: Sequence[HeldOut]) -> list[tuple[HeldOut, HeldOut]]:
    """Return each part with the molecules of all others, to judge on the one what was fitted to the others."""
    none = parts[0][np.arange(0)]
    return [(one, joined([none, *parts[:at], *parts[at + 1 :]])) for at, one in enumerate(parts)]


def pooled(parts: Sequence[tuple[str, HeldOut]]) -> HeldOut:
    """Return each molecule once, predicted by the mean of the members that held it out.

    Members with the same parts (seeds) give the errors of their mean; members of folds give each molecule the error of
    the member that was not fitted to it, as in cross-conformal prediction (Vovk 2015, Ann. Math. Artif. Intell. 74, 9).

    Args:
        parts: The checksum of its data, which row numbers refer to, and the held-out molecules, per member.
    """
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for member, (data, one) in enumerate(parts):
        for place, row in enumerate(one.rows.tolist()):
            found.setdefault((data, row), []).append((member, place))
    first = parts[0][1][np.arange(0)]

    def mean(name: str) -> Any:
        arrays = [getattr(one, name) for _, one in parts]
        if any(one is None for one in arrays):
            return None
        rows = [np.mean([arrays[member][place] for member, place in every], axis=0) for every in found.values()]
        return np.array(rows).reshape(-1, *getattr(first, name).shape[1:])

    rows = np.array([row for _, row in found], np.int64)
    y = np.array([parts[every[0][0]][1].y[every[0][1]] for every in found.values()]).reshape(-1, first.y.shape[1])
    return HeldOut(rows, y, mean("prediction"), mean("similarity"), mean("local"))


def common(parts: Sequence[tuple[str, HeldOut]]) -> HeldOut:
    """Return the molecules that every member held out, predicted by the mean of all of them."""
    shared = set.intersection(*({(data, row) for row in one.rows.tolist()} for data, one in parts))
    chosen = []
    for data, one in parts:
        keep = np.array([(data, row) in shared for row in one.rows.tolist()], bool)
        chosen.append((data, one[keep]))
    return pooled(chosen)
