"""Values as text on a terminal and in tables: scores of any scale, texts that may contain control characters.

score_text(0.0000007) -> "7.000e-07"          only zero reads as zero
printable("esol\\x1b[2J") -> "esol\\\\x1b[2J"    no text controls the terminal
spreadsheet_text("=1+1") -> "'=1+1"           no text is a formula
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

SMALL, LARGE = 1e-3, 1e5  # outside, fixed decimals read as zero or show meaningless digits
UNDEFINED = "undefined"
# C0 but tab and line feed, DEL, C1, marks that turn the direction of writing, other line ends, lone surrogates.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# What Markdown reads as code, emphasis, links, HTML or references; an underscore inside a word and a lone & are text.
_MARKUP = re.compile(r"[\\`*~\[]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<!\w)_|_(?!\w)|^[#>]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def score_text(value: float | None, digits: int = 3) -> str:
    """Return a score with `digits` decimals, or "undefined" for None and NaN.

    Scores below 0.001 or from 100,000 on have four significant digits: labels in mol/L may have an RMSE of 1e-7, which
    decimals would show as zero.
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    if value == 0:
        return f"{0:.{digits}f}"
    return f"{value:.{digits}f}" if SMALL <= abs(value) < LARGE else f"{value:.3e}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, such as "1 row" or "1,200 rows"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def byte_size(count: int) -> str:
    """Return a number of bytes with a unit, such as "1.5 MB"."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def printable(text: object) -> str:
    r"""Return a text with its control characters as escapes (\x1b, \u202e); line feeds and tabs stay.

    Names of data sets, columns and methods come from files of others: an escape sequence in one would color, clear or
    retitle the terminal.
    """
    return _CONTROL.sub(_written_out, str(text))


def printable_name(text: object) -> str:
    r"""Return a text on one line: each character that cannot be printed is written out, as \n, \x1b or \u202e."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text))


def markdown_text(text: object) -> str:
    r"""Return a text on one line that Markdown shows as it is: `C[C@H](N)O` is a link to it, `<b>` is HTML."""
    return _MARKUP.sub(r"\\\g<0>", printable_name(text))


def printable_values(value: Any) -> Any:
    """Return plain values (nested dictionaries and lists) with `printable` applied to every text."""
    return _with_texts(value, printable)


def in_utf8(value: Any) -> Any:
    r"""Return plain values with surrogates, such as bytes of file names, as escapes (\udcff) in every text."""
    return _with_texts(value, lambda text: text.encode("utf-8", "backslashreplace").decode())


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {_with_texts(key, change): _with_texts(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def cut(text: str, width: int) -> str:
    """Return a text, or the beginning of one that is longer than `width` characters."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def spreadsheet_text(text: str) -> str:
    """Return a text for a cell of a CSV file, with an apostrophe before it if a spreadsheet would read a formula.

    Formulas begin with =, +, -, @, a tab or a carriage return, possibly after apostrophes. It is not meant for numbers.
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def from_spreadsheet_text(text: str) -> str:
    """Return the original of a text that `spreadsheet_text` has written."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as CSV, each with a line feed at its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def ordinal(number: int) -> str:
    """Return a number as "1st", "22nd" or "13th"."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"
