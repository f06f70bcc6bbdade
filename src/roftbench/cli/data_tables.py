"""The quality report of a data set on a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from roftbench.data.smiles import shortened
from roftbench.formatting import printable_values

Report = dict[str, Any]
FIRST = 10  # number of dropped rows, and of groups of duplicates, in the output
MANY_TASKS = 20  # with more tasks, quantiles over tasks are shown
NONE = "–"
TEXT = ("SMILES", "Reason", "Data rows", "Their labels")  # left-aligned columns


def print_report(report: Report, console: Console) -> None:
    """Print a report of `data.quality.report.quality_report`; control characters in its texts are escaped."""
    report = printable_values(report)
    parts = (_head(report), _dropped(report), _molecules(report), _labels(report), _duplicates(report))
    for part in (*parts, _parts(report), _distances(report), _warnings(report)):
        for block in part:
            console.print(block)


def _head(report: Report) -> Iterator[RenderableType]:
    shown = Table(title=f"{report['name']}: the data set", title_justify="left", show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    tasks = report["labels"]["num_tasks"]
    for name, value in {
        "task": f"{report['task']}, {tasks} task{'s' * (tasks > 1)}, scored by {report['metric']}",
        "units of the labels": report["units"],
        "found": report["place"],
        "sha256": report["sha256"],
        "reference": report["reference"],
        "license": report["license"],
        "SMILES column": report["smiles_column"],
        "guessed": "; ".join(report["guesses"]) or None,
        "rows": f"{report['rows']:,}",
        "molecules kept": f"{report['kept']:,}",
        "rows dropped": f"{report['dropped_count']:,}",
        "policy for duplicates": report["duplicate_policy"],
        "training labels used": report["label_ratio"],
    }.items():
        shown.add_row(name, Text(NONE if value is None else str(value)))
    yield shown


def _dropped(report: Report) -> Iterator[RenderableType]:
    if not report["dropped"]:
        return
    shown = _table("Rows dropped, by reason", ["Reason", "Rows"])
    for reason, count in report["dropped_reasons"].items():
        shown.add_row(Text(reason), f"{count:,}")
    yield shown
    title = f"The first {FIRST} of them" if report["dropped_count"] > FIRST else "Each of them"
    shown = _table(f"{title} (data row 1 is the first below the header)", ["Row", "SMILES", "Reason"])
    for one in report["dropped"][:FIRST]:
        shown.add_row(f"{one['row'] + 1}", Text(shortened(one["smiles"])), Text(one["reason"]))
    yield shown


def _molecules(report: Report) -> Iterator[RenderableType]:
    molecules = report["molecules"]
    shown = _table("Molecules", ["", ""], header_shown=False)
    for name, value in {
        "atoms: min/median/max": _spread(molecules["atoms"]),
        "without bonds": _count(molecules["without_bonds"]),
        "of several fragments (salts, mixtures)": _count(molecules["several_fragments"]),
        "without any label": _count(molecules["without_label"]),
        "InChI failed": _count(molecules["without_inchi"]),
        "Bemis-Murcko scaffolds": _count(molecules["scaffolds"]),
        "… of one molecule": _count(molecules["scaffolds_of_one_molecule"]),
        "acyclic molecules (one group, no scaffold)": _count(molecules["acyclic"]),
    }.items():
        shown.add_row(name, value)
    yield shown
    shown = _table("Largest scaffold groups", ["Scaffold", "Molecules"])
    for group in molecules["largest_scaffolds"]:
        shown.add_row(Text(group["smiles"] or "(acyclic)"), _count(group["molecules"]))
    yield shown


def _labels(report: Report) -> Iterator[RenderableType]:
    tasks = report["labels"]["tasks"]
    columns = [key for key in tasks[0] if key != "name"]
    header = [column.replace("_", " ").capitalize() for column in columns]
    if len(tasks) <= MANY_TASKS:
        shown = _table("Labels", ["Task", *header])
        for task in tasks:
            shown.add_row(Text(task["name"]), *(_number(task[column], column) for column in columns))
    else:
        shown = _table(f"Labels: quantiles over {len(tasks)} tasks", ["Quantile", *header])
        for name, level in {"min": 0.0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "max": 1.0}.items():
            shown.add_row(name, *(_number(_quantile(tasks, column, level), column) for column in columns))
    yield shown
    if report["task"] == "classification":
        single = sum(not (task["negatives"] and task["positives"]) for task in tasks)
        yield Text(f"tasks without both classes: {single} of {len(tasks)}\n")


def _quantile(tasks: Sequence[Report], column: str, level: float) -> float | int | None:
    values = [task[column] for task in tasks if task[column] is not None]
    if not values:
        return None
    found = float(np.quantile(values, level))
    return round(found) if isinstance(values[0], int) else found


def _duplicates(report: Report) -> Iterator[RenderableType]:
    shown = _table("Molecules that occur more than once", ["", "Same SMILES", "Same connectivity"])
    both = (report["duplicates"], report["same_connectivity"])
    for name, key in {
        "groups": "groups",
        "rows in them": "rows",
        "groups of several SMILES": "groups_of_several_smiles",
        "groups with different labels": "conflicting_groups",
        "… cells (group × task)": "conflicting_cells",
        "largest spread of a label": "largest_spread",
    }.items():
        shown.add_row(name, *(_number(one[key], key) for one in both))
    yield shown
    yield Text("Same SMILES: canonical and isomeric. Same connectivity: the first block of the InChIKey.\n", "dim")
    if listed := report["duplicates"]["listed"][:FIRST]:
        more = report["duplicates"]["groups"] > FIRST
        title = f"The first {FIRST} groups of one SMILES" if more else "Groups of one SMILES"
        shown = _table(f"{title}, those with different labels first", ["SMILES", "Data rows", "Their labels"])
        for group in listed:
            shown.add_row(Text(group["smiles"][0]), ", ".join(f"{row + 1}" for row in group["rows"]), _group(group))
        yield shown


def _group(group: Report) -> Text:
    labels = {task: ", ".join(_number(value, "") for value in values) for task, values in group["labels"].items()}
    if len(labels) <= 1:
        return Text("".join(labels.values()) or NONE)
    different = {task: text for task, text in labels.items() if len(set(group["labels"][task]) - {None}) > 1}
    return Text("\n".join(f"{task}: {text}" for task, text in different.items()) or "equal")


def _parts(report: Report) -> Iterator[RenderableType]:
    classes = report["task"] == "classification"
    header = ["Split", "Molecules", "Labels", "Positives" if classes else "Mean ± std", "Scaffolds", "Atoms"]
    shown = _table("Parts (atoms: min/median/max)", header)
    for name, split in report["splits"].items():
        shown.add_row(Text(name, "bold"))
        for part, one in split.get("parts", {}).items():
            label = _share(one) if classes else _mean(one)
            counts = _count(one["molecules"]), _count(one["labels"])
            shown.add_row(f"  {part}", *counts, label, _count(one["scaffolds"]), _spread(one["atoms"]))
        if "error" in split:
            shown.add_row("  impossible")
        shown.add_section()
    yield shown


def _share(part: Report) -> str:
    return f"{part['positives']:,} ({part['positives'] / part['labels']:.1%})" if part["labels"] else NONE


def _mean(part: Report) -> str:
    if len(part["mean"]) > 1 or part["mean"][0] is None:  # several tasks have no common unit
        return NONE
    return f"{part['mean'][0]:.3g} ± {part['std'][0]:.3g}"


def _distances(report: Report) -> Iterator[RenderableType]:
    splits = {name: split for name, split in report["splits"].items() if "parts" in split}
    shown = _table("How far apart the parts are", ["", *splits])
    for part in ("val", "test"):
        for title, key in (("SMILES", "same_smiles"), ("connectivity", "same_connectivity")):
            cells = (_count(split["in_train"][part][key]) for split in splits.values())
            shown.add_row(f"{part} molecules in train, by {title}", *cells)
        for title, key in (("scaffolds also in train", "scaffolds_shared"), ("tasks undefined", "undefined_tasks")):
            shown.add_row(f"{part} {title}", *(_count(split[key][part]) for split in splits.values()))
    shown.add_section()
    similarity = [split["test_similarity"] for split in splits.values()]
    for title, key in {
        "similarity to train: mean": "mean",
        "… median": "median",
        "… ≥ 0.4": "share_0_4",
        "… ≥ 0.7": "share_0_7",
        "… = 1": "share_1_0",
        "test molecules sampled": "sampled",
    }.items():
        if key != "sampled" or any(one[key] for one in similarity):
            shown.add_row(title, *(_number(one[key], key) for one in similarity))
    yield shown
    yield Text(
        "Similarity: Tanimoto, of a test molecule to the nearest training molecule (Morgan, radius 2, 2048 bits).\n",
        "dim",
    )


def _warnings(report: Report) -> Iterator[RenderableType]:
    yield Text("Warnings" if report["warnings"] else "No warnings", "bold")
    for text in report["warnings"]:
        yield Text(f"- {text}")


def _table(title: str, header: Sequence[str], *, header_shown: bool = True) -> Table:
    shown = Table(title=title, title_justify="left", title_style="bold", show_header=header_shown)
    for i, name in enumerate(header):
        text = i == 0 or name in TEXT
        shown.add_column(name, justify="left" if text else "right", overflow="fold")
    return shown


def _count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def _number(value: float | None, key: str) -> str:
    if value is None:
        return NONE
    if "share" in key:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _spread(spread: Report) -> str:
    return "/".join(NONE if value is None else f"{value:g}" for value in spread.values())
