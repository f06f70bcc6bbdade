"""Columns of numbers with a decimal comma."""

import pyarrow as pa
import pyarrow.compute as pc

COMMA_NUMBER = r"^([+-]?[0-9]*(,[0-9]+)?([eE][+-]?[0-9]+)?)?$"  # or an empty cell
POINT_NUMBER = r"^[+-]?[0-9]*\.[0-9]+"
FEW_OTHERS = 0.5  # share of a label column's cells that are no numbers at all
THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$"

DOTTED_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+$"
WITH_COMMA = (  # numbers that have a decimal comma in any reading, or points between thousands
    r"^[<>=≤≥~≈ ]*[+-]?([0-9]*,[0-9]{1,2}|0?,[0-9]+|[0-9]+,[0-9]{4,}|[0-9]{1,3}(\.[0-9]{3})+,[0-9]+"
    r"|[0-9]{1,3}(\.[0-9]{3}){2,})([eE][+-]?[0-9]+)?\s*[%A-Za-zµμ]*(/[A-Za-zµμ]+)?$"
)


def is_written_with_commas(cells: pa.ChunkedArray) -> bool:
    """Tell whether half of the cells or more are numbers, signs before and units after them allowed, with commas."""
    trimmed = pc.utf8_trim_whitespace(cells)
    given = trimmed.filter(pc.not_equal(trimmed, ""))
    found = pc.sum(pc.match_substring_regex(given, WITH_COMMA)).as_py() or 0
    return found > 0 and found >= FEW_OTHERS * len(given)


def meanings(text: str) -> str:
    """Return the two numbers that a text such as 56.993 can be where points may separate thousands."""
    return f"{text.replace('.', '')} or {text.replace('.', ',')}"


def has_decimal_commas(cells: pa.ChunkedArray, *, mostly: bool = False) -> bool:
    """Tell whether all cells are numbers with a decimal comma, or could be, and not all that have one are thousands.

    With `mostly` a few cells, none of them a number with a point, may be something else.
    """
    if not pc.any(pc.match_substring(cells, ",")).as_py():
        return False
    trimmed = pc.utf8_trim_whitespace(cells)
    commas = pc.match_substring_regex(trimmed, COMMA_NUMBER)
    others = trimmed.filter(pc.invert(commas))
    given = len(trimmed) - (pc.sum(pc.equal(trimmed, "")).as_py() or 0)
    with_comma = trimmed.filter(pc.and_(commas, pc.match_substring(trimmed, ",")))
    return (
        len(with_comma) > 0
        and len(others) <= (FEW_OTHERS * given if mostly else 0)
        and not pc.any(pc.match_substring_regex(others, POINT_NUMBER)).as_py()
        and not pc.all(pc.match_substring_regex(with_comma, THOUSANDS)).as_py()
    )
