"""Tables of a board, independent of their output format."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.text import Text

from roftbench.report.format import MISSING, method_name, method_order, metric_name, rank, score
from roftbench.report.statistics.contest import Contest
from roftbench.report.tables.board import TABLE, Board
from roftbench.report.tables.bounds import bound_notes, bound_rows
from roftbench.report.tables.contests import contests_of
from roftbench.report.tables.footnotes import notes_of
from roftbench.report.tables.missing import Filler
from roftbench.report.tables.seen import mark_of
from roftbench.report.tables.shown import ShownTable, num_found, shown_tables

BY_TEST = " §"
BETWEEN = " · "  # between the parts of a title, of which the metric is the last
BEST = "bold"  # style of a cell that is not distinguishable from the best of its column
_Row = dict[Any, Any]  # of a data frame


@dataclass(frozen=True)
class Layout:
    """One table. A cell's style is BEST or empty; commands run what is missing."""

    title: str
    header: list[str]
    rows: list[list[Text]]
    notes: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Leaderboard:
    """A board with its tables, those of average ranks over all blocks, and the contests in each table's columns.

    `shown` are the rows of the tables by each data set's own metric.
    """

    board: Board
    tables: list[Layout]
    ranks: list[Layout]
    contests: list[Contest]
    shown: list[ShownTable] = field(default_factory=list)

    @classmethod
    def create(cls, board: Board) -> "Leaderboard":
        """Arrange a board."""
        tables, contests, shown = _tables(board)  # comparisons are by each data set's own metric
        if len(panel := board.panel()) > 1:
            tables = _beside([_tables(one)[0] for one in panel])
        return cls(board, tables, list(_overall(board)), contests, shown)


def best_cells(contests: Iterable[Contest]) -> set[tuple[str, str, str]]:
    """Return data set, home and method of the cells that cannot be told from the best of their column."""
    return {(one.dataset, one.rows[i].home, one.rows[i].method) for one in contests for i in one.best_set}


def _tables(board: Board) -> tuple[list[Layout], list[Contest], list[ShownTable]]:
    """Return the tables of a board, the contests in their columns, and their rows."""
    shown = shown_tables(board)
    contests = contests_of(board, shown)
    by_test, filler = dict(list(board.by_test.groupby(TABLE))), Filler(board)
    tables = [
        _layout(
            board,
            table,
            [] if table.of_baselines else by_test.get(table.key, board.by_test.head(0)).to_dict("records"),
            filler,
            [one for one in contests if (one.setting, one.task) == table.key],
        )
        for table in shown
    ]
    return tables, contests, shown


def _beside(panel: Sequence[list[Layout]]) -> list[Layout]:
    """Return the tables by each metric side by side, with each note once."""
    groups: dict[str, list[Layout]] = {}
    for layout in (layout for tables in panel for layout in tables):
        group = groups.setdefault(layout.title.rpartition(BETWEEN)[0], [])
        notes = [note for note in layout.notes if not any(note in one.notes for one in group)]
        commands = [words for words in layout.commands if not any(words in one.commands for one in group)]
        group.append(replace(layout, notes=notes, commands=commands))
    return [layout for group in groups.values() for layout in group]


def _overall(board: Board) -> Iterator[Layout]:
    """Yield tables of average ranks over all blocks, one per training setting and model (or all models)."""
    for (train, model), section in board.overall.groupby(["train", "model"], sort=False):
        counts = section.drop_duplicates("scope").set_index("scope")
        scopes = list(counts.index)
        ranks = section.pivot(index="method", columns="scope", values="average_rank")
        blocks = [f"{scope} ({counts['blocks'][scope]} of {counts['of'][scope]} blocks)" for scope in scopes]
        rows = [
            [Text(method_name(method)), *(_rank(ranks[scope][method]) for scope in scopes)]
            for method in sorted(ranks.index, key=method_order)
        ]
        yield Layout(f"Average rank over everything · {model} · {train} training", ["Method", *blocks], rows)


def _rank(value: float) -> Text:
    return Text(MISSING if value != value else f"{value:.2f}")


def _layout(board: Board, table: ShownTable, tested: list[_Row], filler: Filler, contests: Sequence[Contest]) -> Layout:
    """Return a table; `tested`: its cells of selection on test scores, `contests`: those of its columns."""
    rows, first = table.rows, table.rows[0]
    metrics = {row["dataset"]: metric_name(row["metric"]) for row in rows}
    shared = sorted(set(metrics.values()))
    header = [name if len(shared) == 1 else f"{name} ({metric})" for name, metric in metrics.items()]
    best = best_cells(contests)
    by_label = table.lines
    shown = []
    for label, line in by_label.items():
        cells = [cell_text(row, is_best=(row["dataset"], row["home"], row["method"]) in best) for row in line]
        shown.append([Text(label), *cells, *([Text(rank(line[0]))] if first["ranked"] else [])])
        beside = {row["dataset"]: row for row in tested if row["row"] == line[0]["row"] and not line[0]["baseline"]}
        if beside:
            cells = [
                Text(f"{score(beside[name])}{mark_of(beside[name])}") if name in beside else Text("")
                for name in metrics
            ]
            shown.append([Text(f"{label}{BY_TEST}"), *cells, *([Text("")] if first["ranked"] else [])])
    bounds = bound_rows(board, rows)
    for label, texts in bounds.items():
        shown.append(
            [Text(cell) for cell in [label, *(texts.get(name, "") for name in metrics), *[""] * first["ranked"]]]
        )
    jobs, reasons = filler.missing(rows)
    return Layout(
        title=BETWEEN.join([table.title, ", ".join(shared)]),
        header=["Method", *header, *(["Avg. rank"] if first["ranked"] else [])],
        rows=shown,
        notes=[*notes_of(board, rows, by_label, tested, contests), *bound_notes(rows, bounds), *reasons],
        commands=jobs,
    )


def cell_text(row: _Row, *, is_best: bool) -> Text:
    """Return a cell as tables show it; its style is BEST or empty."""
    if row["n"] == 0:
        return Text({"failed": "failed", "skipped": "n/a"}.get(row["status"], MISSING))
    if (found := num_found(row)) < row["n_expected"]:
        return Text(f"{found}/{row['n_expected']}{mark_of(row)}")
    return Text(f"{score(row)}{mark_of(row)}", BEST if is_best else "")
