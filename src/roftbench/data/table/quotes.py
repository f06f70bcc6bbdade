"""Quoted cells over several lines: text of the user, or rows of the table after a quote that was opened by accident."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roftbench.data.smiles import is_smiles
from roftbench.errors import UsageError

LINE_END = re.compile(r"\r\n|\r|\n")
NUMBER = r"^[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$"
NUMBERS, SMILES = "numbers", "SMILES"  # what columns hold
SOME = 50  # cells by which a column of SMILES is known
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
        UsageError: the lines of a cell look like rows of the table, so its quote may have been opened by accident, and
            rows would be lost.
    """
    over_lines = [pc.match_substring_regex(column, "[\r\n]").to_numpy(zero_copy_only=False) for column in columns]
    rows = np.flatnonzero(np.logical_or.reduce(over_lines)).tolist()
    kinds = [_kind(column) for column in columns] if rows else []
    for row in rows:
        cells = [column[row].as_py() for column in columns]
        if (found := _rows_within(cells, separator, kinds)) is not None:
            place, count = found
            problem = (
                f"{what}, column '{names[place]}', data row {before + row + 1}: {cells[place][:80]!r}… goes over lines:"
                f" close the quote, or take the line ends out of the cell. Its {count} lines look like {count} rows of"
                " the table, and no row may be lost."
            )
            raise UsageError(problem, key=names[place], got=cells[place])


def _rows_within(cells: Sequence[str], separator: str, kinds: Sequence[str]) -> tuple[int, int] | None:
    """Return the position of a cell whose lines all look like rows, and their number, or None.

    They do if each has as many cells as the table. Where a cell holds the separator as well, it is enough that the
    first, the last and half of all lines have numbers and SMILES in their places, whichever cell has the separators.
    """
    for place, cell in enumerate(cells):
        lines = LINE_END.split(cell)
        ends = (0, len(lines) - 1) if len(cells) > 1 else ()  # which the cells beside complete, and may be empty
        kept = [line for at, line in enumerate(lines) if line.strip() or at in ends]
        if len(kept) < 2:
            continue
        first, *middle, last = (line.split(separator) for line in kept)
        rows = [[*cells[:place], *first], *middle, [*last, *cells[place + 1 :]]]
        if {len(row) for row in rows} == {len(cells)} and (middle or all(_fits(row, kinds) for row in rows)):
            return place, len(rows)
        alike = [_is_row(row, kinds) for row in rows]
        if alike[0] and alike[-1] and 2 * sum(alike) >= len(rows):
            return place, len(rows)
    return None


def _is_row(row: Sequence[str], kinds: Sequence[str]) -> bool:
    """Return whether cells, some of which belong together, are a row with a number or a SMILES where these stand."""
    more, known = len(row) - len(kinds), [place for place, kind in enumerate(kinds) if kind]
    if more < 0:
        return False
    for place in range(len(kinds) if more else 1):
        whole = [*row[:place], " ".join(row[place : place + more + 1]), *row[place + more + 1 :]]
        told = any(whole[one].strip() for one in known)
        if told and _fits(whole, kinds) and all(_is_smiles(whole[one]) for one in known if kinds[one] == SMILES):
            return True
    return False


def _is_smiles(text: str) -> bool:
    return not text.strip() or is_smiles(text)


def _kind(column: pa.Array | pa.ChunkedArray) -> str:
    """Return what a column holds, apart from empty cells and cells of several lines: NUMBERS, SMILES, or else ""."""
    text = pc.utf8_trim_whitespace(column)
    given = text.filter(pc.invert(pc.match_substring_regex(text, f"^$|[\r\n{LAST}]")))
    if not len(given):
        return ""
    if pc.all(pc.match_substring_regex(given, NUMBER)).as_py():
        return NUMBERS
    some = given[:SOME].to_pylist()
    return SMILES if 2 * sum(map(is_smiles, some)) > len(some) else ""


def _fits(row: Sequence[str], kinds: Sequence[str]) -> bool:
    """Return whether cells can be a row of the table: numbers or nothing in columns of numbers."""
    return all(
        kind != NUMBERS or not text.strip() or re.match(NUMBER, text.strip()) is not None
        for text, kind in zip(row, kinds, strict=True)
    )
