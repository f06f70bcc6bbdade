"""Folds within the labeled molecules, each a file for `split=file`, so that its jobs are ordinary jobs."""

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from roftbench.advise.outer import Outer, cause, outer_parts
from roftbench.config.components import build
from roftbench.config.job import Component, Job
from roftbench.data.dataset import MoleculeDataset
from roftbench.data.label_ratio import BINS, strata
from roftbench.data.predefined import FileSplit, file_sha256
from roftbench.data.split import Indices
from roftbench.errors import UsageError
from roftbench.store.checksums import digest
from roftbench.store.files import write_text

MORE_LABELS = "Give advise.folds=3, or more labels (label_ratio, split.fractions)."


@dataclass(frozen=True)
class Parts:
    """Training, validation and test rows of a fold, numbers of rows in the file from 0."""

    name: str
    train: Indices
    val: Indices
    test: Indices


class Folds:
    """Partitions into K folds of the molecules that a job uses for training and selection, numbered consecutively.

    Fold k is tested on its own molecules, selects on those of fold k + 1 and trains on all others. With by="scaffold"
    each scaffold group is in one fold. Folds are stratified by class, or by fifths of a regression label, as far as
    groups allow (`StratifiedGroupKFold` of scikit-learn). No fold contains molecules of the job's test part. All rows
    of a molecule are in one fold; merged rows are represented by the first.
    """

    def __init__(
        self, job: Job, dataset: MoleculeDataset, count: int, by: str, folder: Path, outer: Outer | None = None
    ) -> None:
        self.outer = outer_parts(job, dataset) if outer is None else outer
        parts = self.outer.parts
        self.dataset, self.count, self.by = dataset, count, by
        pool = np.sort(np.concatenate([parts.train, parts.val]))
        self.pool = pool[dataset.labeled[pool]]
        if len(self.pool) < 3 * count:
            raise UsageError(
                f"{len(self.pool)} labeled molecules are too few for {count} folds: at least {3 * count} are needed",
                key="advise.folds",
                got=count,
                hint=self._few(job),
            )
        identity = job.fit_identity()
        chosen = {name: identity[name] for name in ("dataset", "split", "label_ratio")}
        self.folder = folder / digest({**chosen, "folds": count, "by": by})
        self._partitions: dict[int, list[Indices]] = {}
        self._splits: dict[str, Component] = {}

    def _few(self, job: Job) -> str:
        """Return advice for too few labeled molecules."""
        whole = build(job.split)(self.dataset)
        if len(whole.train) + len(whole.val) < min(3 * self.count, len(self.dataset)):
            most = len(self.pool) // 3
            fewer = f" Or give advise.folds={most}, or fewer." if most >= 3 else ""
            return f"{cause(job, self.dataset, whole)}{fewer}"
        return MORE_LABELS

    def __getitem__(self, number: int) -> Parts:
        """Return fold number % K of partition number // K."""
        partition, fold = divmod(number, self.count)
        cut = self._partition(partition)
        val = (fold + 1) % self.count
        train = np.concatenate([cut[k] for k in range(self.count) if k not in (fold, val)])
        name = f"fold{number + 1}" if partition else f"fold{fold + 1}of{self.count}"
        return Parts(name, *(np.sort(self.dataset.rows[part]) for part in (train, cut[val], cut[fold])))

    def partitions(self, most: int) -> int:
        """Return the number of partitions, up to `most`, before one repeats a fold, as few groups allow few."""
        seen: set[tuple[int, ...]] = set()
        for number in range(most):
            found = {tuple(sorted(part.tolist())) for part in self._partition(number)}
            if seen & found:
                return number
            seen |= found
        return most

    def share(self, number: int, share: float) -> Parts:
        """Return a fold with a share of its training molecules, nested in larger shares, and the same other parts."""
        whole = self[number]
        order = np.random.default_rng(number).permutation(len(whole.train))
        kept = np.sort(whole.train[order[: max(2, round(share * len(order)))]])
        return Parts(f"{whole.name}-{100 * share:.0f}", kept, whole.val, whole.test)

    def split(self, parts: Parts) -> Component:
        """Return the split with these parts; its file is written if it is missing."""
        if parts.name in self._splits:
            return self._splits[parts.name]
        path = self.folder / f"{parts.name}.json"
        text = json.dumps({name: getattr(parts, name).tolist() for name in ("train", "val", "test")})
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
        given = FileSplit(path=str(path), sha256=file_sha256(str(path)))
        target = f"{FileSplit.__module__}.{FileSplit.__qualname__}"
        self._splits[parts.name] = Component(parts.name, target, asdict(given))
        return self._splits[parts.name]

    def outside(self) -> Parts:
        """Return the outer parts, on which the winner is fitted and tested."""
        parts = (self.outer.parts.train, self.outer.parts.val, self.outer.parts.test)
        return Parts("parts", *(np.sort(self.dataset.rows[part]) for part in parts))

    def _partition(self, number: int) -> list[Indices]:
        if number not in self._partitions:
            self._partitions[number] = self._cut(number)
        return self._partitions[number]

    def _cut(self, seed: int) -> list[Indices]:
        labels = strata(self.dataset.y[self.pool], str(self.dataset.spec.task))
        if self.dataset.spec.task == "regression":  # fifths, or fewer if these have fewer molecules than folds
            labels = labels * min(5, len(self.pool) // self.count) // BINS
        groups = self._groups()
        if groups is not None and len(np.unique(groups)) < self.count:
            raise self._too_few_groups(groups)
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        with warnings.catch_warnings():  # a class with fewer molecules than folds is normal with few labels
            warnings.simplefilter("ignore", UserWarning)
            cuts = kind(self.count, shuffle=True, random_state=seed).split(labels, labels, groups)
            try:
                found = [self.pool[test] for _, test in cuts]
            except ValueError:  # all strata, such as rare classes of several tasks, are smaller than that
                problem = f"no class of the {len(self.pool)} labeled molecules has {self.count} of them, one per fold"
                raise UsageError(problem, key="advise.folds", got=self.count, hint=MORE_LABELS) from None
        sizes = np.array([len(part) for part in found])
        least = len(self.pool) - (sizes + np.roll(sizes, -1)).max()  # size of the smallest training part
        if groups is not None and (sizes.min() == 0 or least < self.count):
            raise self._too_few_groups(groups)
        return found

    def _groups(self) -> Any:
        """Return the group of each labeled molecule, which is kept in one fold, or None if each is its own group.

        Equal molecules have equal scaffolds.
        """
        if self.by == "scaffold":
            return self.dataset.scaffold_groups()[self.pool]
        canonical = self.dataset.canonical[self.pool]
        return canonical if len(np.unique(canonical)) < len(canonical) else None

    def _too_few_groups(self, groups: Any) -> UsageError:
        """Return the error for groups that cannot be divided among the folds."""
        _, sizes = np.unique(groups, return_counts=True)
        if self.by == "scaffold":
            remedy = "Give advise.by=random." if len(self.outer.parts.test) else "Give split=random advise.by=random."
            problem = (
                f"the {len(self.pool)} labeled molecules have too few scaffolds for {self.count} folds of whole ones:"
                f" {sizes.max()} of them share one (all without a ring count as one)"
            )
            return UsageError(problem, key="advise.by", got=self.by, hint=remedy)
        problem = (
            f"the {len(self.pool)} labeled rows are {len(sizes)} molecules, too few for {self.count} folds: equal ones"
            " are kept in one fold"
        )
        hint = MORE_LABELS.replace("labels", "molecules", 1)
        return UsageError(problem, key="advise.folds", got=self.count, hint=hint)
