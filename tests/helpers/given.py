"""Molecules by what a way of cutting looks at, and helpers for parts."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from roftbench.data.label_ratio import LabelRatio
from roftbench.data.split import Indices, Split


@dataclass(frozen=True)
class Given:
    """Molecules with sizes [N] and scaffold numbers [N], in every data row of a file unless `rows` says otherwise."""

    sizes: NDArray[np.int64]
    groups: NDArray[np.int64]
    parts: list[str] | None = None
    kept: NDArray[np.int64] | None = None
    num_rows: int = 0
    cells: list[str] | None = None
    bits: NDArray[np.uint8] | None = None
    same: NDArray[np.int64] | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        return np.arange(len(self.sizes)) if self.kept is None else self.kept

    @property
    def canonical(self) -> NDArray[np.int64]:
        return np.arange(len(self.sizes)) if self.same is None else self.same

    def scaffold_groups(self) -> NDArray[np.int64]:
        return self.groups

    def fingerprints(self) -> NDArray[np.uint8]:
        assert self.bits is not None
        return self.bits

    def cached(self, kind: str, build: Callable[[], Indices]) -> Indices:
        return build()


def given(sizes: list[int], groups: list[int] | None = None) -> Given:
    numbers = groups if groups is not None else range(len(sizes))
    return Given(np.array(sizes, dtype=np.int64), np.array(numbers, dtype=np.int64))


def rest(total: int, *parts: Indices) -> list[int]:
    """Return the indices below `total` that no part holds; each may be held once."""
    held = Counter(np.concatenate(parts).tolist())
    assert max(held.values()) == 1
    assert set(held) <= set(range(total))
    return sorted(set(range(total)) - set(held))


def used(ratio: LabelRatio, split: Split, y: NDArray[np.float64] | None = None, task: str = "regression") -> Split:
    """Return the parts cut to the labels of `ratio`; without labels unless `y` gives some."""
    total = sum(map(len, split.to_dict().values()))
    return ratio.apply(split, np.full((total, 1), np.nan) if y is None else y, task)
