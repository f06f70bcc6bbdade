"""The scores of a sweep as a small text table: rows are methods, columns are data sets; mean ± deviation over seeds."""

import statistics
from collections.abc import Mapping, Sequence

from roftbench.console import terminal_width
from roftbench.formatting import printable_name, score_text
from roftbench.metrics import METRICS
from roftbench.sweep.outcomes import JobOutcome
from roftbench.sweep.plan import Planned

COLUMNS = ("dataset", "label_ratio", "split")  # groups whose swept values become columns
NAMED = ("model", "method", *COLUMNS)  # groups whose options need no key beside them
MOST_CELLS = 60
REPEATS = {"split.fold": "folds", "seed": "seeds"}  # keys whose values are averaged over
Cell = tuple[str, str]  # names of row and column


def varying(jobs: Sequence[Planned]) -> set[str]:
    """Return the keys whose values differ among the overrides of jobs."""
    return {key for key, found in _values(jobs).items() if len(found) > 1}


def _values(jobs: Sequence[Planned]) -> dict[str, set[str]]:
    """Return the values of each key among the overrides of jobs."""
    values: dict[str, set[str]] = {}
    for one in jobs:
        for text in one.overrides:
            key, _, value = text.partition("=")
            values.setdefault(key, set()).add(value)
    return values


def score_table(jobs: Sequence[Planned], outcomes: Mapping[str, JobOutcome]) -> str:
    """Return test scores by each data set's metric, of jobs that are done, now or before.

    Empty where there is nothing to compare: fewer than two done jobs, or more cells than can be read at a glance.
    """
    keys = varying(jobs)
    cells: dict[Cell, list[Planned]] = {}
    for one in jobs:
        cells.setdefault(_cell(one, keys), []).append(one)
    if len(jobs) < 2 or len(cells) > MOST_CELLS:
        return ""
    texts, metrics = dict[Cell, str](), dict[str, None]()
    count = max(map(len, cells.values()))
    for cell, members in cells.items():
        if found := [score for one in members if (score := _score(one, outcomes))]:
            metrics |= dict.fromkeys(metric for metric, _ in found)
            texts[cell] = _text([score for _, score in found], len(members), count)
    values = _values(jobs)
    over = " × ".join(f"{len(values[key])} {name}" for key, name in REPEATS.items() if key in keys)
    return _rendered(texts, list(metrics), over) if texts else ""


def _cell(one: Planned, keys: set[str]) -> Cell:
    """Return the row and the column of a job: its varying overrides, except for seed and fold."""
    rows, columns = list[str](), list[str]()
    for text in one.overrides:
        key, _, value = text.partition("=")
        if key in keys and key not in REPEATS:
            (columns if key.partition(".")[0] in COLUMNS else rows).append(value if key in NAMED else text.lstrip("+"))
    row = " ".join(rows) or one.job.method.name
    column = " ".join(columns) or f"{one.job.dataset.name} {one.job.label_ratio.name}"
    return printable_name(row), printable_name(column)


def _score(one: Planned, outcomes: Mapping[str, JobOutcome]) -> tuple[str, float | None] | None:
    """Return metric and test score of a job that is done, None for an undefined score; otherwise None."""
    metric = str(one.job.dataset.metric)
    outcome = outcomes.get(one.key)
    record = (one.store.get(one.key) if one.state == "done" else None) if outcome is None else outcome.record
    return (metric, record.scores.test[metric]) if record else None


def _rendered(texts: Mapping[Cell, str], metrics: Sequence[str], over: str) -> str:
    rows, columns = list(dict.fromkeys(row for row, _ in texts)), list(dict.fromkeys(name for _, name in texts))
    widths = {name: max(len(name), *(len(texts.get((row, name), "–")) for row in rows)) for name in columns}
    first = max(map(len, rows))
    directions = ", ".join(f"{name}: {METRICS[name].direction} is better" for name in metrics)
    lines = [f"test scores ({directions})" + (f", mean ± deviation over {over}" if over else "")]
    for chunk in _chunks(columns, widths, terminal_width() - first):
        for row in ("", *rows):
            found = (name if not row else texts.get((row, name), "–") for name in chunk)
            lines.append(
                f"{row:<{first}}"
                + "".join(f"  {text:>{widths[name]}}" for text, name in zip(found, chunk, strict=True))
            )
    return "\n".join(lines)


def _chunks(names: Sequence[str], widths: Mapping[str, int], room: int) -> list[list[str]]:
    """Return columns in groups, each as wide as a terminal has room for."""
    chunks: list[list[str]] = []
    left = 0
    for name in names:
        if not chunks or widths[name] + 2 > left:
            chunks.append([])
            left = room
        chunks[-1].append(name)
        left -= widths[name] + 2
    return chunks


def _text(scores: Sequence[float | None], wanted: int, count: int) -> str:
    """Return the mean of a cell, its deviation (ddof 0, as in the tables), and of how many jobs where some are missing.

    As in the tables, an undefined score is never left out of a mean.
    """
    found = [score for score in scores if score is not None]
    if len(found) < len(scores):
        return "undefined"
    deviation = f" ± {score_text(statistics.pstdev(found))}" if len(found) > 1 else ""
    number = f" ({len(found)}/{wanted})" if len(found) < wanted else f" ({wanted})" * (wanted < count)
    return f"{score_text(statistics.fmean(found))}{deviation}{number}"
