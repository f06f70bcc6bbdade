"""Rows of a table compared over the molecules of their test set, from the predictions that records hold.

Where all replicates of a column have the same test molecules, this asks whether the difference would hold for other
molecules like these. Labels are read from the data file, which must be here: nothing is downloaded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from roftbench.console import bar
from roftbench.errors import UsageError
from roftbench.report.aggregate import CELL, selected
from roftbench.report.format import markdown_table, metric_name, p_text
from roftbench.report.predictions.origin import Origins
from roftbench.report.statistics.contest import Contest
from roftbench.report.statistics.inference import RESAMPLES, FloatArray, holm
from roftbench.report.statistics.inside import signed
from roftbench.report.statistics.molecules import bootstrap_scores, interval_of, mean_score, permutation_p
from roftbench.report.tables.board import Board
from roftbench.store.checksums import digest
from roftbench.store.record_schema import Record
from roftbench.store.results import Store

TITLE = "## Over the molecules of the test set"
MOST = 400_000_000  # predictions in all resamples, beyond which nothing is computed
SECONDS = 8e-8  # per prediction, on one core
ROUNDING = 1e-4  # of a score that is computed again from stored predictions, relative to it
_NOT_SAME = "the table's scores are not those of its stored predictions (other hyperparameters or merged duplicates)"
_GUIDE = f"""\
Where replicates have one test set, its molecules are drawn anew: would the difference hold for other molecules like
these? Scores are means over seeds. *Difference*: reference minus row, in the metric's unit, with the 95 % paired
bootstrap interval over molecules ({RESAMPLES:,} resamples). *p*: paired permutation test, in which the predictions of
two rows are exchanged molecule by molecule; *Holm*: corrected for the rows of a column. It holds for these trained
models; another split or other training molecules are not part of it."""
_HEADER = ["Against", "Difference", "95 %", "p", "Holm"]
_Cell = tuple[str, str, str]


class _NoneError(Exception):
    """There is no comparison; the message is the reason."""


@dataclass(frozen=True)
class _Source:
    """Where predictions and labels are: keys of jobs by cell, their records, and data files with those read so far."""

    keys: Mapping[_Cell, Sequence[str]]
    store: Store
    origins: Origins
    tables: dict[str, FloatArray] = field(default_factory=dict)


def render_molecules(board: Board, contests: Sequence[Contest], store: Store | None, origins: Origins) -> list[str]:
    """Return the section of comparison.md; empty where no column has one test set.

    `store`: where the records are; None where only their scores are.
    """
    fixed = [one for one in contests if one.one_split and len(one.rows) > 1]
    if not fixed:
        return []
    if store is None:
        return [
            TITLE,
            "Predictions are in the records only, not in scores.csv: `roftbench tables` of a results folder.",
        ]
    keys: dict[_Cell, list[str]] = {}
    chosen = selected(board.long).sort_values("replicate", kind="stable")
    for *cell, key in zip(*(chosen[name] for name in (*CELL, "key")), strict=True):
        keys.setdefault((cell[0], cell[1], cell[2]), []).append(key)
    labels = {one.key: one.count.labels.test or one.count.graphs.test or 0 for one in board.records}
    work = sum(sum(map(labels.__getitem__, keys[_cell(one, 0)])) * (3 * len(one.rows) - 2) for one in fixed) * RESAMPLES
    if work > MOST:
        minutes = f"{work * SECONDS / 60:.0f} minutes"
        problem = f"Not computed: the {len(fixed)} columns of this call would take about {minutes}."
        return [TITLE, f"{problem} A filter makes them fewer: `roftbench tables dataset=… split=…`."]
    source = _Source(keys, store, origins)
    parts = [TITLE, _GUIDE]
    for one in bar(fixed, "comparing over molecules", "column", delay=2.0):
        parts += _column(one, board.reference, source)
    return parts


def _cell(contest: Contest, row: int) -> _Cell:
    return contest.rows[row].home, contest.dataset, contest.rows[row].method


def _column(contest: Contest, reference: str, source: _Source) -> Iterator[str]:
    """Yield the comparison of the reference, or the best row, with each other row, or the reason why there is none."""
    own = contest.reference(reference)
    title = f"**{contest.dataset}: {contest.rows[own].label}** · {contest.table} · {metric_name(contest.metric)}"
    try:
        y, molecules, first = _predictions(contest, own, source)
    except _NoneError as reason:
        yield f"{title}: no comparison, as {reason}."
        return
    base = bootstrap_scores(contest.metric, y, first)
    rows: list[tuple[str, float, tuple[float, float], float]] = []
    missing: dict[str, list[str]] = {}
    for i, row in enumerate(contest.rows):
        if i == own:
            continue
        try:
            labels, same, other = _predictions(contest, i, source)
            if not np.array_equal(same, molecules) or not np.array_equal(labels, y, equal_nan=True):
                raise _NoneError("test molecules differ")
        except _NoneError as reason:
            missing.setdefault(str(reason), []).append(row.label)
            continue
        difference = mean_score(contest.metric, y, first) - mean_score(contest.metric, y, other)
        interval = interval_of(base - bootstrap_scores(contest.metric, y, other))
        rows.append((row.label, difference, interval, permutation_p(contest.metric, y, first, other)))
    yield f"{title}: {len(molecules)} test molecules"
    corrected = holm([p for *_, p in rows])
    lines = [
        [label, signed(difference), f"[{signed(low)}, {signed(high)}]", p_text(p), p_text(both)]
        for (label, difference, (low, high), p), both in zip(rows, corrected, strict=True)
    ]
    yield from [markdown_table(_HEADER, lines)] if lines else []
    yield from (f"No comparison with {', '.join(labels)}, as {reason}." for reason, labels in missing.items())


def _predictions(contest: Contest, row: int, source: _Source) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return labels [N, T], rows of the data file [N] and predictions [S, N, T] of a row's jobs.

    Raises:
        _NoneError: there are no predictions or labels, or they do not give the score of the table.
    """
    records = [source.store.get(key) for key in source.keys[_cell(contest, row)]]
    found = [one.test_predictions for one in records if one is not None and one.test_predictions is not None]
    if len(found) < len(records) or not found or not found[0].prediction:
        raise _NoneError("records lack predictions")
    if any(one.row != found[0].row for one in found):
        raise _NoneError("test molecules differ")
    labels = _labels(records[0], source)
    rows = np.array(found[0].row)
    predictions = np.array([one.prediction for one in found], np.float64)
    if rows.max() >= len(labels) or predictions.shape[2] != labels.shape[1]:
        raise _NoneError("the data file has other rows")
    y = labels[rows]
    score = mean_score(contest.metric, y, predictions)
    if not np.isclose(score, contest.means[row], rtol=ROUNDING, atol=1e-12):
        raise _NoneError(_NOT_SAME)
    return y, rows, predictions


def _labels(record: Record | None, source: _Source) -> FloatArray:
    """Return the labels [R, T] of all rows of a job's data file."""
    assert record is not None
    key = digest(record.job["dataset"])
    if key not in source.tables:
        try:
            source.tables[key] = source.origins.labels(record).y
        except UsageError as error:
            raise _NoneError(f"its labels cannot be read ({error.message.rstrip('.')})") from None
    return source.tables[key]
