"""Rows below a table that bound its scores: spread of the test labels, and noise of the assay."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roftbench.config.registry import options
from roftbench.formatting import score_text
from roftbench.report.tables.board import COMPARABLE, Board

SD, RANGE, SHARE, NOISE = "SD of test labels", "Range of test labels", "Share of class 1", "Assay noise"
NOTES = {
    SD: f"{SD} (ddof 0): the RMSE of predicting their mean. SD and range: means over tasks and pooled splits.",
    SHARE: f"{SHARE}: of the test labels, the mean over tasks and pooled splits.",
}
NULL_NOTE = "Mean: the null model, which predicts the training mean or the share of class 1; a bound for all others."
IN_UNITS = ("rmse", "mae")  # metrics in the label's unit, to which spread and noise can be compared
_Row = dict[Any, Any]  # of a data frame
_Texts = Mapping[str, str]  # by data set


def bound_rows(board: Board, rows: Sequence[_Row], digits: int = 3) -> Mapping[str, _Texts]:
    """Return texts by label and data set, for the columns of `rows` that have them.

    Nothing is returned for a table whose rows have different test molecules.
    """
    if not set(COMPARABLE) <= set(board.request.group):
        return {}
    best: dict[str, _Row] = {}  # the cell with most replicates of each data set: all have the same test parts
    for row in sorted(rows, key=lambda row: row["n"]):
        if _is_recorded(row):
            best[row["dataset"]] = row
    found: dict[str, dict[str, str]] = {}
    for dataset, row in best.items():
        for label, text in _texts(row, digits).items():
            found.setdefault(label, {})[dataset] = text
    return found


def bound_notes(rows: Sequence[_Row], bounds: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the notes on `bound_rows` and on the null model; `bounds`: data sets by label."""
    notes = [note for label, note in NOTES.items() if label in bounds]
    specs = options("dataset")
    sources = dict.fromkeys(f"{name}, {source}" for name in bounds.get(NOISE, ()) if (source := _source(specs, name)))
    notes += [f"{NOISE}: {text}." for text in ["; ".join(sources)] if text]
    return notes + [NULL_NOTE] * any(row["method"] == "mean" and row["n"] for row in rows)


def _source(specs: Mapping[str, Any], dataset: str) -> str:
    return str(specs.get(dataset.partition(" (")[0], {}).get("noise_source") or "")


def _is_recorded(row: _Row) -> bool:
    return bool(row["n"]) and any(row[name] == row[name] for name in ("test_sd", "test_positives"))


def _texts(row: _Row, digits: int) -> dict[str, str]:
    if row["task"] == "classification":
        return {SHARE: f"{100 * row['test_positives']:.1f} %"}
    if row["metric"] not in IN_UNITS:
        return {}
    low, high, noise = (row[name] for name in ("test_min", "test_max", "noise"))
    found = {
        SD: score_text(row["test_sd"], digits),
        RANGE: f"{low:.3g} to {high:.3g}",
    }
    return found | ({NOISE: score_text(noise, digits)} if noise == noise else {})
