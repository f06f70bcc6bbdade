"""Columns of numbers with a decimal comma."""

import pyarrow as pa
import pyarrow.compute as pc

COMMA_NUMBER = r"^([+-]?[0-9]*(,[0-9]+)?([eE][+-]?[0-9]+)?)?$"  # or an empty cell
POINT_NUMBER = r"^[+-]?[0-9]*\.[0-9]+"
FEW_OTHERS = 0.5  # largest share of a label column's cells that are no numbers
THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$"

DOTTED_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+$"
WITH_COMMA = (  # numbers that certainly have a decimal comma, or points between thousands
    r"^[<>=≤≥~≈ ]*[+-]?([0-9]*,[0-9]{1,2}|0?,[0-9]+|[0-9]+,[0-9]{4,}|[0-9]{1,3}(\.[0-9]{3})+,[0-9]+"
    r"|[0-9]{1,3}(\.[0-9]{3}){2,})([eE][+-]?[0-9]+)?\s*[%A-Za-zµμ]*(/[A-Za-zµμ]+)?$"
)


def is_written_with_commas(cells: pa.ChunkedArray) -> bool:
    """Return whether at least half of the cells are numbers with commas; signs and units are allowed."""
    trimmed = pc.utf8_trim_whitespace(cells)
    given = trimmed.filter(pc.not_equal(trimmed, ""))
    found = pc.sum(pc.match_substring_regex(given, WITH_COMMA)).as_py() or 0
    return found > 0 and found >= FEW_OTHERS * len(given)


def meanings(text: str) -> str:
    """Return both meanings of a text such as 56.993, or 56,993, whose mark may separate thousands."""
    mark, other = (",", ".") if "," in text else (".", ",")
    return f"{text.replace(mark, '')} or {text.replace(mark, other)}"


def has_decimal_commas(cells: pa.ChunkedArray, *, mostly: bool = False) -> bool:
    """Return whether cells are numbers with decimal commas, and not all of the commas can separate thousands.

    With `mostly`, a share of `FEW_OTHERS` of the cells may be anything but numbers with a point.
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
