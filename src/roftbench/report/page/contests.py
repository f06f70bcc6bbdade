"""Rows of the page's tables compared inside each data set: bold cells by every metric, and the tests by its own."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from roftbench.report.page.jobs import short
from roftbench.report.page.lists import OWN, numbers_of
from roftbench.report.query import Request
from roftbench.report.statistics.contest import NAMES, Contest
from roftbench.report.statistics.inside import against, reportable
from roftbench.report.tables.board import Board
from roftbench.report.tables.contests import contests_of
from roftbench.report.tables.shown import shown_tables
from roftbench.store.record_schema import RecordSummary

_Data = dict[str, Any]


def page_contests(
    views: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    failed: pd.DataFrame,
    done: list[RecordSummary],
    request: Request,
    lists: _Data,
) -> _Data:
    """Return "best", "within", "delta" and the "reference" method of a request.

    `views`: long table and cells by each metric and by each data set's own. "best": by metric, the cells that cannot be
    told from the best of their column, [setting of the table, data set, setting of the cell, method]. "within": one
    entry per column, by its own metric, with the reference (or the best row) against each other row.

    Raises:
        UsageError: no record has the reference, or one delta is given for several metrics.
    """
    long = views[OWN][0]
    reference, delta = request.comparison(long["method"], long["metric"])
    settings, datasets, methods = numbers_of(lists)
    best: dict[str, list[list[int]]] = {}
    within = []
    for metric, (view, table) in views.items():
        board = Board(request, done, [], view, table, failed.head(0), reference, delta)
        contests = contests_of(board, shown_tables(board)) if len(view) else []
        if metric == OWN:
            shown = reportable(contests)
            within = [
                {"setting": settings[one.setting], "dataset": datasets[one.dataset], **_entry(one, reference, delta)}
                for one in shown
            ]
            continue
        best[metric] = [
            [settings[one.setting], datasets[one.dataset], settings[row.home], methods[row.method]]
            for one in contests
            for row in (one.rows[i] for i in sorted(one.best_set))
        ]
    return {"best": best, "within": within, "reference": reference, "delta": {k: v for k, v in delta.items() if v}}


def _entry(contest: Contest, reference: str, delta: Mapping[str, float]) -> _Data:
    """Return the tests of a contest; "rows": label, then the fields of `Versus`."""
    own, found = against(contest, reference, delta)
    return {
        "task": contest.task,
        "count": contest.count,
        "unit": f"{NAMES[contest.kind]}s",
        "oneSplit": contest.one_split,
        "f": _finite(contest.anova.f),
        "p": short(contest.omnibus),
        "ratio": _finite(contest.variance_ratio),
        "test": contest.test,
        "best": [contest.rows[i].label for i in sorted(contest.best_set)],
        "incomplete": list(contest.incomplete),
        "reference": contest.rows[own].label,
        "mean": short(float(contest.means[own])),
        "rows": [
            [
                contest.rows[i].label,
                *map(short, (one.difference, one.low, one.high, one.p, one.corrected_low, one.corrected_high)),
                *(short(one.effect), short(one.equivalence), one.needed, one.verdict, one.equal),
            ]
            for i, one in found.items()
        ],
    }


def _finite(value: float) -> float | None:
    """Return a number for JSON, which has no infinity; None for NaN."""
    return short(min(value, 1e9))
