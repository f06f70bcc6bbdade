"""The quality report of a data set: its verdict and tables, on a terminal or as a page."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from roftbench.data.quality.verdict import verdict
from roftbench.data.smiles import shortened
from roftbench.formatting import printable, printable_values
from roftbench.report.page.document import Block, Bullets, Document, Findings, Grid, Paragraph, Section

Report = dict[str, Any]
FIRST = 10  # number of dropped rows, and of groups of duplicates, in the output
MANY_TASKS = 20  # with more tasks, quantiles over tasks are shown
NONE = "–"
TEXT = ("SMILES", "Reason", "Data rows", "Their labels")  # left-aligned columns


def print_report(report: Report, console: Console, *, full: bool) -> None:
    """Print the verdict on a report of `data.quality.report.quality_report`, the warnings, and with `full` all tables.

    Control characters in its texts are escaped.
    """
    page = document(report)
    name, count = report["name"], f"{report['kept']:,} molecules, {report['task']}"
    console.print(Text(f"{printable_values(report)['name']}: {count}", "bold"))
    for guess in [] if full else report["guesses"]:  # the tables have them
        console.print(Text(f"guessed: {printable(guess)}"), highlight=False)
    for section in page.shown if full else page.shown[:2]:
        for block in section.blocks:
            for one in _printed(block):
                console.print(one, highlight=False)
    if not full:
        hint = f"--full prints the tables, --out {name}.html writes a page"
        console.print(Text(printable_values({"": hint})[""], "dim"))


def document(report: Report) -> Document:
    """Return the page of a report."""
    lines = [(one.state, one.subject, one.text) for one in verdict(report)]
    report = printable_values(report)
    warnings = [Bullets(report["warnings"])] if report["warnings"] else [Paragraph("No warnings")]
    sections = [
        Section("Verdict", [Findings(printable_values({"": lines})[""])]),
        Section("Warnings", warnings),
        Section("Data set", [*_head(report), *_dropped(report)]),
        Section("Molecules", list(_molecules(report))),
        Section("Labels", list(_labels(report))),
        Section("Duplicates", list(_duplicates(report))),
        Section("Splits", [*_parts(report), *_distances(report)]),
    ]
    lead = f"{report['kept']:,} molecules, {report['task']}, scored by {report['metric']}."
    return Document(f"{report['name']}: quality of the data", [lead], sections, "roftbench data")


def _printed(block: Block) -> Iterator[Table | Text]:
    """Yield a block for a terminal."""
    match block:
        case Findings():
            lines = Table.grid(padding=(0, 2, 0, 0))
            for line in block.lines:
                lines.add_row(*map(Text, line))
            yield lines
        case Bullets():
            yield Text("\nWarnings", "bold")
            yield from (Text(f"- {text}") for text in block.items)
        case Paragraph():
            yield Text(block.text, "dim" if block.soft else "")
        case Grid():
            shown = Table(title=block.title, title_justify="left", title_style="bold", show_header=bool(block.header))
            for at in range(len(block.header or block.rows[0])):
                name = block.header[at] if block.header else ""
                shown.add_column(name, justify="left" if at in block.left else "right", overflow="fold")
            for number, row in enumerate(block.rows):
                shown.add_row(*map(Text, row), style="bold" if number in block.strong else "")
            yield shown


def _head(report: Report) -> Iterator[Block]:
    tasks = report["labels"]["num_tasks"]
    facts = {
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
    }
    rows = [[name, NONE if value is None else str(value)] for name, value in facts.items()]
    yield Grid([], rows, f"{report['name']}: the data set", left=(0, 1))


def _dropped(report: Report) -> Iterator[Block]:
    if not report["dropped"]:
        return
    counts = [[reason, f"{count:,}"] for reason, count in report["dropped_reasons"].items()]
    yield _grid("Rows dropped, by reason", ["Reason", "Rows"], counts)
    title = f"The first {FIRST} of them" if report["dropped_count"] > FIRST else "Each of them"
    rows = [[f"{one['row'] + 1}", shortened(one["smiles"]), one["reason"]] for one in report["dropped"][:FIRST]]
    yield _grid(f"{title} (data row 1 is the first below the header)", ["Row", "SMILES", "Reason"], rows)


def _molecules(report: Report) -> Iterator[Block]:
    molecules = report["molecules"]
    counts = {
        "atoms: min/median/max": _spread(molecules["atoms"]),
        "without bonds": _count(molecules["without_bonds"]),
        "of several fragments (salts, mixtures)": _count(molecules["several_fragments"]),
        "without any label": _count(molecules["without_label"]),
        "InChI failed": _count(molecules["without_inchi"]),
        "Bemis-Murcko scaffolds": _count(molecules["scaffolds"]),
        "… of one molecule": _count(molecules["scaffolds_of_one_molecule"]),
        "acyclic molecules (one group, no scaffold)": _count(molecules["acyclic"]),
    }
    yield _grid("Molecules", [], [[name, count] for name, count in counts.items()])
    groups = [[one["smiles"] or "(acyclic)", _count(one["molecules"])] for one in molecules["largest_scaffolds"]]
    yield _grid("Largest scaffold groups", ["Scaffold", "Molecules"], groups)


def _labels(report: Report) -> Iterator[Block]:
    tasks = report["labels"]["tasks"]
    columns = [key for key in tasks[0] if key != "name"]
    header = [column.replace("_", " ").capitalize() for column in columns]
    if len(tasks) <= MANY_TASKS:
        rows = [[task["name"], *(_number(task[column], column) for column in columns)] for task in tasks]
        yield _grid("Labels", ["Task", *header], rows)
    else:
        rows = [
            [name, *(_number(_quantile(tasks, column, level), column) for column in columns)]
            for name, level in {"min": 0.0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "max": 1.0}.items()
        ]
        yield _grid(f"Labels: quantiles over {len(tasks)} tasks", ["Quantile", *header], rows)
    if report["task"] == "classification":
        single = sum(not (task["negatives"] and task["positives"]) for task in tasks)
        yield Paragraph(f"tasks without both classes: {single} of {len(tasks)}")


def _quantile(tasks: Sequence[Report], column: str, level: float) -> float | int | None:
    values = [task[column] for task in tasks if task[column] is not None]
    if not values:
        return None
    found = float(np.quantile(values, level))
    return round(found) if isinstance(values[0], int) else found


def _duplicates(report: Report) -> Iterator[Block]:
    keys = {
        "groups": "groups",
        "rows in them": "rows",
        "groups of several SMILES": "groups_of_several_smiles",
        "groups with different labels": "conflicting_groups",
        "… cells (group × task)": "conflicting_cells",
        "largest spread of a label": "largest_spread",
    }
    both = (report["duplicates"], report["same_connectivity"])
    rows = [[name, *(_number(one[key], key) for one in both)] for name, key in keys.items()]
    yield _grid("Molecules that occur more than once", ["", "Same SMILES", "Same connectivity"], rows)
    yield Paragraph(
        "Same SMILES: canonical and isomeric. Same connectivity: the first block of the InChIKey.", soft=True
    )
    if listed := report["duplicates"]["listed"][:FIRST]:
        more = report["duplicates"]["groups"] > FIRST
        title = f"The first {FIRST} groups of one SMILES" if more else "Groups of one SMILES"
        rows = [[one["smiles"][0], ", ".join(f"{row + 1}" for row in one["rows"]), _group(one)] for one in listed]
        yield _grid(f"{title}, those with different labels first", ["SMILES", "Data rows", "Their labels"], rows)


def _group(group: Report) -> str:
    labels = {task: ", ".join(_number(value, "") for value in values) for task, values in group["labels"].items()}
    if len(labels) <= 1:
        return "".join(labels.values()) or NONE
    different = {task: text for task, text in labels.items() if len(set(group["labels"][task]) - {None}) > 1}
    return "\n".join(f"{task}: {text}" for task, text in different.items()) or "equal"


def _parts(report: Report) -> Iterator[Block]:
    classes = report["task"] == "classification"
    header = ["Split", "Molecules", "Labels", "Positives" if classes else "Mean ± std", "Scaffolds", "Atoms"]
    rows, strong = list[list[str]](), list[int]()
    for name, split in report["splits"].items():
        strong.append(len(rows))
        rows.append([name, *[""] * 5])
        for part, one in split.get("parts", {}).items():
            label = _share(one) if classes else _mean(one)
            counts = _count(one["molecules"]), _count(one["labels"])
            rows.append([f"  {part}", *counts, label, _count(one["scaffolds"]), _spread(one["atoms"])])
        if "error" in split:
            rows.append(["  impossible", *[""] * 5])
    yield Grid(header, rows, "Parts (atoms: min/median/max)", strong=strong)


def _share(part: Report) -> str:
    return f"{part['positives']:,} ({part['positives'] / part['labels']:.1%})" if part["labels"] else NONE


def _mean(part: Report) -> str:
    if len(part["mean"]) > 1 or part["mean"][0] is None:  # several tasks have no common unit
        return NONE
    return f"{part['mean'][0]:.3g} ± {part['std'][0]:.3g}"


def _distances(report: Report) -> Iterator[Block]:
    splits = {name: split for name, split in report["splits"].items() if "parts" in split}
    rows = []
    for part in ("val", "test"):
        for title, key in (("SMILES", "same_smiles"), ("connectivity", "same_connectivity")):
            cells = (_count(split["in_train"][part][key]) for split in splits.values())
            rows.append([f"{part} molecules in train, by {title}", *cells])
        for title, key in (("scaffolds also in train", "scaffolds_shared"), ("tasks undefined", "undefined_tasks")):
            rows.append([f"{part} {title}", *(_count(split[key][part]) for split in splits.values())])
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
            rows.append([title, *(_number(one[key], key) for one in similarity)])
    yield _grid("How far apart the parts are", ["", *splits], rows)
    yield Paragraph(
        "Similarity: Tanimoto, of a test molecule to the nearest training molecule (Morgan, radius 2, 2048 bits).",
        soft=True,
    )


def _grid(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    """Return a table; columns named in TEXT hold text, as the first does."""
    return Grid(header, rows, title, left=(0, *(at for at, name in enumerate(header) if at and name in TEXT)))


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
