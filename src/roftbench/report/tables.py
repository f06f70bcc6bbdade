"""Cells and ranks -> Markdown, CSV, JSON and the terminal."""

import json
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from roftbench.errors import UsageError
from roftbench.files import write_text
from roftbench.report.aggregate import PARTS, cells, long_table, mean_rank, sign
from roftbench.report.text import METHODS, MISSING, markdown_table, method_name, metric_name, rank, score

LEGEND = """\
Cells: mean ± standard deviation (ddof 0) of the test score over seeds, and the number of seeds. **Best** and
<u>second</u> are among the cells that have all seeds of their table; `3/5`: only 3 of its 5 seeds are there;
`--`: no job; `undefined`: the metric is undefined in some seed. Hyperparameters are selected by the mean
validation score over seeds."""
OUTSIDE = "† no network and none of the nine methods: takes no part in average ranks, bold and underline."
_Row = dict[Any, Any]  # of a data frame
_MARKS = {1: "bold", 2: "underline"}
_MARKDOWN = {"bold": "**{}**", "underline": "<u>{}</u>", "": "{}"}


@dataclass(frozen=True)
class _Layout:
    """One table, before it is Markdown or a terminal's."""

    title: str
    header: list[str]
    rows: list[list[Text]]  # style: one of _MARKDOWN
    notes: list[str]


def write_tables(records: list[dict[str, Any]], out_dir: Path, source: Path) -> list[Path]:
    """Write leaderboard.md and leaderboard.csv into `out_dir`, each replaced as a whole; returns their paths.

    `source` is where the caller read the records: the UsageError for no finished job among them names it.
    """
    table = cells(finished(records, source))
    ranks = mean_rank(table)
    contents = {
        "leaderboard.md": f"# Leaderboard\n\n{render_markdown(table, ranks)}",
        "leaderboard.csv": to_frame(table, ranks).to_csv(index=False, lineterminator="\n"),
    }
    for name, text in contents.items():
        write_text(out_dir / name, text)
    return [out_dir / name for name in contents]


def finished(records: list[dict[str, Any]], source: Path) -> pd.DataFrame:
    """Return the long table of records; raises UsageError, naming their source, if there is no finished one."""
    long = long_table(records)
    if long.empty:
        raise UsageError(f"no finished jobs under {source}: run `roftbench run method=… dataset=…` first")
    return long


def to_frame(table: pd.DataFrame, ranks: pd.DataFrame) -> pd.DataFrame:
    """A row per cell, the missing ones of each table included (n = 0), in the order of the printed tables.

    Columns: model, split, label_ratio, train, task, dataset, metric, method, params (JSON), mean, std
    (ddof 0), n, n_expected (the largest n of the table: setting and task), average_rank.
    """
    columns = [*PARTS, "task", "dataset", "metric", "method", "params", "mean", "std", "n", "n_expected"]
    return _complete(table, ranks)[[*columns, "average_rank"]].reset_index(drop=True)


def to_json(table: pd.DataFrame, ranks: pd.DataFrame) -> str:
    """The rows of `to_frame` as a JSON list; params as an object, null for what is missing or undefined."""
    rows = to_frame(table, ranks).to_dict("records")
    plain = [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in rows]
    for row in plain:
        row["params"] = row["params"] and json.loads(row["params"])
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)


def render_markdown(table: pd.DataFrame, ranks: pd.DataFrame) -> str:
    """One Markdown table per setting and task of `cells` and `mean_rank`, with its notes."""
    blocks = [LEGEND]
    for layout in _layouts(table, ranks):
        rows = [[_MARKDOWN[str(cell.style)].format(cell.plain) for cell in row] for row in layout.rows]
        blocks += [f"## {layout.title}", markdown_table(layout.header, rows)]
        blocks += ["\n".join(f"- {note}" for note in layout.notes)] if layout.notes else []
    return "\n\n".join(blocks) + "\n"


def print_rich(table: pd.DataFrame, ranks: pd.DataFrame, console: Console) -> None:
    """Print the same tables and notes to a terminal."""
    for layout in _layouts(table, ranks):
        shown = Table()
        for i, name in enumerate(layout.header):
            shown.add_column(Text(name), justify="right" if i else "left")
        for row in layout.rows:
            shown.add_row(*row)
        notes = [Text(f"- {note}") for note in layout.notes]
        console.print(Text(layout.title, "bold"), shown, *notes, sep="\n")


