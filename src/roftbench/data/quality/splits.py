"""Contents of the parts of a split, and their distance from one another, in the quality report."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.descriptors import Descriptors
from roftbench.data.similarity import similarity_report
from roftbench.data.split import Indices, Split
from roftbench.metrics import undefined_tasks

Report = dict[str, Any]


def split_report(dataset: MoleculeDataset, described: Descriptors, parts: Split, name: str) -> Report:
    """Return the contents of train, val and test, overlaps of val and test with train, and similarity of test to it.

    `undefined_tasks` counts tasks whose primary metric is undefined in a part: no label, or labels of one class.
    """
    scaffolds = dataset.scaffold_groups()
    held_out = {"val": parts.val, "test": parts.test}
    return {
        "parts": {
            part: part_report(dataset, scaffolds, index) for part, index in {"train": parts.train, **held_out}.items()
        },
        "unused": len(dataset) - sum(map(len, (parts.train, parts.val, parts.test))),
        "scaffolds_shared": {
            part: len(np.intersect1d(scaffolds[index], scaffolds[parts.train])) for part, index in held_out.items()
        },
        "in_train": {
            part: {
                "same_smiles": _also_in(dataset.canonical, index, parts.train),
                "same_connectivity": _also_in(described.connectivity, index, parts.train),
            }
            for part, index in held_out.items()
        },
        "undefined_tasks": {
            part: undefined_tasks(str(dataset.spec.task), dataset.y[index]) for part, index in held_out.items()
        },
        "test_similarity": similarity_report(
            described.fingerprint, parts.train, parts.test, f"similarity, {name} split"
        ),
    }


def part_report(dataset: MoleculeDataset, scaffolds: NDArray[np.int64], part: Indices) -> Report:
    """Return counts of a part and of its labels by class, or mean and std (ddof 0) of its labels per task.

    `scaffolds` [N] are the scaffold groups of all molecules.
    """
    y = dataset.y[part]
    known = ~np.isnan(y)
    report: Report = {"molecules": len(part), "labels": int(known.sum())}
    if dataset.spec.task == "classification":
        report |= {"negatives": int((y == 0).sum()), "positives": int((y == 1).sum())}
    else:
        columns = [y[known[:, t], t] for t in range(y.shape[1])]
        report["mean"] = [float(column.mean()) if len(column) else None for column in columns]
        report["std"] = [float(column.std()) if len(column) else None for column in columns]
    return {**report, "scaffolds": len(np.unique(scaffolds[part])), "atoms": spread_of(dataset.sizes[part])}


def spread_of(values: NDArray[np.int64]) -> Report:
    """Return minimum, median and maximum, None without values."""
    if not len(values):
        return {"min": None, "median": None, "max": None}
    return {"min": int(values.min()), "median": float(np.median(values)), "max": int(values.max())}


def _also_in(key: NDArray[np.int64], part: Indices, train: Indices) -> int:
    return int(np.isin(key[part], key[train]).sum())
