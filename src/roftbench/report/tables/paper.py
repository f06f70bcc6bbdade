"""Tables of a paper: data sets in columns with splits or numbers of labels below, methods grouped by mechanism.

A table of a board is for one split and one number of labels. Here those of one model and training setting become one:
what varies of the two is a sub-column; where both vary, there is one table per number of labels. Few columns of both
tasks share a table; many are divided by task, then into several tables.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from rich.text import Text

from roftbench.report.format import amount, dataset_name, mechanism
from roftbench.report.tables.board import Board
from roftbench.report.tables.bounds import bound_rows
from roftbench.report.tables.contests import contests_of
from roftbench.report.tables.layout import best_cells, cell_text
from roftbench.report.tables.shown import is_scored, shown_tables

MAX_COLUMNS = 9  # of scores side by side: more would be unreadable at the width of a page
RANK = "Avg. rank"
MECHANISMS = {  # roles and families of methods, in order
    "baseline": "Baselines",
    "full": "Full fine-tuning",
    "weight": "Weight-based",
    "representation": "Representation-based",
    "partial": "Partial",
    "parameter-efficient": "Parameter-efficient",
    "ensemble": "Ensembles",
    "estimator": "Estimators",
    "other": "Other",
    "proposed": "Proposed",
}
_AXES = ("split", "label_ratio")
_Row = dict[Any, Any]  # of a data frame
_Best = set[tuple[str, str, str]]  # data set, home and method of cells in bold


@dataclass(frozen=True)
class Column:
    """A column of scores.

    Attributes:
        group: title of the data set, or RANK.
        metric: its name in METRICS; "" for ranks.
        sub: split or number of labels.
        section: index of the section of the board that its cells come from.
        dataset: name in the rows of that section; "" for ranks.
    """

    group: str
    metric: str
    sub: str
    section: int
    dataset: str


@dataclass(frozen=True)
class Line:
    """A method: its label, and its row and text by column, where there are some."""

    label: str
    mechanism: str
    rows: Mapping[Column, _Row]
    texts: Mapping[Column, Text]


@dataclass(frozen=True)
class PaperTable:
    """A table.

    Attributes:
        fixed: what all columns share, by part: "model", "split", "label_ratio", "train"; a part that is absent varies.
        columns: columns with neighbors of one `group` side by side.
        lines: methods in order, those of one mechanism side by side.
        bounds: texts by label and column.
        part: number of this table and of all that belong together, from 1.
    """

    fixed: Mapping[str, str]
    columns: Sequence[Column]
    lines: Sequence[Line]
    bounds: Mapping[str, Mapping[Column, str]]
    part: tuple[int, int]

    @property
    def metrics(self) -> list[str]:
        """The metrics of the columns."""
        return list(dict.fromkeys(column.metric for column in self.columns if column.metric))

    @property
    def scored(self) -> list[_Row]:
        """The rows of all cells that show a mean."""
        rows = (row for line in self.lines for column, row in line.rows.items() if column.dataset)
        return [row for row in rows if is_scored(row)]


def paper_tables(board: Board, digits: int = 3) -> Iterator[PaperTable]:
    """Yield the tables of a board, with `metric=all` those of each metric; `digits`: decimals of bounds."""
    for one in board.panel():
        yield from _tables_of(one, digits)


def _tables_of(board: Board, digits: int) -> Iterator[PaperTable]:
    shown = shown_tables(board)
    contests = contests_of(board, shown)
    found = [table.rows for table in shown]
    best = [best_cells(one for one in contests if (one.setting, one.task) == table.key) for table in shown]
    both = all(len({rows[0][axis] for rows in found}) > 1 for axis in _AXES)
    outside = ["model", "train", "baseline", *(["label_ratio"] if both else [])]
    together: dict[tuple[Any, ...], list[int]] = {}
    for i, rows in enumerate(found):
        together.setdefault(tuple(_fixed(board, rows[0], name) for name in outside), []).append(i)
    for indices in together.values():
        yield from _divided(board, found, best, indices, digits)


def _fixed(board: Board, row: _Row, part: str) -> Any:
    return "" if part == "model" and "model" not in board.request.group else row[part]


def _divided(
    board: Board, found: Sequence[list[_Row]], best: Sequence[_Best], indices: Sequence[int], digits: int
) -> Iterator[PaperTable]:
    """Yield the tables of some sections, which differ in task, and in split or label ratio."""
    first = found[indices[0]][0]
    axis = next((axis for axis in _AXES if len({found[i][0][axis] for i in indices}) > 1), "")
    groups = _groups(found, indices, axis)
    parts = list(_parts(groups))
    fixed = {name: _fixed(board, first, name) for name in ("model", *_AXES, "train") if name != axis}
    bounds = {i: bound_rows(board, found[i], digits) for i in indices}
    for number, columns in enumerate(parts, start=1):
        lines = [line for line in _lines(found, best, indices, columns) if line.rows]
        yield PaperTable(fixed, columns, lines, _bounds(bounds, columns), (number, len(parts)))


def _groups(found: Sequence[list[_Row]], indices: Sequence[int], axis: str) -> dict[str, list[list[Column]]]:
    """Return the columns of each data set, and of ranks, by task."""
    columns: dict[tuple[str, bool, str], list[Column]] = {}
    for i in sorted(indices, key=lambda i: amount(found[i][0]["label_ratio"]) if axis == "label_ratio" else ()):
        first, sub = found[i][0], found[i][0][axis] if axis else ""
        for row in {row["dataset"]: row for row in found[i]}.values():
            column = Column(dataset_name(row["dataset"]), row["metric"], sub, i, row["dataset"])
            columns.setdefault((first["task"], False, column.group), []).append(column)
        if first["ranked"]:
            columns.setdefault((first["task"], True, RANK), []).append(Column(RANK, "", sub, i, ""))
    found_groups: dict[str, list[list[Column]]] = {}
    for (task, _, _), group in sorted(columns.items(), key=lambda item: (item[0][0] == "classification", item[0])):
        found_groups.setdefault(task, []).append(group)
    return found_groups


def _parts(groups: Mapping[str, list[list[Column]]]) -> Iterator[list[Column]]:
    """Yield the columns of each table; a data set is never divided."""
    if sum(len(group) for of_task in groups.values() for group in of_task) <= MAX_COLUMNS:
        yield [column for of_task in groups.values() for group in of_task for column in group]
        return
    for of_task in groups.values():
        fitting = max(1, MAX_COLUMNS // max(map(len, of_task)))
        for chosen in np.array_split(np.arange(len(of_task)), math.ceil(len(of_task) / fitting)):
            yield [column for i in chosen for column in of_task[i]]


def _lines(
    found: Sequence[list[_Row]], best: Sequence[_Best], indices: Sequence[int], columns: Sequence[Column]
) -> list[Line]:
    """Return the methods of some sections with their cells in some columns, in the order of MECHANISMS."""
    labels: dict[str, tuple[Any, ...]] = {}
    cells: dict[tuple[int, str, str], _Row] = {}
    for i in indices:
        for row in found[i]:
            kind = mechanism(row["method"])
            labels.setdefault(row["label"], (list(MECHANISMS).index(kind), row["order"], row["label"], kind))
            cells[i, row["label"], row["dataset"]] = row
            cells[i, row["label"], ""] = row  # of ranks: equal in all data sets
    lines = []
    for label, (*_, kind) in sorted(labels.items(), key=itemgetter(1)):
        at = ((column, cells.get((column.section, label, column.dataset))) for column in columns)
        rows = {column: row for column, row in at if row is not None}
        shown = any(row["n"] for column, row in rows.items() if column.dataset)
        texts = {
            column: cell_text(row, is_best=(row["dataset"], row["home"], row["method"]) in best[column.section])
            for column, row in rows.items()
            if column.dataset
        }
        lines.append(Line(label, MECHANISMS[kind], rows if shown else {}, texts))
    return lines


def _bounds(
    of_section: Mapping[int, Mapping[str, Mapping[str, str]]], columns: Sequence[Column]
) -> dict[str, dict[Column, str]]:
    found: dict[str, dict[Column, str]] = {}
    for column in columns:
        for label, texts in of_section[column.section].items():
            if column.dataset in texts:
                found.setdefault(label, {})[column] = texts[column.dataset]
    return found


def neighbors(columns: Sequence[Column]) -> list[list[Column]]:
    """Return the columns by `group` and metric, neighbors together."""
    return [list(group) for _, group in groupby(columns, key=lambda column: (column.group, column.metric))]
