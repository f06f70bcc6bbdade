"""The labeled entries of several prediction tasks, column by column, for metrics without a Python loop over tasks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
AnyFloat = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Columns:
    """The n labeled entries of the C prediction tasks that have labels, column by column.

    Missing labels cost nothing and no Python runs per column: ToxCast has 617, which are scored after every epoch.

    Attributes:
        y: Labels, [n].
        prediction: Predictions, [n].
        count: Number of entries of each column, [C].
        start: Index of the first entry of each column, [C].
    """

    y: FloatArray
    prediction: FloatArray
    count: IntArray
    start: IntArray

    @classmethod
    def create(cls, y: AnyFloat, prediction: AnyFloat) -> "Columns":
        """Return the labeled entries of `y` and `prediction` [N, T] in float64."""
        labeled = ~np.isnan(y.T)
        count = labeled.sum(axis=1, dtype=np.int64)
        count = count[count > 0]
        flat_y, flat_prediction = (matrix.T[labeled].astype(np.float64, copy=False) for matrix in (y, prediction))
        return cls(flat_y, flat_prediction, count, np.cumsum(count) - count)

    @cached_property
    def contrast(self) -> BoolArray:
        """Whether a column's labels hold two different values, [C]; for 0/1 labels: both classes."""
        return self.varies(self.y)

    def varies(self, values: FloatArray) -> BoolArray:
        """Return whether `values` [n] differ within each column, [C]."""
        return np.minimum.reduceat(values, self.start) < np.maximum.reduceat(values, self.start)

    def sum(self, values: FloatArray) -> FloatArray:
        """Return the sums of `values` [n] over each column, [C]."""
        return np.add.reduceat(values, self.start)

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the means of `values` [n] over each column, [C]."""
        return self.sum(values) / self.count

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return `values` [C] repeated for the entries of each column, [n]."""
        return np.repeat(values, self.count)

    def sort(self, values: FloatArray) -> tuple[IntArray, IntArray]:
        """Sort `values` [n] within each column; equal values of a column form a run.

        Returns:
            The order [n], such that values[order] ascends in each column, and the positions in it where runs begin.
        """
        # One row per column, padded with infinity, so that NumPy sorts all rows in one call.
        inside = np.arange(self.count.max(initial=0)) < self.count[:, None]
        padded = np.full(inside.shape, np.inf)
        padded[inside] = values
        order = np.argsort(padded, axis=1)[inside] + self.spread(self.start)
        begins = np.append(True, values[order[1:]] != values[order[:-1]])
        begins[self.start] = True
        return order, np.flatnonzero(begins)

    @cached_property
    def sorted_by_y(self) -> tuple[IntArray, IntArray]:
        """Order and runs of the labels."""
        return self.sort(self.y)

    @cached_property
    def sorted_by_prediction(self) -> tuple[IntArray, IntArray]:
        """Order and runs of the predictions, which several metrics need."""
        return self.sort(self.prediction)

    def ranks(self, order: IntArray, runs: IntArray) -> FloatArray:
        """Return the rank of each entry in its column from the results of `sort`, 1 the lowest; ties share the mean."""
        size = np.diff(runs, append=len(order))
        ranks = np.empty(len(order))
        ranks[order] = np.repeat(runs + (size + 1) / 2, size) - self.spread(self.start)
        return ranks

    def places(self, order: IntArray, runs: IntArray) -> IntArray:
        """Return how many smaller values there are in the column of each entry, [n], from the results of `sort`."""
        begins = np.empty(len(order), dtype=np.int64)
        begins[order] = np.repeat(runs, np.diff(runs, append=len(order)))
        begins -= self.spread(self.start)
        return begins

    def tied_pairs(self, runs: IntArray) -> IntArray:
        """Return the number of pairs with equal values in each column, [C], from the runs of sorted values."""
        size = np.diff(runs, append=len(self.y))
        pairs: IntArray = np.add.reduceat(size * (size - 1) // 2, np.searchsorted(runs, self.start))
        return pairs

    def inversions(self, places: IntArray) -> IntArray:
        """Return the number of pairs of each column that descend in `places` [n], integers from 0, [C].

        Bit by bit from the highest one: entries equal in all higher bits lie side by side in their first order, where
        each 0 is in an inversion with every 1 before it. O(n log n).
        """
        bits = int(places.max(initial=0)).bit_length()
        keys = self.spread(np.arange(len(self.count)) << bits) + places
        found = np.zeros(len(self.count), dtype=np.int64)
        for bit in reversed(range(bits)):
            one = keys >> bit & 1
            before = np.cumsum(one) - one  # ones before each entry, less those of other groups
            begins = np.append(True, keys[1:] >> bit + 1 != keys[:-1] >> bit + 1)
            before -= before[begins][np.cumsum(begins) - 1]
            found += np.add.reduceat(np.where(one == 0, before, 0), self.start)
            keys = keys[np.argsort(keys >> bit, kind="stable")]
        return found
