"""Warnings on a data set, derived from its quality report."""

from collections.abc import Iterator, Mapping
from typing import Any

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.split import Split
from roftbench.data.warnings import scale_warning, warnings_of

FEW_MOLECULES = 100
MISSING = 0.2  # share of missing labels
WITHOUT_LABEL = 0.05  # share of molecules without any label
DROPPED = 0.01  # share of rows without a molecule
RARE = 0.05  # share of the rarer class
FEW_VALUES, MANY_LABELS = 10, 30  # so few different values among so many labels may be classes
SPAN = 1e4  # largest label divided by the smallest


def concerns(report: dict[str, Any]) -> list[str]:
    """Return warnings on the molecules and labels of a report (`roftbench.data.quality.report.quality_report`)."""
    found = [*_molecules(report), *_duplicates(report["duplicates"])]
    found += _classes(report["labels"]) if report["task"] == "classification" else _values(report["labels"])
    return found


def of_split(name: str, split: dict[str, Any], dataset: MoleculeDataset, parts: Split) -> list[str]:
    """Return the warnings of a job's record, and one on test molecules whose connectivity occurs in train.

    Args:
        name: name of the split.
        split: report on its parts (`roftbench.data.quality.splits.split_report`).
        dataset: the data set.
        parts: the parts.
    """
    found = [
        text for text in warnings_of(dataset, parts) if text not in dataset.notes
    ]  # the notes are the same for all splits
    shared = split["in_train"]["test"]
    if (more := shared["same_connectivity"] - shared["same_smiles"]) > 0:
        found.append(
            f"{more} of {len(parts.test)} test molecules have the connectivity of a training molecule, but another"
            " SMILES (stereoisomers, protonation states, tautomers)"
        )
    return [f"{name} split: {text}" for text in found]


def _molecules(report: dict[str, Any]) -> Iterator[str]:
    kept, molecules, labels = report["kept"], report["molecules"], report["labels"]
    if kept < FEW_MOLECULES:
        yield f"only {kept} molecules: scores will depend more on the split than on the method"
    if report["dropped_count"] > DROPPED * report["rows"]:
        yield f"{report['dropped_count']} of {report['rows']} rows are dropped"
    if molecules["several_fragments"]:
        yield (
            f"{_have(molecules['several_fragments'])} several fragments (salts, mixtures, solvates): the counter-ions"
            " are part of the graph; dataset.strip_salts=true keeps the largest organic fragment alone"
        )
    if molecules["without_bonds"]:
        yield f"{_have(molecules['without_bonds'])} no bonds: no message passes there"
    if molecules["without_label"] > WITHOUT_LABEL * kept:
        yield f"{molecules['without_label']} of {kept} molecules have no label at all"
    if (labels["missing_share"] or 0) > MISSING:
        yield f"{labels['missing_share']:.0%} of the labels are missing"


def _have(count: int) -> str:
    return f"{count} molecule has" if count == 1 else f"{count} molecules have"


def _duplicates(duplicates: dict[str, Any]) -> Iterator[str]:
    if duplicates["conflicting_groups"]:
        spread = duplicates["largest_spread"]
        apart = f", by up to {spread:.3g}" if spread else ""
        yield (
            f"{_have(duplicates['conflicting_groups'])} different labels in rows of the same SMILES{apart};"
            " dataset.duplicates=merge or drop_conflicts resolves it"
        )


def _classes(labels: dict[str, Any]) -> Iterator[str]:
    tasks = labels["tasks"]
    single = [task for task in tasks if not (task["negatives"] and task["positives"])]
    if single:
        yield f"not both classes among the labels of {_which(single, tasks)}: ROC-AUC is undefined there"
    rare = [task for task in tasks if task not in single and rarer(task) < RARE]
    if rare:
        yield (
            f"a class of less than {RARE:.0%} in {_which(rare, tasks)} (the rarest: {min(map(rarer, rare)):.2%}):"
            " look at average precision, too"
        )


def rarer(task: Mapping[str, Any]) -> float:
    """Return the share of the rarer class of a task."""
    return float(min(task["positive_share"], 1 - task["positive_share"]))


def _values(labels: dict[str, Any]) -> Iterator[str]:
    tasks = labels["tasks"]
    if empty := [task for task in tasks if not task["known"]]:
        yield f"no label in {_which(empty, tasks)}"
    if few := [task for task in tasks if task["unique"] <= FEW_VALUES and task["known"] >= MANY_LABELS]:
        yield f"no more than {max(task['unique'] for task in few)} different values in {_which(few, tasks)}: classes?"
    spreads = [(task["name"], task["std"]) for task in tasks if task["known"]]
    yield from filter(None, [scale_warning(spreads)])
    if wide := [task for task in tasks if task["known"] and looks_exponential(task)]:
        yield f"labels over more than four orders of magnitude in {_which(wide, tasks)}: take logarithms?"


def looks_exponential(task: Mapping[str, Any]) -> bool:
    """Return whether a task's labels span orders of magnitude and are skewed, as concentrations are."""
    return bool(task["min"] > 0 and task["max"] / task["min"] > SPAN and task["mean"] > task["median"])


def _which(found: list[dict[str, Any]], tasks: list[dict[str, Any]]) -> str:
    names = ", ".join(task["name"] for task in found[:3]) + ", …" * (len(found) > 3)
    return names if len(tasks) == 1 else f"{len(found)} of {len(tasks)} tasks ({names})"
