"""Tables of a board, independent of their output format."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd
from rich.text import Text

from roftbench.report.format import MISSING, method_name, method_order, metric_name, rank, score
from roftbench.report.tables.board import TABLE, Board
from roftbench.report.tables.footnotes import notes_of
from roftbench.report.tables.missing import Filler
from roftbench.report.tables.seen import mark_of

BASELINE, BY_TEST = " †", " §"
MARKS = {1: "bold", 2: "underline"}
_Row = dict[Any, Any]  # of a data frame


@dataclass(frozen=True)
class Layout:
    """One table. A cell's style is one of MARKS or empty; commands run what is missing."""

    title: str
    header: list[str]
    rows: list[list[Text]]
    notes: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Leaderboard:
    """A board with its tables, and those of average ranks over all blocks."""

    board: Board
    tables: list[Layout]
    ranks: list[Layout]

    @classmethod
    def create(cls, board: Board) -> "Leaderboard":
        """Arrange a board."""
        return cls(board, _tables(board), list(_overall(board)))


def _tables(board: Board) -> list[Layout]:
    """Return the tables of networks with matching baselines, then those of baselines on other data sets."""
    full = board.rows
    baselines = full[full["baseline"]]
    by_test = dict(list(board.by_test.groupby(TABLE)))
    filler = Filler(board)
    found, shown = [], set()
    for key, rows in full[~full["baseline"]].groupby(TABLE, sort=False):
        extra = _baseline_rows(rows, baselines)
        shown |= {(row["home"], row["dataset"], row["method"]) for row in extra}
        tested = by_test.get(key, board.by_test.head(0))
        found.append(_layout(board, [*rows.to_dict("records"), *extra], tested.to_dict("records"), filler))
    for _, rows in baselines.groupby(TABLE, sort=False):
        own = [{**row, "label": row["label"] + _model(row, board) + BASELINE} for row in rows.to_dict("records")]
        if any(row["n"] and (row["home"], row["dataset"], row["method"]) not in shown for row in own):
            found.append(_layout(board, own, [], filler))
    return found


def _overall(board: Board) -> Iterator[Layout]:
    """Yield tables of average ranks over all blocks, one per training setting and model (or all models)."""
    for (train, model), section in board.overall.groupby(["train", "model"], sort=False):
        counts = section.drop_duplicates("scope").set_index("scope")
        scopes = list(counts.index)
        ranks = section.pivot(index="method", columns="scope", values="average_rank")
        blocks = [f"{scope} ({counts['blocks'][scope]} of {counts['of'][scope]} blocks)" for scope in scopes]
        best = ranks.rank(method="min")
        rows = [
            [Text(method_name(method)), *(_rank(ranks[scope][method], best[scope][method]) for scope in scopes)]
            for method in sorted(ranks.index, key=method_order)
        ]
        yield Layout(f"Average rank over everything · {model} · {train} training", ["Method", *blocks], rows)


def _rank(value: float, place: float) -> Text:
    return Text(MISSING) if value != value else Text(f"{value:.2f}", MARKS.get(int(place), ""))


def _model(row: _Row, board: Board) -> str:
    """Return the model to append to a baseline's label where the model is fixed within a table."""
    return f" · {row['model']}" if "model" in board.request.group else ""


def _baseline_rows(rows: pd.DataFrame, baselines: pd.DataFrame) -> list[_Row]:
    """Return rows, gaps included, of the baselines with the split, labels, task and versions of a table."""
    if baselines.empty:
        return []
    first = rows.iloc[0]
    columns = rows[["dataset", "metric"]].drop_duplicates()
    same = baselines[baselines["terms"].isin(rows["terms"]) & (baselines["task"] == first["task"])]
    table = {name: first[name] for name in ("n_expected", "expected", "datasets", "ranked")}
    found: list[_Row] = []
    for (_, model, label), cells_of in same.groupby(["home", "model", "label"], sort=False):
        line = columns.merge(cells_of, on=["dataset", "metric"], how="left")
        if line["n"].fillna(0).any():
            lead = {name: cells_of.iloc[0][name] for name in ("home", "row", "method", "model", "setting", "task")}
            line = line.assign(**lead, **table, baseline=True, average_rank=float("nan"))
            line = line.fillna({"n": 0, "status": "", "replicates": "", "tuned": ""}).astype({"n": int})
            named = f"{label}{'' if model in label.split(' · ') else f' · {model}'}{BASELINE}"
            found += line.assign(label=named).to_dict("records")
    return found


def _layout(board: Board, rows: list[_Row], tested: list[_Row], filler: Filler) -> Layout:
    """Return the table of `rows`; `tested`: cells of selection on test scores."""
    first = rows[0]
    metrics = {row["dataset"]: metric_name(row["metric"]) for row in rows}
    shared = sorted(set(metrics.values()))
    header = [name if len(shared) == 1 else f"{name} ({metric})" for name, metric in metrics.items()]
    words = {"model": "{}", "split": "{} split", "label_ratio": "{} labels"}
    parts = [words[part].format(first[part]) for part in board.request.group]
    parts += [] if first["baseline"] else [f"{first['train']} training"]
    by_label = {label: list(line) for label, line in groupby(rows, key=itemgetter("label"))}
    shown = []
    for label, line in by_label.items():
        shown.append([Text(label), *map(_cell, line), *([Text(rank(line[0]))] if first["ranked"] else [])])
        beside = {row["dataset"]: row for row in tested if row["row"] == line[0]["row"] and not line[0]["baseline"]}
        if beside:
            cells = [
                Text(f"{score(beside[name])}{mark_of(beside[name])}") if name in beside else Text("")
                for name in metrics
            ]
            shown.append([Text(f"{label}{BY_TEST}"), *cells, *([Text("")] if first["ranked"] else [])])
    jobs, reasons = filler.missing(rows)
    return Layout(
        title=" · ".join([*parts, ", ".join(shared)]),
        header=["Method", *header, *(["Avg. rank"] if first["ranked"] else [])],
        rows=shown,
        notes=[*notes_of(board, rows, by_label, tested, len(metrics)), *reasons],
        commands=jobs,
    )


def _cell(row: _Row) -> Text:
    if row["n"] == 0:
        return Text({"failed": "failed", "skipped": "n/a"}.get(row["status"], MISSING))
    if row["n"] < row["n_expected"]:
        return Text(f"{row['n']}/{row['n_expected']}{mark_of(row)}")
    return Text(f"{score(row)}{mark_of(row)}", MARKS.get(row["place"], ""))
