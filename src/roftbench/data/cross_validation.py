"""Repeated cross-validation: each molecule is in the test part once per repeat."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from roftbench.data.cluster_splits import LOWER_CUTOFF, butina_clusters, cluster_note
from roftbench.data.split import Indices, Molecules, Split, Splitter, members, share
from roftbench.errors import UsageError, check_choice, check_range

BY = ("random", "scaffold", "butina", "column")


@dataclass(frozen=True)
class CrossValidation(Splitter):
    """Fold `fold`: of repeat fold // folds, part fold % folds is test. A sweep runs all folds of `repeats`.

    `by` names what is never cut: "random" rows of the same molecule, else Bemis-Murcko scaffolds, Butina clusters at
    `cutoff`, or equal cells of `column`. Groups come in an order drawn from `seed` and the repeat, those of more
    molecules (by powers of two) first, and each goes into the fold that has fewest molecules. `val_fraction` of the
    other folds, whole groups again, is the validation part.
    """

    seeded: ClassVar[bool] = True
    fractions: list[float] = field(default_factory=lambda: [0.8, 0.1, 0.1], repr=False)
    folds: int = 5
    repeats: int | None = None
    fold: int | None = None
    by: str = "random"
    column: str | None = None
    cutoff: float = 0.65
    val_fraction: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("folds", self.folds, 2)
        if self.repeats is not None:
            check_range("repeats", self.repeats, 1)
        if self.fold is not None:
            check_range("fold", self.fold, 0)
        check_choice("by", self.by, BY)
        check_range("cutoff", self.cutoff, 0, 1)
        check_range("val_fraction", self.val_fraction, 0, 1, open_low=True)
        if (self.by == "column") != bool(self.column):
            problem = "by=column and column=NAME belong together: rows with equal cells of the column stay together"
            raise UsageError(problem, key="column", got=self.column)

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules.

        Raises:
            UsageError: there are fewer groups than folds, or none for the validation part.
        """
        if self.fold is None:
            last = self.folds * (self.repeats or 1) - 1
            raise UsageError(
                "one job is one fold", key="split.fold", hint=f"Give split.fold=0 to {last}, or -m for all."
            )
        numbers = self._groups(molecules)
        groups = members(numbers.tolist())
        if len(groups) < self.folds:
            raise UsageError(
                f"split.folds={self.folds}: there are only {len(groups)} groups by {self.by} to divide",
                key="split.folds",
                got=self.folds,
            )
        rng = np.random.RandomState([self.seed, self.fold // self.folds])
        order = [groups[place] for place in rng.permutation(len(groups))]
        order.sort(key=lambda group: len(group).bit_length(), reverse=True)
        parts: list[list[list[int]]] = [[] for _ in range(self.folds)]
        sizes = [0] * self.folds
        for group in order:
            smallest = sizes.index(min(sizes))
            parts[smallest].append(group)
            sizes[smallest] += len(group)
        test = parts.pop(self.fold % self.folds)
        train, val = self._validation([group for part in parts for group in part], rng)
        remedy = LOWER_CUTOFF if self.by == "butina" else "take another split.by"
        note = "" if self.by == "random" else cluster_note(numbers, remedy, self.folds)
        train_rows, val_rows, test_rows = (np.sort(np.concatenate(part)) for part in (train, val, test))
        return Split(train_rows, val_rows, test_rows, note=note)

    def _groups(self, molecules: Molecules) -> Indices:
        if self.by == "scaffold":
            return molecules.scaffold_groups()
        if self.by == "butina":
            return butina_clusters(molecules, self.cutoff)
        if self.by == "column":
            return np.unique(np.array(molecules.cells), return_inverse=True)[1]
        return np.unique(molecules.canonical, return_inverse=True)[1]

    def _validation(
        self, groups: list[list[int]], rng: np.random.RandomState
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Return groups of the training folds for train and for val, which holds at most `val_fraction` of them."""
        room = max(1, share(self.val_fraction, sum(map(len, groups))))
        train, val = [], []
        for place in rng.permutation(len(groups)):
            group = groups[place]
            if len(group) <= room:
                val.append(group)
                room -= len(group)
            else:
                train.append(group)
        if not val or not train:
            raise UsageError(
                f"split.val_fraction={self.val_fraction} leaves no whole group by {self.by} for the"
                f" {'validation' if not val else 'training'} part: change it, or split.by",
                key="split.val_fraction",
                got=self.val_fraction,
            )
        return train, val
