"""Cost of jobs: seconds of the fits that a method needs, including those that were already in the store."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from roftbench.store.record_schema import RecordSummary

FITS, TOTAL = "fits", "total"  # names in `seconds`; FITS: all fits of a record from a table of scores
CPU, WALL = "CPU seconds", "seconds"
UNITS = {CPU: "fit_cpu_seconds", WALL: "fit_seconds"}  # column of `cells` by unit, the preferred one first


def fit_seconds(record: RecordSummary) -> float | None:
    """Return the seconds of all fits of a job; None where only the job's total is known.

    These are training stages, with the time that those from the store took when they were fitted, and what a method
    makes of them, such as learned coefficients. Of a search, they are those of all candidates. Loading of molecules
    and scoring are left out.
    """
    return _sum(record.seconds)


def fit_cpu_seconds(record: RecordSummary) -> float | None:
    """Return `fit_seconds` in seconds of all cores together; None on a GPU, whose work they do not measure."""
    return _sum(record.cpu_seconds) if record.env.get("device") == "cpu" else None


def _sum(seconds: Mapping[str, float | None]) -> float | None:
    fits = [span for name, span in seconds.items() if name != TOTAL]
    known = [span for span in fits if span is not None]
    return sum(known) if fits and len(known) == len(fits) else None


def unit_of(rows: Iterable[Mapping[Any, Any]]) -> str | None:
    """Return the unit in which the cells of a table can be compared: CPU if all cells with scores have them, else WALL.

    Seconds of a busy machine depend on what else ran. None where no cell has either.
    """
    scored = [row for row in rows if row["n"]]
    for unit, column in UNITS.items():
        known = [not math.isnan(row[column]) for row in scored]
        if any(known) and (unit == WALL or all(known)):
            return unit
    return None
