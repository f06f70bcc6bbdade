"""Molecules that occur more than once, and agreement of their labels, in the quality report."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.duplicates import conflicting_tasks, groups_of
from roftbench.data.split import Indices

LISTED = 1000  # groups of equal molecules that are listed; all are counted
SHOWN_TASKS = 20  # with more tasks, a group lists only labels of tasks in which it disagrees

Report = dict[str, Any]


def group_report(dataset: MoleculeDataset, key: NDArray[np.int64]) -> Report:
    """Return the report on groups of molecules with equal keys [N].

    `conflicting_cells` counts pairs of group and task; `largest_spread` is the largest difference of regression labels
    in a group. Up to `LISTED` groups are listed, those with conflicts first.
    """
    groups = groups_of(key)
    conflicts = [conflicting_tasks(dataset.y[group]) for group in groups]
    regression = dataset.spec.task == "regression"
    spreads = [_spread(dataset.y[group]) if regression else None for group in groups]
    order = sorted(range(len(groups)), key=lambda i: not conflicts[i].any())
    return {
        "groups": len(groups),
        "rows": sum(map(len, groups)),
        "groups_of_several_smiles": sum(len(np.unique(dataset.canonical[group])) > 1 for group in groups),
        "conflicting_groups": sum(bool(one.any()) for one in conflicts),
        "conflicting_cells": sum(int(one.sum()) for one in conflicts),
        "largest_spread": max((spread for spread in spreads if spread is not None), default=None),
        "listed": [_group(dataset, groups[i], conflicts[i], spreads[i]) for i in order[:LISTED]],
    }


def _spread(y: NDArray[np.float64]) -> float | None:
    """Return the largest difference between known labels of a task, y [n, T], or None."""
    known = ~np.isnan(y)
    gap = np.where(known, y, -np.inf).max(axis=0) - np.where(known, y, np.inf).min(axis=0)
    return float(gap.max()) if known.any() else None


def _group(dataset: MoleculeDataset, group: Indices, conflicts: NDArray[np.bool_], spread: float | None) -> Report:
    y = dataset.y[group]
    listed = conflicts if y.shape[1] > SHOWN_TASKS else ~np.isnan(y).all(axis=0)
    return {
        "smiles": [dataset.smiles[position] for position in group],
        "rows": dataset.rows[group].tolist(),
        "conflicting_tasks": int(conflicts.sum()),
        "spread": spread,
        "labels": {
            dataset.targets[t]: [None if np.isnan(value) else value for value in y[:, t].tolist()]
            for t in np.flatnonzero(listed)
        },
    }