def _complete(table: pd.DataFrame, ranks: pd.DataFrame) -> pd.DataFrame:
    """`cells` with the gaps as rows; and n_expected, average_rank, datasets, and place in its column."""
    of_table = ["setting", *PARTS, "terms", "baseline", "task"]
    columns = table[[*of_table, "dataset", "metric"]].drop_duplicates()
    grid = columns.merge(table[[*of_table, "method"]].drop_duplicates(), on=of_table)
    full = grid.merge(table, on=list(grid.columns), how="left").merge(ranks, on=["setting", "task", "method"])
    full["n"] = full["n"].fillna(0).astype(int)
    full["n_expected"] = full.groupby(["setting", "task"])["n"].transform("max")
    loss = (full["mean"] * sign(full["metric"])).where(full["n"] == full["n_expected"])
    full["place"] = loss.groupby([full["setting"], full["dataset"]]).rank(method="min").mask(full["baseline"])
    full["label"] = full["method"].map(method_name) + full["baseline"].map({True: " †", False: ""})
    full["order"] = full["method"].map({name: i for i, name in enumerate(METHODS)}).fillna(len(METHODS))
    return full.sort_values([*PARTS, "task", "setting", "order", "method", "dataset"])


def _layouts(table: pd.DataFrame, ranks: pd.DataFrame) -> list[_Layout]:
    """The tables of networks, each with the baselines under its terms; then what baselines have on other data sets."""
    full = _complete(table, ranks)
    baselines = full[full["baseline"]]
    layouts, shown = [], set()
    for _, rows in full[~full["baseline"]].groupby(["setting", "task"], sort=False):
        extra = _baseline_rows(rows, baselines)
        shown |= {(row["setting"], row["dataset"], row["method"]) for row in extra}
        layouts.append(_layout([*rows.to_dict("records"), *extra]))
    for _, rows in baselines.groupby(["setting", "task"], sort=False):
        own = rows.to_dict("records")
        if any(row["n"] and (row["setting"], row["dataset"], row["method"]) not in shown for row in own):
            layouts.append(_layout(own))
    return layouts


def _baseline_rows(rows: pd.DataFrame, baselines: pd.DataFrame) -> list[_Row]:
    """The baselines on the data sets of a table, gaps included, where split, labels, task and versions are its own."""
    first = rows.iloc[0]
    columns = rows[["dataset", "metric"]].drop_duplicates()
    same = baselines[(baselines["terms"] == first["terms"]) & (baselines["task"] == first["task"])]
    found: list[_Row] = []
    for (_, model, method), cells_of in same.groupby(["setting", "model", "method"], sort=False):
        line = columns.merge(cells_of, on=["dataset", "metric"], how="left")
        if line["n"].fillna(0).any():
            line["n"] = line["n"].fillna(0).astype(int)
            label = f"{method_name(method)} · {model} †"
            found += line.assign(label=label, baseline=True, n_expected=first["n_expected"]).to_dict("records")
    return found


def _layout(rows: list[_Row]) -> _Layout:
    """The table of `rows`: all methods x data sets of one setting and task, method by method."""
    first = rows[0]
    training = "" if first["baseline"] else f" · {first['train']} training"
    metrics = {row["dataset"]: metric_name(row["metric"]) for row in rows}
    shared = sorted(set(metrics.values()))
    header = [name if len(shared) == 1 else f"{name} ({metric})" for name, metric in metrics.items()]
    by_label = {label: list(line) for label, line in groupby(rows, key=itemgetter("label"))}
    return _Layout(
        title=f"{first['model']} · {first['split']} split · {first['label_ratio']} labels{training}"
        f" · {', '.join(shared)}",
        header=["Method", *header, "Avg. rank"],
        rows=[[Text(label), *map(_cell, line), Text(rank(line[0]))] for label, line in by_label.items()],
        notes=_notes(rows, by_label, len(metrics)),
    )


def _notes(rows: list[_Row], by_label: dict[str, list[_Row]], datasets: int) -> list[str]:
    notes = []
    if short := [
        f"{row['label']} on {row['dataset']} ({row['n']}/{row['n_expected']})"
        for row in rows
        if 0 < row["n"] < row["n_expected"]
    ]:
        notes.append(f"Fewer seeds than the table's: {', '.join(short)}.")
    ranked = rows[0]["datasets"]
    if ranked < datasets and not rows[0]["baseline"]:
        notes.append(f"Average rank over {ranked} of {datasets} data sets: those that every method has in full.")
    for label, line in by_label.items():
        tuned = [f"{row['dataset']}: {row['tuned']}" for row in line if row["n"] and row["tuned"]]
        if tuned:
            notes.append(f"{label}, selected: {'; '.join(tuned)}.")
    return [*notes, OUTSIDE] if any(row["baseline"] for row in rows) else notes


def _cell(row: _Row) -> Text:
    if row["n"] == 0:
        return Text(MISSING)
    if row["n"] < row["n_expected"]:
        return Text(f"{row['n']}/{row['n_expected']}")
    return Text(score(row), _MARKS.get(row["place"], ""))
