"""The labeled molecules and the test part of an advice: those of the job, with equal molecules in one of them."""

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
    """The parts that are used (indices of molecules), what a reader should know of the data, and whether they differ.

    `mended`: they are not those of the job, as these share molecules.
    """

    parts: Split
    warnings: list[str]
    mended: bool = False


def outer_parts(job: Job, dataset: MoleculeDataset) -> Outer:
    """Cut a data set as a job does, and keep the rows of each molecule in one part.

    Where the job's parts share molecules, all rows of a molecule follow the first of them. Parts that a column or a
    file names are not cut anew: molecules that are labeled leave the test part, those of train leave val for train.

    Raises:
        UsageError: the training part is empty, or there are fewer labels than asked for, or rows were merged of a table
            whose own parts share molecules.
    """
    whole = build(job.split)(dataset)
    whole.check(len(dataset), job.split.name)
    if len(whole.train) == 0:
        raise UsageError(f"the training part is empty: {cause(job, dataset, whole)}")
    task = str(dataset.spec.task)
    used = job.label_ratio.apply(whole, dataset.y, task)
    warnings = warnings_of(dataset, used)
    if not _shared(dataset, used):
        return Outer(used, warnings)
    if issubclass(import_name(job.split.target), ColumnSplit | FileSplit):
        if dataset.spec.duplicates != "keep":
            raise UsageError(
                f"dataset.duplicates={dataset.spec.duplicates} leaves molecules that are both labeled and in the test"
                f" part, as split={job.split.name} names the parts: mend the parts in the table, or set"
                " dataset.duplicates=keep: advise then leaves them out of the test part"
            )
        mended = _without_copies(dataset, used)
        left_out = len(used.test) - len(mended.test)
        note = f"{left_out} test molecules that are labeled, too, are left out of the test part"
    else:
        mended = job.label_ratio.apply(_regrouped(dataset, whole), dataset.y, task)
        note = (
            "equal molecules (same canonical SMILES) are kept in one part, that of their first row: now"
            f" {len(mended.train)} train, {len(mended.val)} val and {len(mended.test)} test molecules"
        )
    return Outer(mended, [*warnings, note], mended=True)


def cause(job: Job, dataset: MoleculeDataset, whole: Split) -> str:
    """Return why a way of cutting leaves so few molecules for training, and what helps."""
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


def _shared(dataset: MoleculeDataset, parts: Split) -> bool:
    """Tell whether a molecule lies in more than one part."""
    each = [np.unique(dataset.canonical[part]) for part in (parts.train, parts.val, parts.test)]
    return len(np.unique(np.concatenate(each))) < sum(map(len, each))


def _regrouped(dataset: MoleculeDataset, split: Split) -> Split:
    """Move all rows of a molecule to the part of its first row; the others of a part stay in their order."""
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
    """Leave labeled molecules out of the test part, and put those of val that also train into train."""
    known = dataset.canonical
    twice = np.isin(known[split.val], known[split.train])
    train, val = np.concatenate([split.train, split.val[twice]]), split.val[~twice]
    labeled = known[np.concatenate([train, val])]
    return replace(split, train=train, val=val, test=split.test[~np.isin(known[split.test], labeled)], order_seed=None)
