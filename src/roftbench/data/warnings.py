"""Warnings on the data behind a score, stored in each record."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.duplicates import across_parts
from roftbench.data.predefined import PARTS
from roftbench.data.split import Split

EMPTY = {  # what a part without a label of a task cannot do
    "train": "nothing is learned for them",
    "val": "no epoch is selected and nothing is calibrated for them",
    "test": "the test score is that of the others",
}
LOW, HIGH = 0.01, 100.0  # range of standard deviations of labels that need no scaling


def warnings_of(dataset: MoleculeDataset, parts: Split, used: Collection[str] = PARTS) -> list[str]:
    """Return warnings on the `used` parts: their origin, shared molecules, single classes, missing labels."""
    found = [*filter(None, [parts.note]), *across_parts(dataset.canonical, dataset.y, parts, _advice(dataset))]
    found += dataset.notes
    for name in used:
        y = dataset.y[getattr(parts, name)]
        known = ~np.isnan(y)
        if not known.any():
            found.append(f"the {name} part has no label: its scores are undefined")
            continue
        without = int((~known.any(axis=1)).sum())
        if without and (y.shape[1] > 1 or name == "train"):  # others are counted once, where parts are cut
            found.append(f"{without} of {len(y)} {name} molecules have no label: they are counted, and tell nothing")
        if empty := int((~known.any(axis=0)).sum()):
            found.append(f"the {name} part has no label in {empty} of {y.shape[1]} tasks: {EMPTY[name]}")
        if dataset.spec.task == "classification":
            one_class = known.any(axis=0) & ~(((y == 0).any(axis=0)) & ((y == 1).any(axis=0)))
            if one_class.any():
                found.append(_one_class(name, int(one_class.sum()), y.shape[1]))
    return found


def unusual_scale(targets: Sequence[str], y: NDArray[np.float64]) -> str:
    """Return a warning if training labels y [n, T] have a spread far from 1, the scale of a new network, or ""."""
    columns = ((name, column[~np.isnan(column)]) for name, column in zip(targets, y.T, strict=True))
    return scale_warning([(name, float(column.std())) for name, column in columns if len(column)])


def scale_warning(spreads: Sequence[tuple[str, float]]) -> str:
    """Return the warning of `unusual_scale` from the standard deviation of each task's labels."""
    far = [(name, spread) for name, spread in spreads if spread > 0 and not LOW <= spread <= HIGH]
    if not far:
        return ""
    name, spread = far[0]
    more = f" and {len(far) - 1} more tasks" if len(far) > 1 else ""
    return (
        f"the labels of {name}{more} have a standard deviation of {spread:.4g}, far from 1: a network learns them"
        " badly. Set train.standardize_targets=true, or take another unit or logarithms"
    )


def _advice(dataset: MoleculeDataset) -> str:
    """Return what helps if parts share molecules."""
    if dataset.parts is not None:
        return "the table names the parts: correct it there"
    without = "" if dataset.spec.task == "regression" else " without classes that differ"
    merge = f"dataset.duplicates=merge leaves one row of each{without}"
    if dataset.spec.duplicates == "drop_conflicts":
        return merge
    return f"{merge}, drop_conflicts none of those whose labels differ"


def _one_class(name: str, count: int, num_tasks: int) -> str:
    which = "has labels of one class only" if num_tasks == 1 else f"has one class only in {count} of {num_tasks} tasks"
    if name == "train":
        return f"the train part {which}: label_ratio.stratified=true draws both where there are enough"
    return f"the {name} part {which}: ROC-AUC is undefined there"
