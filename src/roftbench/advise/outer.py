"""Labeled molecules and test part of an advice: those of the job, with equal molecules in one part."""

from dataclasses import dataclass, replace

import numpy as np

from roftbench.config.components import build
from roftbench.config.job import Job
from roftbench.config.plugins import import_name
from roftbench.data.dataset import MoleculeDataset
from roftbench.data.predefined import ColumnSplit, FileSplit
from roftbench.data.split import Indices, Split
from roftbench.data.warnings import warnings_of
from roftbench.errors import UsageError


@dataclass(frozen=True)
class Outer:
    """Parts of the molecules for an advice.

    Attributes:
        parts: Indices of molecules.
        warnings: Warnings about the data.
        changed: Whether the parts differ from those of the job, because these share molecules.
    """

    parts: Split
    warnings: list[str]
    changed: bool = False


def outer_parts(job: Job, dataset: MoleculeDataset) -> Outer:
    """Split a data set as a job does, with all rows of a molecule in one part.

    If the job's parts share molecules, all rows of a molecule are moved to the part of its first row. Parts from a
    column or a file are not split again: labeled molecules are removed from the test part, and validation molecules
    that are also in the training part move there.

    Raises:
        UsageError: The training part is empty, there are fewer labels than requested, or rows were merged in a table
            whose own parts share molecules.
    """
    whole = build(job.split)(dataset)
    whole.check(len(dataset), job.split.name)
    if len(whole.train) == 0:
        raise UsageError("the training part is empty", key="split", got=job.split.name, hint=cause(job, dataset, whole))
    used = _labeled(dataset, dataset.reduced(whole, job.label_ratio))
    warnings = warnings_of(dataset, used)
    if not _shared(dataset, used):
        return Outer(used, warnings)
    if issubclass(import_name(job.split.target), ColumnSplit | FileSplit):
        if dataset.spec.duplicates != "keep":
            raise UsageError(
                f"dataset.duplicates={dataset.spec.duplicates} leaves molecules that are both labeled and in the test"
                f" part, as the table itself has the parts (split={job.split.name})",
                key="dataset.duplicates",
                got=dataset.spec.duplicates,
                hint="Correct the parts in the table, or set dataset.duplicates=keep: advise then removes these"
                " molecules from the test part.",
            )
        changed = _without_copies(dataset, used)
        left_out = len(used.test) - len(changed.test)
        note = f"{left_out} test molecules that are labeled, too, are left out of the test part"
    else:
        changed = _labeled(dataset, dataset.reduced(_regrouped(dataset, whole), job.label_ratio))
        note = (
            "equal molecules (same canonical SMILES) are kept in one part, that of their first row: now"
            f" {len(changed.train)} train, {len(changed.val)} val and {len(changed.test)} test molecules"
        )
    return Outer(changed, [*warnings, note], changed=True)


def cause(job: Job, dataset: MoleculeDataset, whole: Split) -> str:
    """Return why a split leaves few molecules for training, and how to correct it."""
    counts = (
        f"{len(whole.train)} of {len(dataset)} molecules in train, {len(whole.val)} in val, {len(whole.test)} in test"
    )
    if "scaffold" not in job.split.name:
        other = "" if job.split.name == "random" else "split=random advise.by=random, or "
        return f"split={job.split.name} puts {counts}. Give {other}other split.fractions."
    _, sizes = np.unique(dataset.scaffold_groups(), return_counts=True)
    return (
        f"split={job.split.name} puts {counts}, as {sizes.max()} molecules have one scaffold (all without a ring count"
        " as one), and a scaffold stays whole. Give split=random advise.by=random."
    )


def _labeled(dataset: MoleculeDataset, split: Split) -> Split:
    """Return a split without molecules that have no label: they are not used and do not count as labels."""
    train, val, test = (part[dataset.labeled[part]] for part in (split.train, split.val, split.test))
    return replace(split, train=train, val=val, test=test)


def _shared(dataset: MoleculeDataset, parts: Split) -> bool:
    """Return whether a molecule is in more than one part."""
    each = [np.unique(dataset.canonical[part]) for part in (parts.train, parts.val, parts.test)]
    return len(np.unique(np.concatenate(each))) < sum(map(len, each))


def _regrouped(dataset: MoleculeDataset, split: Split) -> Split:
    """Return a split with all rows of a molecule in the part of its first row; the order within parts is kept."""
    part_of = np.full(len(dataset), -1)
    for number, part in enumerate((split.train, split.val, split.test)):
        part_of[part] = number
    _, first, group = np.unique(dataset.canonical, return_index=True, return_inverse=True)
    wanted = np.where(part_of >= 0, part_of[first][group], -1)

    def moved(number: int, part: Indices) -> Indices:
        return np.concatenate([part[wanted[part] == number], np.flatnonzero((wanted == number) & (part_of != number))])

    train, val, test = (moved(number, part) for number, part in enumerate((split.train, split.val, split.test)))
    return replace(split, train=train, val=val, test=test, order_seed=None)


def _without_copies(dataset: MoleculeDataset, split: Split) -> Split:
    """Return a split whose test part has no labeled molecules and whose val molecules that also train are in train."""
    known = dataset.canonical
    twice = np.isin(known[split.val], known[split.train])
    train, val = np.concatenate([split.train, split.val[twice]]), split.val[~twice]
    labeled = known[np.concatenate([train, val])]
    return replace(split, train=train, val=val, test=split.test[~np.isin(known[split.test], labeled)], order_seed=None)
