"""The rows of a table as points of a figure: score or rank against cost or shift, over the data sets of the table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from roftbench.metrics import METRICS
from roftbench.report.aggregate import CELL, selected
from roftbench.report.cost import CPU, UNITS, unit_of
from roftbench.report.format import family, metric_name
from roftbench.report.tables.shown import ShownTable, is_scored

_Row = Mapping[Any, Any]  # of a data frame
Blocks = Mapping[tuple[str, str, str], Mapping[str, float]]


@dataclass(frozen=True)
class RowMeans:
    """The rows of a table that are complete in each of its data sets.

    Attributes:
        names, families: of the rows.
        worth: mean test score on the one data set, or mean rank over several, where 1 is best.
        lower: whether a lower `worth` is better.
        label: what `worth` is.
        cost: mean seconds of the fits, in `unit`; NaN where not known in each data set.
        feature_shift: mean over the data sets; NaN where not known.
        blocks: mean parameter shift by block.
        datasets: names of the data sets.
        left_out: names of rows that lack a score.
    """

    names: list[str]
    families: list[str]
    worth: list[float]
    lower: bool
    label: str
    cost: list[float]
    unit: str
    feature_shift: list[float]
    blocks: list[dict[str, float]]
    datasets: list[str]
    left_out: list[str]


def row_means(table: ShownTable, blocks: Blocks) -> RowMeans:
    """Return the means of a table's rows; `blocks`: `block_shifts` of its records."""
    lines, datasets = table.lines, table.data_sets
    kept = {label: line for label, line in lines.items() if all(map(is_scored, line)) and len(line) == len(datasets)}
    metrics = list(dict.fromkeys(row["metric"] for row in table.rows))
    higher = METRICS[metrics[0]].higher_is_better
    scores = pd.DataFrame([[row["mean"] for row in line] for line in kept.values()], columns=datasets, dtype=float)
    unit = unit_of(row for line in kept.values() for row in line) or CPU
    if len(datasets) > 1:
        signs = [METRICS[row["metric"]].sign for row in next(iter(lines.values()))]
        worth, lower, label = (scores * signs).rank().mean(axis=1), True, f"mean rank over {len(datasets)} data sets"
    else:
        worth, lower, label = scores[datasets[0]], not higher, f"test {metric_name(metrics[0])}"
    return RowMeans(
        list(kept),
        [family(line[0]["method"]) for line in kept.values()],
        worth.tolist(),
        lower,
        label,
        [_mean([row[UNITS[unit]] for row in line]) for line in kept.values()],
        unit,
        [_mean([row["feature_shift"] for row in line]) for line in kept.values()],
        [_mean_blocks([blocks.get((row["home"], row["dataset"], row["method"]), {}) for row in line])
         for line in kept.values()],
        datasets,
        [label for label in lines if label not in kept],
    )  # fmt: skip


def with_cost(means: RowMeans) -> list[int]:
    """Return the rows whose cost is known."""
    return [i for i, cost in enumerate(means.cost) if not math.isnan(cost)]


def with_shift(means: RowMeans) -> list[int]:
    """Return the rows whose shifts are known."""
    return [i for i, shift in enumerate(means.feature_shift) if means.blocks[i] and not math.isnan(shift)]


def front(means: RowMeans) -> list[int]:
    """Return the rows that no other row beats in cost and worth, ascending in cost: the Pareto front."""
    sign = 1 if means.lower else -1
    found: list[int] = []
    for i in sorted(with_cost(means), key=lambda i: (means.cost[i], sign * means.worth[i])):
        if not found or sign * means.worth[i] < sign * means.worth[found[-1]]:
            found.append(i)
    return found


def block_shifts(long: pd.DataFrame) -> Blocks:
    """Return the mean parameter shift by block of each cell with its selected hyperparameters, where all have it."""
    known = long[long["parameter_shift"].notna()]
    if known.empty:
        return {}
    chosen = selected(long)
    return {
        (str(cell[0]), str(cell[1]), str(cell[2])): _mean_blocks(list(rows))
        for cell, rows in chosen.groupby(CELL)["parameter_shift"]
        if rows.notna().all()
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _mean_blocks(shifts: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """Return the mean of each block that all have."""
    shared = [block for block in shifts[0] if all(one.get(block) is not None for one in shifts)]
    return {block: _mean([float(one[block] or 0) for one in shifts]) for block in shared}
