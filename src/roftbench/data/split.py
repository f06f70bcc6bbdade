"""Cutting a data set into train, val and test, and the training labels that are used (PROTOCOL §3)."""

import random
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from roftbench.errors import UsageError, check_choice, check_range

Indices = NDArray[np.int64]
VAL_BUDGETS = ("paper", "strict")


class Molecules(Protocol):
    """What a way of cutting may look at."""

    @property
    def sizes(self) -> Indices:
        """Number of atoms of each molecule, [N]."""

    def scaffold_groups(self) -> Indices:
        """Return a number for each molecule, [N], equal where Bemis-Murcko scaffolds (with chirality) are equal."""


@dataclass(frozen=True)
class Split:
    """Three disjoint lists of indices over the kept molecules; `order_seed` is the seed that shuffled `train`."""

    train: Indices
    val: Indices
    test: Indices
    order_seed: int | None = None

    def to_dict(self) -> dict[str, list[int]]:
        """Return the parts as plain lists."""
        return {"train": self.train.tolist(), "val": self.val.tolist(), "test": self.test.tolist()}

    @property
    def sha256(self) -> str:
        """Hash of the three lists, order included."""
        return sha256("|".join(" ".join(map(str, part)) for part in self.to_dict().values()).encode()).hexdigest()


@dataclass(frozen=True)
class Splitter(ABC):
    """A way of cutting; `seed` also orders the few-shot subset unless `label_ratio.seed` says otherwise."""

    fractions: list[float] = field(default_factory=lambda: [0.8, 0.1, 0.1])
    seed: int = 42

    def __post_init__(self) -> None:
        if len(self.fractions) != 3 or min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-9:
            raise ValueError(
                f"fractions must be three numbers ≥ 0 for train, val and test with sum 1: {self.fractions}"
            )

    @abstractmethod
    def __call__(self, molecules: Molecules) -> Split:
        """Cut the molecules."""


@dataclass(frozen=True)
class RandomSplit(Splitter):
    """Shuffle with Python's `random.Random(seed)`, then cut."""

    def __call__(self, molecules: Molecules) -> Split:
        """Cut the molecules."""
        total = len(molecules.sizes)
        order = _shuffled(range(total), self.seed)
        train = int(self.fractions[0] * total)
        val = train + int(self.fractions[1] * total)
        return Split(order[:train], order[train:val], order[val:], order_seed=self.seed)


@dataclass(frozen=True)
class ScaffoldSplit(Splitter):
    """Whole Bemis-Murcko scaffold groups, the largest first into train. Deterministic."""

    def __call__(self, molecules: Molecules) -> Split:
        """Cut the molecules."""
        groups = _group(molecules.scaffold_groups().tolist())
        return _fill(sorted(groups, key=lambda rows: (len(rows), rows[0]), reverse=True), self.fractions)


@dataclass(frozen=True)
class SizeSplit(Splitter):
    """Whole groups of equal atom count, the smallest molecules first into train. Deterministic."""

    def __call__(self, molecules: Molecules) -> Split:
        """Cut the molecules."""
        sizes = molecules.sizes
        return _fill(sorted(_group(sizes.tolist()), key=lambda rows: int(sizes[rows[0]])), self.fractions)


@dataclass(frozen=True)
class LabelRatio:
    """How many training labels are used: all, a fraction of them, or a count.

    `val_budget` "paper" keeps the whole validation set whatever the count is; "strict" counts validation labels within
    the n labels: 80 % of them train, the rest validate (drawn from the validation part in the order of `seed`).
    """

    fraction: float | None = None
    count: int | None = None
    seed: int = 42
    val_budget: str = "paper"

    def __post_init__(self) -> None:
        if self.fraction is not None and self.count is not None:
            raise ValueError(
                f"fraction ({self.fraction:g}) and count ({self.count}) are both set: give one of them,"
                " starting from label_ratio=full"
            )
        if self.fraction is not None:
            check_range("fraction", self.fraction, 0, 1, open_low=True)
        if self.count is not None:
            check_range("count", self.count, 1)
        check_choice("val_budget", self.val_budget, VAL_BUDGETS)

    @property
    def name(self) -> str:
        """Short name: "full", "r25" for a quarter, "n50" for fifty labels."""
        if self.fraction is not None:
            return f"r{100 * self.fraction:02g}"
        return "full" if self.count is None else f"n{self.count}"

    def apply(self, split: Split) -> Split:
        """Return the split with the training part (and a strict budget's validation part) cut to the labels used.

        Raises:
            UsageError: more labels are asked for than the training part has, or too few to divide.
        """
        num_labels = self._number(len(split.train))
        if num_labels is None:
            return split
        ordered = split.train if split.order_seed == self.seed else _shuffled(split.train.tolist(), self.seed)
        if self.val_budget == "paper":
            return Split(ordered[:num_labels], split.val, split.test)
        if num_labels < 2:
            raise UsageError(
                f"label_ratio.val_budget=strict divides the labels between training and validation: {num_labels} is too"
                " few, give at least 2 or use label_ratio.val_budget=paper."
            )
        num_val = min(num_labels - int(0.8 * num_labels), len(split.val))
        val = _shuffled(split.val.tolist(), self.seed)[:num_val]
        return Split(ordered[: num_labels - num_val], val, split.test)

    def _number(self, available: int) -> int | None:
        if self.count is not None and self.count > available:
            raise UsageError(
                f"label_ratio asks for {self.count} training labels, but the training part has {available} molecules."
                f" Use label_ratio=full or a count ≤ {available}."
            )
        if self.fraction is not None:
            return max(1, round(self.fraction * available))
        return self.count


def _shuffled(items: Sequence[int], seed: int) -> Indices:
    order = list(items)
    random.Random(seed).shuffle(order)
    return np.array(order, dtype=np.int64)


def _group(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return lists of positions with equal keys, in order of first appearance."""
    groups: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def _fill(groups: list[list[int]], fractions: Sequence[float]) -> Split:
    """Put each group into train while it fits, else into val while both fit, else into test."""
    total = sum(map(len, groups))
    train_end, val_end = fractions[0] * total, (fractions[0] + fractions[1]) * total
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
