"""Selection on test scores beside the honest one, on validation scores; its result must not be reported as a score."""

import numpy as np
import pandas as pd

from roftbench.report.aggregate import CELL, cells, sign
from roftbench.report.format import MISSING, markdown_table, method_name, method_order
from roftbench.report.tables.board import Board

WARNING = """\
These numbers are NOT REPORTABLE as scores: the test labels chose the hyperparameters. Of each method's cells with a
choice: in how many the choice would have been another, and how much better the mean test score would then look, in % of
the honestly selected one (the mean over all these cells; regression and classification apart)."""
_HEADER = ["Method", "Cells", "Other choice", "Regression, %", "Classification, %"]


def selection_gap(long: pd.DataFrame) -> pd.DataFrame:
    """Compare both selections of `long_table` in the cells that had a choice and all of whose scores are defined.

    Columns: those of CELL, task, other (whether test selection chooses other params), gain (how much better the mean
    of the data set's own test score then is, in % of the honest one; NaN where that is zero).
    """
    own = long.assign(test=long["test_own"], metric=long["own"])
    honest, tested = (cells(own, by).set_index(CELL) for by in ("val", "test"))
    chosen = honest[(honest["tuned"] != "") & honest["mean"].notna() & tested["mean"].notna()]
    other = tested.loc[chosen.index]
    change = (chosen["mean"] - other["mean"]) * sign(chosen["metric"])
    frame = chosen.reset_index()[[*CELL, "task"]]
    frame["other"] = (chosen["params"] != other["params"]).to_numpy()
    frame["gain"] = (100 * change / chosen["mean"].abs().replace(0, np.nan)).to_numpy()
    return frame


def render_selection(board: Board) -> str:
    """Return the comparison of both selections as a section of Markdown, one row per method."""
    gap = selection_gap(board.long)
    title = "## Selection on test scores (NOT REPORTABLE)"
    if gap.empty:
        return f"{title}\n\nNo cell had a choice of hyperparameters."
    methods = sorted(set(gap["method"]), key=method_order)
    rows = [_line(method_name(name), gap[gap["method"] == name]) for name in methods]
    rows += [_line("all", gap)] if len(rows) > 1 else []
    return f"{title}\n\n{WARNING}\n\n{markdown_table(_HEADER, rows)}"


def _line(name: str, gap: pd.DataFrame) -> list[str]:
    gains = [gap[gap["task"] == task]["gain"].mean() for task in ("regression", "classification")]
    return [
        name,
        str(len(gap)),
        str(int(gap["other"].sum())),
        *(MISSING if np.isnan(x) else f"{x:+.2f}" for x in gains),
    ]
