"""Contests of the tables that are shown: their complete rows with the scores of every replicate."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from roftbench.report.statistics.contest import Contest, Kind, Row
from roftbench.report.tables.board import COMPARABLE, Board
from roftbench.report.tables.shown import ShownTable, is_scored

PARTS = ("model", "split", "label_ratio", "train")
_SEED = re.compile(r"^[^/@]*")  # of a replicate: seed, seed@fold, or either with /split seed/subset seed
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


def units(replicates: Iterable[str]) -> tuple[list[str], Kind]:
    """Return what is compared pairwise, in order, and how it differs: folds, splits or subsets, else seeds.

    Several seeds of one fold, split or subset are not independent: they are averaged, and count once.
    """
    replicates = list(replicates)
    names = list(dict.fromkeys(_SEED.sub("", one) for one in replicates))
    if len(names) < 2:
        return replicates, "seeds"
    if any("@" in one for one in replicates):
        return names, "folds"
    return names, "splits" if len({one.split("/")[1] for one in replicates}) > 1 else "subsets"


def complete_scores(
    rows: Sequence[_Row], expected: Sequence[str]
) -> tuple[list[int], list[str], Kind, npt.NDArray[np.float64]]:
    """Return which rows have a defined score in each of the expected replicates, the `units` and scores [n, k]."""
    names, kind = units(expected)
    kept, columns = [], []
    for i, row in enumerate(rows):
        if row["n_expected"] and is_scored(row):
            column = _by_unit(zip(row["replicates"].split(), row["scores"], strict=True), kind)
            if column.keys() >= set(names):
                kept.append(i)
                columns.append([column[name] for name in names])
    return kept, names, kind, np.array(columns, dtype=np.float64).reshape(len(kept), len(names)).T


def _contest(board: Board, table: ShownTable, dataset: str, rows: list[_Row]) -> Contest:
    first = rows[0]
    complete, names, kind, scores = complete_scores(rows, first["expected"].split())
    varies = (
        np.ptp(scores, axis=0) > 0 if kind in ("folds", "splits") and len(names) > 1 else np.ones(len(complete), bool)
    )
    kept, scores = [i for i, one in zip(complete, varies, strict=True) if one], scores[:, varies]
    own = [row for row in rows if not row["baseline"] or table.of_baselines]
    shared = {part: {str(row[part]) for row in own} for part in PARTS}
    return Contest(
        table=table.title,
        setting=table.key[0],
        task=table.key[1],
        parts={part: values.pop() if len(values) == 1 else "" for part, values in shared.items()},
        dataset=dataset,
        metric=first["metric"],
        rows=tuple(Row(rows[i]["label"], rows[i]["method"], rows[i]["home"]) for i in kept),
        replicates=tuple(names),
        scores=scores,
        kind=kind,
        test_share=0.0 if kind in ("seeds", "subsets") else _test_share(board, rows, kind, len(names)),
        incomplete=tuple(row["label"] for i, row in enumerate(rows) if row["n"] and i not in complete),
        constant=tuple(rows[i]["label"] for i in complete if i not in kept),
    )


def _by_unit(scores: Iterable[tuple[str, float]], kind: Kind) -> dict[str, float]:
    """Return the mean score of each unit, the replicates without their seed unless seeds are what differs."""
    found: dict[str, list[float]] = {}
    for replicate, score in scores:
        found.setdefault(replicate if kind == "seeds" else _SEED.sub("", replicate), []).append(score)
    return {name: sum(values) / len(values) for name, values in found.items()}


def _test_share(board: Board, rows: Sequence[_Row], kind: Kind, count: int) -> float:
    """Return the share of test molecules among those of training and test, in a fold or split."""
    params: dict[str, Any] = next((board.jobs[row["key"]]["split"].get("params", {}) for row in rows if row["n"]), {})
    if kind == "folds":
        return 1 / int(params.get("folds") or count)
    train, _, test = params.get("fractions") or (0.8, 0.1, 0.1)
    return float(test / (train + test))
