"""Splits of a data set into train, val and test (docs/protocol.md §3)."""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from roftbench.errors import UsageError, check_range

Indices = NDArray[np.int64]


class Molecules(Protocol):
    """Properties of molecules that a splitter may use."""

    @property
    def sizes(self) -> Indices:
        """Number of atoms of each molecule, [N]."""

    @property
    def rows(self) -> Indices:
        """Data row in the file of each molecule, [N], from 0."""

    @property
    def num_rows(self) -> int:
        """Number of data rows of the file, those without a molecule included."""

    @property
    def parts(self) -> Sequence[str] | None:
        """The file's own "train", "val", "test" or "" of each molecule, [N]; None without such a column."""

    @property
    def canonical(self) -> Indices:
        """A number per molecule, [N], equal where rows hold the same molecule."""

    @property
    def cells(self) -> Sequence[str] | None:
        """The cell of each molecule, [N], in the column that a splitter names as `column`; None without one."""

    def scaffold_groups(self) -> Indices:
        """Return a number for each molecule, [N], equal where Bemis-Murcko scaffolds (with chirality) are equal."""

    def fingerprints(self) -> NDArray[np.uint8]:
        """Return the packed ECFP4 bits of each molecule, [N, 256]."""

    def cached(self, kind: str, build: Callable[[], Indices]) -> Indices:
        """Return integers [N] of these molecules that `build` computes at the first use; `kind` names them."""


@dataclass(frozen=True)
class Split:
    """Three disjoint lists of indices of molecules.

    Attributes:
        train: indices of the training part; likewise `val` and `test`.
        order_seed: seed that shuffled `train`, None if it is not shuffled.
        note: remark on the origin of the parts, for readers of scores.
    """

    train: Indices
    val: Indices
    test: Indices
    order_seed: int | None = None
    note: str = ""

    def to_dict(self) -> dict[str, list[int]]:
        """Return the parts as plain lists."""
        return {"train": self.train.tolist(), "val": self.val.tolist(), "test": self.test.tolist()}

    def check(self, total: int, name: str) -> None:
        """Raise UsageError unless the parts of the splitter `name` are disjoint indices below `total`."""
        found = np.concatenate([self.train, self.val, self.test])
        if len(found) and not 0 <= found.min() <= found.max() < total:
            problem = f"{name} gives indices from {found.min()} to {found.max()}, but there are {total} molecules"
            raise UsageError(problem, key="split", got=name)
        if again := len(found) - len(np.unique(found)):
            problem = f"{name} gives {again} molecules more than once: train, val and test must be disjoint lists"
            raise UsageError(problem, key="split", got=name)

    @property
    def sha256(self) -> str:
        """Hash of the three lists, order included."""
        return sha256("|".join(" ".join(map(str, part)) for part in self.to_dict().values()).encode()).hexdigest()


@dataclass(frozen=True)
class Splitter(ABC):
    """Base class of splitters.

    Attributes:
        seeded: whether the split depends on the seed.
        fractions: shares of train, val and test, with sum 1.
        seed: seed of the split; unless `label_ratio.seed` is set, also that of the few-shot subset.
    """

    seeded: ClassVar[bool] = False
    fractions: list[float] = field(default_factory=lambda: [0.8, 0.1, 0.1])
    seed: int = 42

    def __post_init__(self) -> None:
        if len(self.fractions) != 3 or min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-9:
            problem = f"fractions must be three numbers ≥ 0 for train, val and test with sum 1: {self.fractions}"
            raise UsageError(problem, key="fractions", got=self.fractions)
        check_range("seed", self.seed, 0, 2**32 - 1)

    @abstractmethod
    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules."""


@dataclass(frozen=True)
class RandomSplit(Splitter):
    """Random split after a shuffle by Python's `random.Random(seed)`."""

    seeded: ClassVar[bool] = True

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules."""
        total = len(molecules.sizes)
        order = shuffled(range(total), self.seed)
        train = share(self.fractions[0], total)
        val = train + share(self.fractions[1], total)
        return Split(order[:train], order[train:val], order[val:], order_seed=self.seed)


@dataclass(frozen=True)
class ScaffoldSplit(Splitter):
    """Deterministic split by Bemis-Murcko scaffolds: whole groups, the largest first into train."""

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules."""
        return largest_first(molecules.scaffold_groups(), self.fractions)


@dataclass(frozen=True)
class SizeSplit(Splitter):
    """Deterministic split by number of atoms: whole groups of equal size, the smallest molecules first into train."""

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules."""
        sizes = molecules.sizes
        return _fill(sorted(members(sizes.tolist()), key=lambda rows: int(sizes[rows[0]])), self.fractions)


@dataclass(frozen=True)
class RandomScaffoldSplit(Splitter):
    """Split by whole Bemis-Murcko scaffold groups in random order; each goes to val or test if it fits, else train.

    This is `random_scaffold_split` in the code of Hu et al. (ICLR 2020). Val and test have at most their fraction of
    the molecules, rounded down.
    """

    seeded: ClassVar[bool] = True

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules."""
        groups = members(molecules.scaffold_groups().tolist())
        total = len(molecules.sizes)
        room_val, room_test = (share(fraction, total) for fraction in self.fractions[1:])
        train: list[int] = []
        val: list[int] = []
        test: list[int] = []
        for number in np.random.RandomState(self.seed).permutation(len(groups)):
            group = groups[number]
            if len(val) + len(group) <= room_val:
                val += group
            elif len(test) + len(group) <= room_test:
                test += group
            else:
                train += group
        return Split(np.array(train, np.int64), np.array(val, np.int64), np.array(test, np.int64))


@dataclass(frozen=True, kw_only=True)
class Refit(Splitter):
    """Parts of another splitter with its test part in train; also its validation part, unless `validates`."""

    of: Splitter
    validates: bool

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules; the test part is empty."""
        parts = self.of(molecules)
        none = parts.test[:0]
        moved, val = ([parts.test], parts.val) if self.validates else ([parts.val, parts.test], none)
        return replace(parts, train=np.concatenate([parts.train, *moved]), val=val, test=none, order_seed=None)


def largest_first(groups: Indices, fractions: Sequence[float]) -> Split:
    """Return a split into whole groups, numbered per molecule [N]: the largest first into train."""
    return _fill(sorted(members(groups.tolist()), key=lambda rows: (len(rows), rows[0]), reverse=True), fractions)


def share(fraction: float, total: int) -> int:
    """Return a fraction of a total, rounded down: 58 for 0.58 of 100, although 0.58 · 100 < 58 in floats."""
    return math.floor(round(fraction * total, 6))


def shuffled(items: Sequence[int], seed: int) -> Indices:
    """Return the items shuffled by Python's `random.Random(seed)`."""
    order = list(items)
    random.Random(seed).shuffle(order)
    return np.array(order, dtype=np.int64)


def members(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return lists of positions with equal keys, in order of first appearance."""
    groups: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def _fill(groups: list[list[int]], fractions: Sequence[float]) -> Split:
    """Return the split that puts each group into train if it fits, else into val if it fits, else into test."""
    total = sum(map(len, groups))
    train_end, val_end = share(fractions[0], total), share(fractions[0] + fractions[1], total)
    train: list[int] = []
    val: list[int] = []
    test: list[int] = []
    for group in groups:
        if len(train) + len(group) <= train_end:
            train += group
        elif len(train) + len(val) + len(group) <= val_end:
            val += group
        else:
            test += group
    return Split(np.array(train, np.int64), np.array(val, np.int64), np.array(test, np.int64))
