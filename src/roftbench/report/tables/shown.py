"""The rows of each table as they are shown: networks, and the baselines that belong beside them."""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from roftbench.report.tables.board import TABLE, Board

BASELINE = " †"
_WORDS = {"model": "{}", "split": "{} split", "label_ratio": "{} labels"}
_Row = dict[Any, Any]  # of a data frame


@dataclass(frozen=True)
class ShownTable:
    """Cells of one table, gaps included, in the order of its lines; `key`: those of TABLE."""

    key: tuple[str, str]
    title: str
    rows: list[_Row]

    @property
    def of_baselines(self) -> bool:
        """Whether it has no network."""
        return bool(self.rows[0]["baseline"])

    @property
    def lines(self) -> dict[str, list[_Row]]:
        """The cells of each line by its label."""
        return {label: list(line) for label, line in groupby(self.rows, key=itemgetter("label"))}

    @property
    def data_sets(self) -> list[str]:
        """Names of the data sets, its columns."""
        return list(dict.fromkeys(row["dataset"] for row in self.rows))


def is_scored(row: Mapping[Any, Any]) -> bool:
    """Return whether a cell shows a mean: all its replicates are there, and it is defined."""
    return bool(row["n"] > 0 and num_found(row) == row["n_expected"] and not math.isnan(row["mean"]))


def num_found(row: Mapping[Any, Any]) -> int:
    """Return how many of the replicates that a cell should have are there; a baseline may lack some and have others.

    Tables of models have no `expected`: a cell has none but those of its column.
    """
    if "expected" not in row:
        return int(row["n"])
    return len(set(row["expected"].split()) & set(row["replicates"].split()))


def shown_tables(board: Board) -> list[ShownTable]:
    """Return the tables of networks with matching baselines, then those of baselines on other data sets."""
    full = board.rows
    baselines = full[full["baseline"]]
    found, shown = [], set()
    for key, rows in full[~full["baseline"]].groupby(TABLE, sort=False):
        extra = _baseline_rows(rows, baselines)
        shown |= {(row["home"], row["dataset"], row["method"]) for row in extra}
        found.append(_table(board, key, [*rows.to_dict("records"), *extra]))
    for key, rows in baselines.groupby(TABLE, sort=False):
        own = [{**row, "label": row["label"] + _model(row, board) + BASELINE} for row in rows.to_dict("records")]
        if any(row["n"] and (row["home"], row["dataset"], row["method"]) not in shown for row in own):
            found.append(_table(board, key, own))
    return found


def _table(board: Board, key: Any, rows: list[_Row]) -> ShownTable:
    first = rows[0]
    parts = [_WORDS[part].format(first[part]) for part in board.request.group]
    parts += [] if first["baseline"] else [f"{first['train']} training"]
    return ShownTable((str(key[0]), str(key[1])), " · ".join(parts), rows)


def _model(row: _Row, board: Board) -> str:
    """Return the model to append to a baseline's label where the model is fixed within a table."""
    return f" · {row['model']}" if "model" in board.request.group else ""


def _shared(row: _Row, expected: Set[str]) -> _Row:
    """Return a baseline's cell over the replicates of the networks beside it, where it has these and others."""
    own = row["replicates"].split()
    if not expected < set(own):
        return row
    pairs = [pair for pair in zip(own, row["scores"], strict=True) if pair[0] in expected]
    scores = np.array([score for _, score in pairs])
    shown = {"n": len(pairs), "replicates": " ".join(name for name, _ in pairs), "scores": tuple(scores.tolist())}
    return {**row, **shown, "mean": float(scores.mean()), "std": float(scores.std())}


def _baseline_rows(rows: pd.DataFrame, baselines: pd.DataFrame) -> list[_Row]:
    """Return rows, gaps included, of the baselines with the split, labels, task and versions of a table."""
    if baselines.empty:
        return []
    first = rows.iloc[0]
    columns = rows[["dataset", "metric"]].drop_duplicates()
    same = baselines[baselines["terms"].isin(rows["terms"]) & (baselines["task"] == first["task"])]
    table = {name: first[name] for name in ("datasets", "ranked")}
    designs = rows.drop_duplicates("terms").set_index("terms")[["n_expected", "expected"]]
    found: list[_Row] = []
    for (_, model, label), cells_of in same.groupby(["home", "model", "label"], sort=False):
        line = columns.merge(cells_of, on=["dataset", "metric"], how="left")
        if line["n"].fillna(0).any():
            lead = {name: cells_of.iloc[0][name] for name in ("home", "row", "method", "model", "setting", "task")}
            design = designs.loc[cells_of.iloc[0]["terms"]].to_dict()
            line = line.assign(**lead, **table, **design, baseline=True, average_rank=float("nan"))
            line = line.fillna({"n": 0, "status": "", "replicates": "", "tuned": ""}).astype({"n": int})
            every = frozenset(str(design["expected"]).split())
            named = f"{label}{'' if model in label.split(' · ') else f' · {model}'}{BASELINE}"
            found += [_shared(row, every) for row in line.assign(label=named).to_dict("records")]
    return found
