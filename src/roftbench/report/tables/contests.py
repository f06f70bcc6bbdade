"""Contests of the tables that are shown: their complete rows with the scores of every replicate."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roftbench.report.cell_key import PARTS
from roftbench.report.statistics.contest import Contest, Kind, Row, by_unit, shared_by, test_share, units
from roftbench.report.tables.board import COMPARABLE, Board
from roftbench.report.tables.shown import ShownTable, is_scored

_Row = dict[Any, Any]  # of a data frame


def contests_of(board: Board, tables: Iterable[ShownTable]) -> list[Contest]:
    """Return a contest per table and data set, in the order of the tables; none where rows are not comparable."""
    if not set(COMPARABLE) <= set(board.request.group):
        return []
    return [_contest(board, table, name, rows) for table in tables for name, rows in _by_dataset(table).items()]


def _by_dataset(table: ShownTable) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in table.rows:
        found.setdefault(row["dataset"], []).append(row)
    return found


@dataclass(frozen=True, eq=False)
class Complete:
    """The rows that have a defined score in each of the expected replicates.

    Attributes:
        kept: Their positions among all rows, but those of `constant`.
        constant: Positions of rows whose score is the same in all folds or splits: a test does not apply to them.
        names: The `units`.
        kind: How these differ.
        scores: Scores [n, k] of the k rows `kept` in n units.
    """

    kept: list[int]
    constant: list[int]
    names: list[str]
    kind: Kind
    scores: npt.NDArray[np.float64]


def complete_scores(rows: Sequence[_Row], expected: Sequence[str]) -> Complete:
    """Return the rows that can be compared over the expected replicates, and their scores."""
    names, kind = units(expected)
    kept, constant, columns = list[int](), list[int](), list[list[float]]()
    vary = kind in ("folds", "splits") and len(names) > 1
    for i, row in enumerate(rows):
        if row["n_expected"] and is_scored(row):
            column = by_unit(zip(row["replicates"].split(), row["scores"], strict=True), kind)
            if not column.keys() >= set(names):
                continue
            values = [column[name] for name in names]
            if vary and len(set(values)) == 1:
                constant.append(i)
            else:
                kept.append(i)
                columns.append(values)
    scores = np.array(columns, dtype=np.float64).reshape(len(kept), len(names)).T
    return Complete(kept, constant, names, kind, scores)


def _contest(board: Board, table: ShownTable, dataset: str, rows: list[_Row]) -> Contest:
    first = rows[0]
    found = complete_scores(rows, first["expected"].split())
    complete = {*found.kept, *found.constant}
    own = [row for row in rows if not row["baseline"] or table.of_baselines]
    shared = {part: {str(row[part]) for row in own} for part in PARTS}
    return Contest(
        table=table.title,
        setting=table.key[0],
        task=table.key[1],
        parts={part: values.pop() if len(values) == 1 else "" for part, values in shared.items()},
        dataset=dataset,
        metric=first["metric"],
        rows=tuple(Row(rows[i]["label"], rows[i]["method"], rows[i]["home"]) for i in found.kept),
        replicates=tuple(found.names),
        scores=found.scores,
        kind=found.kind,
        test_share=shared_by(found.kind, _test_share(board, rows), len(found.names)),
        incomplete=tuple(row["label"] for i, row in enumerate(rows) if row["n"] and i not in complete),
        constant=tuple(rows[i]["label"] for i in found.constant),
    )


def _test_share(board: Board, rows: Sequence[_Row]) -> float:
    return next((test_share(board.jobs[row["key"]]["split"]) for row in rows if row["n"]), math.nan)
