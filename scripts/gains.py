"""Gains of models and methods over others in committed scores; the unit is the data set.

Its columns (splits, label counts, learners) are averaged first and give one observation.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from roftbench.report.aggregate import cells, complete_losses, long_table, sign
from roftbench.report.scores import read_scores
from roftbench.report.statistics.inference import ALPHA, MIN_PAIRS, bootstrap_interval, signed_rank

ROOT = Path(__file__).resolve().parents[1]
HEADER = ["comparison", "where", "data sets", "ahead on", "mean gain, %", "95 % interval", "p", "told apart", "needed"]
WORTH = 2.0  # %, the gain for which `needed` counts data sets
POWER = 1.96 + 0.84  # quantiles of the normal distribution: two-sided 0.05, power 0.8


@cache
def scores(folder: str, *, pool: bool = False) -> pd.DataFrame:
    """Return the cells of a folder of results that have all seeds or folds."""
    [path] = (ROOT / "results" / folder).glob("scores.csv*")
    table = cells(long_table(read_scores(path)[0], pool=pool))
    return table[complete_losses(table).notna()]


def gains(table: pd.DataFrame, which: str, first: Sequence[str], others: Sequence[str]) -> "pd.Series[float]":
    """Return how much better the mean score of `first` is than that of `others` on each data set, in %.

    `which` is the column ("model" or "method") that tells them apart. Of an error the gain is its relative reduction,
    of other metrics their relative rise.
    """
    columns = ["dataset", "split", "label_ratio", "metric", *["method"] * (which == "model")]
    wide = table.pivot_table(index=columns, columns=which, values="mean")[[*first, *others]].dropna()
    own, rival = wide[list(first)].mean(axis="columns"), wide[list(others)].mean(axis="columns")
    losses = sign(wide.index.get_level_values("metric").to_series(wide.index))
    found: pd.Series[float] = (100 * losses * (rival - own) / rival).groupby("dataset").mean()
    return found


def signed(value: float) -> str:
    """Return a number with its sign and one decimal."""
    return f"{value:+.1f}".replace("-", "−")


def row(comparison: str, where: str, found: "pd.Series[float]") -> list[str]:
    """Return a row of `HEADER` for the gains on data sets."""
    values = np.array(found, np.float64)
    p, ranks = signed_rank(values)
    low, high = bootstrap_interval(values)
    told = "too few" if len(values) < MIN_PAIRS else "no" if not p < ALPHA else "better" if ranks > 0 else "worse"
    needed = math.ceil((POWER * float(values.std(ddof=1)) / WORTH) ** 2)
    return [
        comparison,
        where,
        str(len(values)),
        f"{(values > 0).sum()}",
        signed(values.mean()),
        "–" if np.isnan(low) else f"{signed(low)} to {signed(high)}",
        "–" if np.isnan(p) else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}",
        told,
        str(max(needed, MIN_PAIRS)),
    ]
