"""Boards as Markdown, LaTeX, CSV, JSON and terminal output."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from roftbench.formatting import printable
from roftbench.report.aggregate import BUDGET, DIAGNOSTICS
from roftbench.report.aggregate import COST as COSTS
from roftbench.report.cell_key import PARTS
from roftbench.report.format import csv_text, family, markdown_table
from roftbench.report.tables.board import TABLE, Board
from roftbench.report.tables.cost import cost_layouts
from roftbench.report.tables.latex import comments, plain, render_layout
from roftbench.report.tables.layout import BEST, Layout, Leaderboard
from roftbench.report.tables.oracle_selection import render_selection
from roftbench.report.tables.provenance import asked, brief, data_lines, facts, render_provenance
from roftbench.store.files import write_text

LEGEND = """\
Cells: mean ± standard deviation (ddof 0; none of one seed) of the test score over seeds, and the number of seeds.
**Bold** is every cell that cannot be told from the best of its column, by the test named below the table. Cells that
lack seeds of their table take no part; `3/5`: only 3 of its 5 seeds are there; `failed`: no job of the cell ended well;
`n/a`: it makes no sense there; `--`: no job; `undefined`: the metric is undefined in some seed, or no candidate of a
search has a score in every seed. Hyperparameters are selected by the mean validation score over seeds."""
RANKS = """\
Ranks are over blocks, a block being one split, label ratio and data set (of one model): those in which every method
has all seeds. Blocks of one data set are not independent, so these ranks describe what was run and are no tests. What
can be told apart over data sets, and inside each, is in comparison.md."""
DATA_SETS = "data sets (sha256, rows, kept, jobs):"
_MARKDOWN = {BEST: "**{}**", "": "{}"}
COST = """\
What each method costs, and how it works: its mechanism, how many parameters training changes, and the seconds of a
job. `--`: not recorded, as in records of earlier versions."""
_NUMBERS = ["mean", "std", "n", "n_expected", *BUDGET]
_MEANS = [*COSTS, *DIAGNOSTICS]
_COLUMNS = [
    *(*PARTS, "protocol", "task", "dataset", "metric", "method", "family", "params"),
    *(*_NUMBERS, *_MEANS, "average_rank", "status"),
]


def write_tables(found: Leaderboard, folder: Path) -> list[Path]:
    """Write leaderboard.md, .csv and .tex into a folder, each replaced as a whole; returns their paths.

    Raises OSError if a file cannot be written.
    """
    page = f"# Leaderboard\n\n{render_markdown(found)}"
    contents = {"md": page, "csv": csv_text(to_frame(found.board)), "tex": render_latex(found)}
    for kind, text in contents.items():
        write_text(folder / f"leaderboard.{kind}", printable(text))
    return [folder / f"leaderboard.{kind}" for kind in contents]


def to_frame(board: Board) -> pd.DataFrame:
    """Return a row per cell, including missing ones (n = 0), in the order of the printed tables.

    Columns: model, split, label_ratio, train, protocol, task, dataset, metric, method, family, params (JSON), mean,
    std (ddof 0), n, n_expected (how many seeds the cells of its table have together), labels, labels_selection,
    labels_interpolation (used for weights, selection and interpolation coefficients), trained_parameters, fit_seconds,
    fit_cpu_seconds, feature_shift, pretrain_gain, pretrain_gain_percent (means over seeds), average_rank (in its
    table), status (complete, incomplete, failed, skipped or missing), selected_by ("val", or "test" for test selection,
    which must not be reported). With `metric=all` there is a row per cell and metric.
    """
    return pd.concat(map(_frame, board.panel()), ignore_index=True)


def _frame(board: Board) -> pd.DataFrame:
    rows = board.rows
    status = rows["status"].where(rows["n"] == 0, "incomplete").where(rows["n"] < rows["n_expected"], "complete")
    frame = _with_family(rows.assign(status=status.replace("", "missing")))[_COLUMNS].assign(selected_by="val")
    if board.by_test.empty:
        return frame
    tested = board.by_test.assign(average_rank=float("nan"), status="complete")
    tested["status"] = tested["status"].where(tested["n"] == tested["n_expected"], "incomplete")
    tested = tested.sort_values([*TABLE, "order", "row", "dataset"])
    return pd.concat([frame, _with_family(tested)[_COLUMNS].assign(selected_by="test")], ignore_index=True)


def _with_family(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(family=frame["method"].map(family))


def to_json(board: Board) -> str:
    """Return the rows of `to_frame` as a JSON list; params as an object, null for missing or undefined values."""
    plain = plain_rows(to_frame(board))
    for row in plain:
        row["params"] = row["params"] and json.loads(row["params"])
    return json_text(plain)


def json_text(rows: list[dict[str, Any]]) -> str:
    """Return rows as ASCII JSON, in which no text can control a terminal."""
    return json.dumps(rows, indent=1, allow_nan=False)


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON values: null for missing or undefined values."""
    return [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in frame.to_dict("records")]


