"""Cost of the rows of a table: mechanism, trained parameters, labels for coefficients, and seconds per data set."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from roftbench.report.cost import CPU, UNITS, WALL, unit_of
from roftbench.report.format import MISSING, family_name
from roftbench.report.tables.layout import Layout
from roftbench.report.tables.shown import ShownTable

HEADER = ("Method", "Mechanism", "Trained parameters", "Extra labels")
NOTES = (
    "Extra labels: validation labels that gradients used beyond selection (‡).",
    (
        "Seconds of all fits that a job needs, mean over seeds: those from the store count as when they were fitted,"
        " and a search counts all its candidates. Loading of molecules and scoring are left out."
    ),
)
OF = {
    CPU: "CPU seconds: of all cores together.",
    WALL: "Wall-clock seconds, as CPU seconds are not recorded for all cells, or a GPU was used: a machine that"
    " does other work lengthens them.",
}
_Row = Mapping[Any, Any]  # of a data frame


def cost_layouts(tables: Iterable[ShownTable]) -> Iterator[Layout]:
    """Yield the cost of each table of scores with times of fits in its records; gaps are what these do not hold."""
    for table in tables:
        if (unit := unit_of(table.rows)) is None:
            continue
        lines = table.lines.items()
        rows = [[Text(text) for text in [label, *_facts(line), *_seconds(line, unit)]] for label, line in lines]
        yield Layout(" · ".join([table.title, "cost", unit]), [*HEADER, *table.data_sets], rows, [*NOTES, OF[unit]])


def _facts(line: Sequence[_Row]) -> list[str]:
    scored = [row for row in line if row["n"]]
    labels = _span(row["labels_interpolation"] for row in scored)
    return [family_name(line[0]["method"]), _span(row["trained_parameters"] for row in scored), labels]


def _span(values: Iterable[float]) -> str:
    """Return the numbers of the cells of a row: one where they are equal, else the smallest and the largest."""
    known = sorted({round(value) for value in values if _known(value)})
    return MISSING if not known else "–".join(f"{value:,}" for value in dict.fromkeys((known[0], known[-1])))


def _seconds(line: Sequence[_Row], unit: str) -> list[str]:
    return [MISSING if not row["n"] else seconds_text(row[UNITS[unit]]) for row in line]


def seconds_text(value: float) -> str:
    """Return seconds with three significant digits; none as a gap."""
    if not _known(value):
        return MISSING
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _known(value: float) -> bool:
    return not math.isnan(value)
