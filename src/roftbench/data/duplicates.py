"""Molecules that occur more than once, by canonical isomeric SMILES: policies, and warnings if parts share them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from roftbench.data.split import Indices, Split

Labels = NDArray[np.float64]


@dataclass(frozen=True)
class Resolved:
    """Result of a policy: positions kept [K], their labels [K, T], and (position, reason) of the molecules left out."""

    kept: Indices
    y: Labels
    dropped: list[tuple[int, str]]


def groups_of(canonical: NDArray[np.int64]) -> list[Indices]:
    """Return the positions of each molecule that occurs more than once, by the hash of its canonical SMILES [N]."""
    order = np.argsort(canonical, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(canonical[order]) != 0)) if len(order) else np.empty(0, np.int64)
    groups = [group for group in np.split(order, starts[1:]) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))


def conflicting_tasks(y: Labels) -> NDArray[np.bool_]:
    """Return for each task, [T], whether the known labels of a group, y [n, T], differ."""
    known = ~np.isnan(y)
    low, high = np.where(known, y, np.inf).min(axis=0), np.where(known, y, -np.inf).max(axis=0)
    differ: NDArray[np.bool_] = known.any(axis=0) & (low < high)
    return differ


def resolve(policy: str, canonical: NDArray[np.int64], y: Labels, rows: Indices, task: str) -> Resolved:
    """Return the molecules and labels that a policy of `dataset.duplicates` keeps.

    Args:
        policy: "keep" changes nothing, as in the paper. "drop_conflicts" leaves out all rows of molecules with
            different known labels in a task. "merge" keeps the first row of each molecule, with the mean of the known
            labels for regression, and for classes the label if all agree, otherwise none.
        canonical: hashes of canonical SMILES, [N].
        y: labels, [N, T].
        rows: data rows in the file, [N].
        task: "regression" or "classification".
    """
    y = y.copy()
    dropped: list[tuple[int, str]] = []
    for group in groups_of(canonical) if policy != "keep" else []:
        conflicts = conflicting_tasks(y[group])
        names = ", ".join(str(rows[position] + 1) for position in group)
        if policy == "drop_conflicts":
            if conflicts.any():
                dropped += [(int(p), f"labels disagree between data rows {names} of one molecule") for p in group]
            continue
        had_label = not np.isnan(y[group]).all()
        y[group[0]] = _merged(y[group], conflicts, task)
        if had_label and np.isnan(y[group[0]]).all():
            dropped += [(int(p), f"labels disagree between data rows {names} of one molecule") for p in group]
        else:
            dropped += [(int(p), f"merged into data row {rows[group[0]] + 1}, the same molecule") for p in group[1:]]
    kept = np.setdiff1d(np.arange(len(y)), [position for position, _ in dropped])
    return Resolved(kept, y[kept], sorted(dropped))


def _merged(y: Labels, conflicts: NDArray[np.bool_], task: str) -> Labels:
    known = ~np.isnan(y)
    count = known.sum(axis=0)
    mean = np.where(count > 0, np.where(known, y, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
    return np.where(conflicts, np.nan, mean) if task == "classification" else mean


def across_parts(canonical: NDArray[np.int64], y: Labels, parts: Split, advice: str) -> list[str]:
    """Return a warning per pair of parts that share molecules: how many, how many with other labels, and advice."""
    found = []
    for name, part, other_name, other in (
        ("val", parts.val, "train", parts.train),
        ("test", parts.test, "train", parts.train),
        ("test", parts.test, "val", parts.val),
    ):
        shared = part[np.isin(canonical[part], canonical[other])]
        if len(shared):
            found.append(
                f"{len(shared)} of {len(part)} {name} molecules also occur in {other_name} (same canonical SMILES),"
                f" {_differing(shared, other, canonical, y)} of them with another label;"
                f" {advice}"
            )
    return found


def _differing(shared: Indices, other: Indices, canonical: NDArray[np.int64], y: Labels) -> int:
    """Return how many of the molecules `shared` [n] have a known label that differs from one in `other`."""
    members = np.concatenate([shared, other[np.isin(canonical[other], canonical[shared])]])
    groups = ((group, members[group]) for group in groups_of(canonical[members]))
    return sum(int((group < len(shared)).sum()) for group, rows in groups if conflicting_tasks(y[rows]).any())
