"""Quality report on a data set, in plain values for JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.descriptors import Descriptors
from roftbench.data.dropped_rows import reason_counts
from roftbench.data.featurizers.hu import scaffold_smiles
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.quality.concerns import concerns, of_split
from roftbench.data.quality.repeats import group_report
from roftbench.data.quality.splits import split_report, spread_of
from roftbench.data.split import Splitter
from roftbench.errors import UsageError

LARGEST = 5  # scaffolds that are listed

Report = dict[str, Any]


def quality_report(dataset: MoleculeDataset, splitters: Mapping[str, Splitter], ratio: LabelRatio) -> Report:
    """Return the report on a data set and on the parts of each splitter, with None for undefined numbers.

    A splitter that cannot split these molecules has an "error" instead.

    Raises:
        UsageError: no splitter can split them.
    """
    described = dataset.descriptors()
    report = {
        **head(dataset),
        "label_ratio": ratio.name,
        "molecules": molecule_report(dataset, described),
        "labels": label_report(dataset.y, dataset.targets, str(dataset.spec.task)),
        "duplicates": group_report(dataset, dataset.canonical),
        "same_connectivity": group_report(dataset, described.connectivity),
    }
    warnings = [*dataset.notes, *concerns(report)]
    splits: dict[str, Report] = {}
    for name, splitter in splitters.items():
        try:
            parts = dataset.cut(splitter, ratio)[1]
        except UsageError as error:
            splits[name] = {"error": str(error)}
            warnings.append(f"{name} split: {error}")
            continue
        splits[name] = split_report(dataset, described, parts, name)
        warnings += of_split(name, splits[name], dataset, parts)
    if splits and all("error" in split for split in splits.values()):
        raise UsageError(next(iter(splits.values()))["error"])
    return {**report, "splits": splits, "warnings": warnings}


def head(dataset: MoleculeDataset) -> Report:
    """Return name, settings and origin of the data set, and its dropped rows (counted from 0)."""
    spec = dataset.spec
    return {
        "name": spec.name,
        "task": spec.task,
        "metric": spec.metric,
        "units": spec.units,
        "smiles_column": spec.smiles_column,
        "place": dataset.place,
        "sha256": spec.sha256,
        "reference": spec.reference,
        "license": spec.license,
        "duplicate_policy": spec.duplicates,
        "notes": list(dataset.notes),
        "rows": dataset.num_rows,
        "kept": len(dataset),
        "dropped_count": len(dataset.dropped),
        "dropped_reasons": dict(reason_counts(row.reason for row in dataset.dropped)),
        "dropped": [asdict(row) for row in dataset.dropped],
    }


def molecule_report(dataset: MoleculeDataset, described: Descriptors) -> Report:
    """Return sizes, counts of unusual molecules, and Bemis-Murcko scaffolds (1996, J. Med. Chem. 39, 2887).

    Molecules without a ring share the scaffold "".
    """
    _, first, count = np.unique(dataset.scaffold_groups(), return_index=True, return_counts=True)
    largest = sorted(range(len(count)), key=lambda group: (-count[group], first[group]))[:LARGEST]
    bonds = np.diff(dataset.graphs.edge_ptr.numpy())
    return {
        "atoms": spread_of(dataset.sizes),
        "without_bonds": int((bonds == 0).sum()),
        "several_fragments": int((described.fragments > 1).sum()),
        "without_inchi": int(described.no_inchi.sum()),
        "without_label": int((~dataset.labeled).sum()),
        "scaffolds": len(count),
        "scaffolds_of_one_molecule": int((count == 1).sum()),
        "acyclic": int((described.rings == 0).sum()),
        "largest_scaffolds": [
            {"smiles": scaffold_smiles(dataset.smiles[first[group]]), "molecules": int(count[group])}
            for group in largest
        ],
    }


def label_report(y: NDArray[np.float64], targets: list[str], task: str) -> Report:
    """Return statistics of the labels y [N, T] per task; the std of regression labels has ddof 0."""
    known = ~np.isnan(y)
    statistics = _classes if task == "classification" else _values
    return {
        "num_tasks": y.shape[1],
        "known": int(known.sum()),
        "missing_share": _missing(known),
        "tasks": [
            {
                "name": name,
                "known": int(known[:, t].sum()),
                "missing_share": _missing(known[:, t]),
                **statistics(y[known[:, t], t]),
            }
            for t, name in enumerate(targets)
        ],
    }


def _missing(known: NDArray[np.bool_]) -> float | None:
    return float(1 - known.mean()) if known.size else None


def _classes(y: NDArray[np.float64]) -> Report:
    positives = int((y == 1).sum())
    return {
        "negatives": len(y) - positives,
        "positives": positives,
        "positive_share": positives / len(y) if len(y) else None,
    }


def _values(y: NDArray[np.float64]) -> Report:
    names = ("min", "mean", "std", "median", "max")
    values = (y.min(), y.mean(), y.std(), np.median(y), y.max()) if len(y) else ()
    found = dict(zip(names, map(float, values), strict=False)) or dict.fromkeys(names)
    return {**found, "unique": len(np.unique(y))}