def render_markdown(found: Leaderboard) -> str:
    """Return a Markdown table with notes per setting and task, then costs, overall ranks and provenance."""
    blocks = [LEGEND, *map(_markdown, found.tables)]
    costs = list(cost_layouts(found.shown))
    blocks += [COST, *map(_markdown, costs)] if costs else []
    blocks += [RANKS, *map(_markdown, found.ranks)] if found.ranks else []
    blocks += [render_selection(found.board)] if found.board.request.select == "test" else []
    return "\n\n".join([*blocks, render_provenance(found.board)]) + "\n"


def render_latex(found: Leaderboard) -> str:
    """Return the tables and notes as LaTeX (booktabs); legend and provenance are comments."""
    parts = [comments(["Needs \\usepackage{booktabs}.", *plain(LEGEND).splitlines()])]
    parts += map(render_layout, found.tables)
    costs = list(cost_layouts(found.shown))
    parts += [comments(COST.splitlines()), *map(render_layout, costs)] if costs else []
    parts += [comments(RANKS.splitlines()), *map(render_layout, found.ranks)] if found.ranks else []
    data = [" ".join(line) for line in data_lines(found.board)]
    parts.append(comments([plain(asked(found.board)), *facts(found.board), DATA_SETS, *data]))
    return "\n\n".join(parts) + "\n"


def print_rich(found: Leaderboard, console: Console, suffix: str = "") -> None:
    """Print the tables and notes to a terminal; `suffix` is added to the commands."""
    for layout in found.tables:
        _print_layout(layout, console, suffix)
    if found.ranks:
        console.print(Text(RANKS))
    for layout in found.ranks:
        _print_layout(layout, console, suffix)
    if found.board.request.select == "test":
        console.print(_text(render_selection(found.board)), soft_wrap=True)
    console.print(_text(brief(found.board)), soft_wrap=True)


def _print_layout(layout: Layout, console: Console, suffix: str) -> None:
    shown = Table()
    for i, name in enumerate(layout.header):
        shown.add_column(_text(name), justify="right" if i else "left")
    for row in layout.rows:
        shown.add_row(*(_text(cell.plain, str(cell.style)) for cell in row))
    notes = [_text(f"- {note}") for note in layout.notes]
    console.print(_text(layout.title, "bold"), shown, *notes, sep="\n")
    for command in layout.commands:  # on a line of its own however long, to be copied
        console.print(_text(f"{command}{suffix}"), soft_wrap=True)


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)


def _markdown(layout: Layout) -> str:
    rows = [[_MARKDOWN[str(cell.style)].format(cell.plain) for cell in row] for row in layout.rows]
    parts = [f"## {layout.title}", markdown_table(layout.header, rows)]
    parts += ["\n".join(f"- {note}" for note in layout.notes)] if layout.notes else []
    if layout.commands:
        parts.append("\n".join(["What is missing is run by", "", "```bash", *layout.commands, "```"]))
    return "\n\n".join(parts)
