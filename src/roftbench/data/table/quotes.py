"""Quoted cells over several lines: text of the user, or rows of the table after a quote that was opened by accident."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roftbench.errors import UsageError

LINE_END = re.compile(r"\r\n|\r|\n")
NUMBER = r"^[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$"
LAST = "\x04"  # content of a row appended to the table, which an open quote would include


def check_rows(
    what: str, names: Sequence[str], columns: Sequence[pa.Array | pa.ChunkedArray], separator: str, before: int = 0
) -> None:
    """Refuse a table in which a quoted cell seems to hold whole rows.

    Args:
        what: name of the table in messages.
        names: names of all columns.
        columns: their cells.
        separator: character between cells.
        before: number of rows before these.

    Raises:
        UsageError: each line of a cell has as many separators as a row of the table, so its quote may have been opened
            by accident, and rows would be lost.
    """
    over_lines = [pc.match_substring_regex(column, "[\r\n]").to_numpy(zero_copy_only=False) for column in columns]
    rows = np.flatnonzero(np.logical_or.reduce(over_lines)).tolist()
    numeric = [_is_numeric(column) for column in columns] if rows else []
    for row in rows:
        cells = [column[row].as_py() for column in columns]
        if (found := _rows_within(cells, separator, numeric)) is not None:
            place, count = found
            problem = (
                f"{what}, column '{names[place]}', data row {before + row + 1}: {cells[place][:80]!r}… goes over lines:"
                f" close the quote, or take the line ends out of the cell. Its {count} lines look like {count} rows of"
                " the table, and no row may be lost."
            )
            raise UsageError(problem, key=names[place], got=cells[place])


def _rows_within(cells: Sequence[str], separator: str, numeric: Sequence[bool]) -> tuple[int, int] | None:
    """Return the position of a cell whose lines all look like rows, and their number, or None."""
    for place, cell in enumerate(cells):
        lines = [line for line in LINE_END.split(cell) if line.strip()]
        if len(lines) < 2:
            continue
        first, *middle, last = (line.split(separator) for line in lines)
        rows = [[*cells[:place], *first], *middle, [*last, *cells[place + 1 :]]]
        if {len(row) for row in rows} == {len(cells)} and (middle or all(_fits(row, numeric) for row in rows)):
            return place, len(rows)
    return None


def _is_numeric(column: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether a column holds numbers only, apart from empty cells and cells of several lines."""
    text = pc.utf8_trim_whitespace(column)
    given = text.filter(pc.invert(pc.match_substring_regex(text, f"^$|[\r\n{LAST}]")))
    return len(given) > 0 and bool(pc.all(pc.match_substring_regex(given, NUMBER)).as_py())


def _fits(row: Sequence[str], numeric: Sequence[bool]) -> bool:
    """Return whether cells can be a row of the table: numbers or nothing in numeric columns."""
    return all(
        not of_numbers or not text.strip() or re.match(NUMBER, text.strip()) is not None
        for text, of_numbers in zip(row, numeric, strict=True)
    )
