"""Comparisons, ranks and label-ratio curves of the report's page, for every scope that it offers."""

from itertools import product
from typing import Any

import pandas as pd

from roftbench.console import bar
from roftbench.report.format import method_name
from roftbench.report.page.jobs import rounded, short
from roftbench.report.page.lists import numbers_of
from roftbench.report.statistics.comparison import UNITS
from roftbench.report.statistics.paired import (
    REFERENCE,
    Friedman,
    compare,
    curve_note,
    friedman,
    improvements,
    label_curves,
)

PATIENCE = 2.0  # seconds without a progress bar
_Data = dict[str, Any]


def statistics(table: pd.DataFrame, long: pd.DataFrame, lists: _Data, reference: str = REFERENCE) -> _Data:
    """Return "scopes", "label_curves" with their note, and the reference's name, all by each data set's own metric.

    A scope is a model and training setting with one task, split and label ratio each, or all (null). `table` is
    `cells(long)`.
    """
    networks = table[~table["baseline"].astype(bool)]
    scopes = [
        {"model": model, "train": train, **scope, **_tests(rows, reference)}
        for (model, train), group in bar(networks.groupby(["model", "train"]), "comparisons", "model", delay=PATIENCE)
        for scope, rows in _scopes(group)
    ]
    settings, datasets, methods = numbers_of(lists)
    found = label_curves(long)
    curves = [
        [
            *(settings[row["setting"]], datasets[row["dataset"]], methods[row["method"]], row["labels"]),
            *(short(row["mean"]), short(row["low"]), short(row["high"])),
            *(row["n"], bool(row["complete"]), row["variant"]),
        ]
        for row in found.to_dict("records")
    ]
    names = {"curve_note": curve_note(found), "reference_name": method_name(reference)}
    return {"scopes": scopes, "label_curves": curves, **names}


def _scopes(group: pd.DataFrame) -> list[tuple[dict[str, str | None], pd.DataFrame]]:
    """Return combinations of task, split and label ratio, each possibly None for all, that have cells."""
    names = ("task", "split", "label_ratio")
    present = [sorted(group[name].unique()) for name in names]
    values: list[list[str | None]] = [[None, *some] if len(some) > 1 else [None] for some in present]
    found = []
    for wanted in product(*values):
        scope = dict(zip(names, wanted, strict=True))
        rows = group
        for name, value in scope.items():
            rows = rows if value is None else rows[rows[name] == value]
        if len(rows):
            found.append((scope, rows))
    return found


def _tests(rows: pd.DataFrame, reference: str) -> _Data:
    """Return comparison and ranks over data sets, the improvements that they average, and counts over blocks.

    "each": [method, data set, improvement in %, blocks, in how many of them the reference is ahead].
    """
    compared = {unit: compare(rows, reference, unit).drop(columns="unit") for unit in UNITS}
    return {
        "compare": {unit: rounded(frame.to_dict("records")) for unit, frame in compared.items()},
        "each": rounded(improvements(rows, reference).to_numpy(dtype=object).tolist()),
        "ranks": _ranked(rows),
    }


def _ranked(rows: pd.DataFrame) -> _Data | str:
    """Return the Friedman test over data sets, or the reason why there is none."""
    found = friedman(rows)
    if not isinstance(found, Friedman):
        return found
    return {
        "ranks": [[method, short(rank)] for method, rank in found.ranks.items()],
        "n": found.n,
        "statistic": short(found.statistic),
        "p": short(found.p),
        "critical_difference": short(found.critical_difference),
        "groups": [list(group) for group in found.groups],
    }
