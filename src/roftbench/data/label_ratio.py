"""Subsets of the training labels (docs/protocol.md §3)."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from roftbench.data.split import Indices, Split, shuffled
from roftbench.errors import UsageError, check_choice, check_range

VAL_BUDGETS = ("paper", "strict")
BINS = 10  # equally filled bins of a regression label, for a stratified subset


@dataclass(frozen=True)
class LabelRatio:
    """Number of training molecules that are used: all, a fraction, or a count.

    Molecules are counted with their labels. Subsets of one seed are nested.

    Attributes:
        fraction: share of the training part, in (0, 1].
        count: number of molecules.
        seed: seed of the order from which subsets are taken.
        stratified: give each subset every stratum (see `strata`) in its share of the training part, to within one or
            two molecules.
        val_budget: "paper" keeps the whole validation part. "strict" counts validation labels within the n labels: 80 %
            of them train, the rest validate, drawn from the validation part in the same way; more train where that part
            has fewer, which the note of the split tells.
    """

    fraction: float | None = None
    count: int | None = None
    seed: int = 42
    stratified: bool = False
    val_budget: str = "paper"

    def __post_init__(self) -> None:
        if self.fraction is not None and self.count is not None:
            raise UsageError(
                f"fraction ({self.fraction:g}) and count ({self.count}) are both set",
                key="fraction",
                got=self.fraction,
                hint="Give one of them, starting from label_ratio=full",
            )
        if self.fraction is not None:
            check_range("fraction", self.fraction, 0, 1, open_low=True)
        if self.count is not None:
            check_range("count", self.count, 1)
        check_choice("val_budget", self.val_budget, VAL_BUDGETS)

    @property
    def is_strict(self) -> bool:
        """Whether validation labels count within the labels."""
        return self.val_budget == "strict"

    @property
    def name(self) -> str:
        """Short name, such as "full", "r25" for a quarter, "n50" for fifty molecules, or "n50-stratified-strict"."""
        if self.fraction is None and self.count is None:
            return "full"
        amount = f"r{100 * self.fraction:02g}" if self.fraction is not None else f"n{self.count}"
        return amount + "-stratified" * self.stratified + "-strict" * self.is_strict

    def apply(self, split: Split, y: NDArray[np.float64], task: str) -> Split:
        """Return the split with the training part, and with a strict budget the validation part, reduced.

        Args:
            split: parts of all molecules.
            y: labels of all molecules, [N, T], NaN where missing; a stratified subset uses those of its part.
            task: "regression" or "classification".

        Raises:
            UsageError: more labels are asked for than the training part has, or too few to divide.
        """
        num_labels = self._number(len(split.train))
        if num_labels is None:
            return split
        if split.order_seed == self.seed and not self.stratified:
            ordered = split.train
        else:
            ordered = self._ordered(split.train, y, task)
        if not self.is_strict:
            return replace(split, train=ordered[:num_labels], order_seed=None)
        if num_labels < 2:
            raise UsageError(
                f"label_ratio.val_budget=strict divides the labels between training and validation: {num_labels} is too"
                " few",
                key="label_ratio.val_budget",
                got=num_labels,
                hint="Give at least 2 or use label_ratio.val_budget=paper.",
            )
        wanted = num_labels - int(0.8 * num_labels)
        num_val = min(wanted, len(split.val))
        val = self._ordered(split.val, y, task)[:num_val]
        short = f"of {num_labels} labels {num_val}, not {wanted}, validate, as the validation part has no more"
        note = "; ".join(filter(None, [split.note, short if num_val < wanted else ""]))
        return replace(split, train=ordered[: num_labels - num_val], val=val, order_seed=None, note=note)

    def _number(self, available: int) -> int | None:
        if self.count is not None and self.count > available:
            raise UsageError(
                f"label_ratio.count={self.count} training molecules are wanted, but the training part has {available}",
                key="label_ratio.count",
                got=self.count,
                hint=f"Use label_ratio=full or a count ≤ {available}.",
            )
        if self.fraction is not None:
            return max(1, round(self.fraction * available))
        return self.count

    def _ordered(self, part: Indices, y: NDArray[np.float64], task: str) -> Indices:
        order = shuffled(part.tolist(), self.seed)
        return order[_interleaved(strata(y[order], task))] if self.stratified else order


def strata(y: NDArray[np.float64], task: str) -> Indices:
    """Return the number of the stratum of each molecule, [N], for labels y [N, T]; molecules without label share one.

    Strata are the two classes of a single classification task. For several tasks, the stratum is the rarest task in
    which a molecule has class 1, the first step of iterative stratification (Sechidis et al., ECML PKDD 2011). For
    regression, strata are equally filled bins of the label, or of the mean of the standardized labels.
    """
    known = ~np.isnan(y)
    if task == "classification":
        if y.shape[1] == 1:
            return np.where(known, y, -1)[:, 0].astype(np.int64)
        positive = np.where(known, y, 0) == 1
        rarity = np.where(positive, positive.sum(axis=0), np.iinfo(np.int64).max)
        return np.where(positive.any(axis=1), rarity.argmin(axis=1), np.where(known.any(axis=1), -1, -2))
    count = np.maximum(known.sum(axis=0), 1)
    centered = np.where(known, y - np.where(known, y, 0).sum(axis=0) / count, 0)
    scale = np.sqrt((centered**2).sum(axis=0) / count)
    level = (centered / np.where(scale > 0, scale, 1)).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    labeled = known.any(axis=1)
    rank = np.empty(len(y), np.int64)
    rank[labeled] = np.argsort(np.argsort(level[labeled], kind="stable"), kind="stable")
    return np.where(labeled, rank * BINS // max(int(labeled.sum()), 1), -1)


def _interleaved(stratum: Indices) -> Indices:
    """Return a stable order in which every prefix has each stratum in its share, to within one or two."""
    position = np.empty(len(stratum))
    for value in np.unique(stratum):
        members = np.flatnonzero(stratum == value)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(position, kind="stable")
