"""Label cells as numbers or classes, and messages on cells that are neither."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from roftbench.data.config import DatasetSpec
from roftbench.data.table.decimals import (
    COMMA_NUMBER,
    DOTTED_THOUSANDS,
    has_decimal_commas,
    is_written_with_commas,
    meanings,
)
from roftbench.data.table.reader import Sheet
from roftbench.errors import UsageError
from roftbench.overrides import quoted_list, shell_word

DIGITS = r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
NUMBER = rf"^[+-]?{DIGITS}$"
RELATION = r"^(<=|>=|=<|=>|<<|>>|[<>≤≥≦≧⩽⩾＜＞~≈=])\s*"
RELATED = rf"{RELATION}[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$"
SHOWN = 10  # offending values that are listed
MINUS = "\u2212\u2010\u2011\u2012\u2013\u2014\u00ad\u02d7\u207b\u2796\ufe63\uff0d"  # characters that look like a minus
INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"  # characters of no width, which text from pages may hold
NEARLY = (  # patterns of cells that are almost numbers, with advice
    (re.compile(r"\"[^\"]*\"|'[^']*'"),
     "; it is in quotes, which a blank before them makes a part of the cell: remove the blank or the quotes"),
    (re.compile(r"[+-]\s+[\d.,]+([eE][+-]?\d+)?"), "; remove the blank after its sign"),
    (re.compile(r"[+-]?\d{1,3}([., '’\u00a0\u202f\u2009]\d{3})+[.,]\d+|[+-]?\d{1,3}([ '’\u00a0\u202f\u2009]\d{3})+"),
     "; write it without separators of thousands, with a decimal point"),
    (re.compile(r"(?=.*[^\x00-\x7f])[+-]?[\d.,]+", re.DOTALL), "; write it with the digits 0 to 9"),
    (re.compile(r"[+-]?[\d.]+[dD][+-]?\d+"), "; write its exponent with e, as in 1.5e-7"),
    (re.compile(r"[+-]?[\d.,]+\s*[x×*·]\s*10(\^|\*\*|[⁺⁻⁰¹²³⁴-⁹]).*"), "; write it as 1.5e-7"),
    (re.compile(r"[+-]?[\d.,]+\s*[%A-Za-zµμ][\w/%µμ.·^-]*"), "; put the unit into the column's name"),
    (re.compile(r"[\d.,]+\s*(±|\+/?-|-|–)\s*[\d.,]+"), "; write one number: the mean, say"),
    (re.compile(r".*[\r\n].*", re.DOTALL), "; is a quote left open?"),
)  # fmt: skip
COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # the comma may separate thousands


class Labels(NamedTuple):
    """Trimmed label cells [R], "" where a label is missing, and numbers of bounds and marks of missing values."""

    cells: pa.ChunkedArray
    bounded: int = 0
    missing: int = 0


def label_cells(spec: DatasetSpec, sheet: Sheet, name: str, cells: pa.ChunkedArray) -> Labels:
    """Return the cells of a label column after `dataset.na_values`, `dataset.censored` and decimal commas."""
    trimmed = pc.utf8_trim_whitespace(cells)
    missing = bounded = 0
    if spec.na_values:
        given = pa.chunked_array([[text.strip() for text in spec.na_values]], pa.string())
        marks = pc.is_in(trimmed, value_set=given.combine_chunks())
        values = as_numbers(_with_points(given) if sheet.decimal_commas else given)
        if np.isfinite(values).any():
            numbers = as_numbers(_with_points(trimmed) if sheet.decimal_commas else trimmed)
            equal = np.isin(numbers, values[np.isfinite(values)])
            marks = pc.or_(marks, pa.chunked_array([pa.array(equal)]))
        missing = pc.sum(marks).as_py() or 0
        trimmed = pc.if_else(marks, "", trimmed)
    if spec.censored != "error":
        related = pc.match_substring_regex(trimmed, RELATED)
        exact = pc.starts_with(trimmed, "=")
        bounded = pc.sum(pc.and_not(related, exact)).as_py() or 0
        number = pc.replace_substring_regex(trimmed, RELATION, "")
        value = pc.if_else(exact, number, "") if spec.censored == "drop" else number
        trimmed = pc.if_else(related, value, trimmed)
    if sheet.decimal_commas and has_decimal_commas(trimmed, mostly=True):
        sheet.commas.add(name)
        trimmed = _with_points(trimmed)
    return Labels(trimmed, bounded, missing)


def _with_points(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells with a point for the comma of a number."""
    numbers = pc.match_substring_regex(cells, COMMA_NUMBER)
    return pc.if_else(numbers, pc.replace_substring(cells, ",", "."), cells)


def as_numbers(cells: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return trimmed cells as numbers, [R]: NaN for an empty cell, infinity for one that is no finite number."""
    other = pc.if_else(pc.equal(cells, ""), "nan", "inf")
    text = pc.if_else(pc.match_substring_regex(cells, NUMBER), pc.utf8_ltrim(cells, characters="+"), other)
    values: NDArray[np.float64] = text.cast(pa.float64()).to_numpy()
    return values


def as_classes(cells: pa.ChunkedArray, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return trimmed cells as 0 and 1, [R]: NaN for an empty cell, infinity for one that is neither class.

    Classes that are numbers are compared as numbers (1.0 is 1), texts without regard to case unless only case tells
    them apart.
    """
    texts = [text.strip() for text in classes]
    low, high = as_numbers(pa.chunked_array([texts]))
    if np.isfinite((low, high)).all():
        values = as_numbers(cells)
        return np.select([np.isnan(values), values == low, values == high], [np.nan, 0.0, 1.0], np.inf)
    if texts[0].lower() != texts[1].lower():
        texts, cells = [text.lower() for text in texts], pc.utf8_lower(cells)
    code = pc.fill_null(pc.index_in(cells, value_set=pa.array(texts)).cast(pa.float64()), np.inf)
    found: NDArray[np.float64] = pc.if_else(pc.equal(cells, ""), np.nan, code).to_numpy()
    return found


def reject(sheet: Sheet, name: str, cells: pa.ChunkedArray, values: NDArray[np.float64], allowed: str) -> None:
    """Raise UsageError if a value is infinite; the message names the first such cell and lists all with counts."""
    if not np.isinf(values).any():
        return
    row = int(np.isinf(values).argmax())
    found = offending(cells, values)
    sentences = filter(None, (listed(found), options(found)))
    problem = (
        f"{sheet.what}, column '{name}', data row {row + 1}: '{cells[row].as_py()[:80]}' is not {allowed} (leave the"
        f" cell empty where a label is missing{remedies(found, cells)}){'. '.join(['', *sentences])}"
    )
    raise UsageError(problem, key=name, got=cells[row].as_py())


def offending(cells: pa.ChunkedArray, values: NDArray[np.float64]) -> dict[str, int]:
    """Return the distinct cells with infinite values and their counts, in order of appearance."""
    counts = pc.value_counts(cells.filter(pa.array(np.isinf(values))))
    return dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True))


def listed(found: dict[str, int]) -> str:
    """Return offending values with counts in words, the most frequent first; "" for a single cell."""
    total = sum(found.values())
    if total <= 1:
        return ""
    often = sorted(found, key=lambda text: -found[text])
    values = ", ".join(f"'{text[:40]}'" + f" ({found[text]} times)" * (found[text] > 1) for text in often[:SHOWN])
    more = f", … ({len(found)} different ones)" if len(found) > SHOWN else ""
    return f"{total} cells of this kind: {values}{more}"


def options(found: dict[str, int]) -> str:
    """Return options that accept the values: dataset.censored for bounds, dataset.na_values for words."""
    ways = []
    if any(re.match(RELATED, text) for text in found):
        ways.append("dataset.censored=drop (no label) or dataset.censored=bound (the number) for values with a sign")
    words = [text for text in found if not re.search(r"\d", text) and len(text) <= 40]
    if words:
        ways.append(f"{shell_word('dataset.na_values', quoted_list(words[:SHOWN]))} where words mean a missing label")
    return f"Set {'; or '.join(ways)}" if ways else ""


def remedies(found: dict[str, int], cells: pa.ChunkedArray) -> str:
    """Return advice on offending values of a column that are almost numbers."""
    hints = hint(found)
    pointed = cells.filter(pc.match_substring_regex(cells, r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"))
    if len(pointed) and any(re.fullmatch(r"[+-]?(\d[\d.]*)?,\d+|[+-]?\d{1,3}(\.\d{3}){2,}", text) for text in found):
        hints += f"; and '{pointed[0].as_py()}' in the same column may be {meanings(pointed[0].as_py())}: write which"
    return hints


def hint(found: Iterable[str]) -> str:
    """Return advice on cells that are almost numbers."""
    texts = list(found)
    commas = [text for text in texts if COMMA.fullmatch(text)]
    hints = [_hint(text) for text in texts[:SHOWN] if text not in commas]
    if commas and all(GROUPED.fullmatch(text) for text in commas):
        hints.append(f"; '{commas[0]}' may be {meanings(commas[0])}: write which, the same way in all cells")
    elif commas:
        hints.append("; write a decimal point, not a comma")
    return "".join(dict.fromkeys(filter(None, hints)))


def _hint(text: str) -> str:
    if re.match(RELATED, text):
        return "; a value that is only bounded cannot be used: leave it out, drop the sign, or set dataset.censored"
    if re.match(RELATION, text) and re.search(r"\d", text):
        return "; what follows its sign is no number: remove a unit, a minus sign that is not '-', and the like"
    if (unseen := re.search(f"[{INVISIBLE}]", text)) and re.match(NUMBER, re.sub(f"[{INVISIBLE}]", "", text)):
        return f"; it holds the invisible character U+{ord(unseen[0]):04X}: remove it"
    if (sign := re.search(f"[{MINUS}]", text)) and re.match(NUMBER, re.sub(rf"[{MINUS}]\s*", "-", text)):
        return f"; its minus sign is U+{ord(sign[0]):04X}: write '-'"
    return next((what for pattern, what in NEARLY if pattern.fullmatch(text) and not re.match(NUMBER, text)), "")


def almost_numeric(name: str, cells: pa.ChunkedArray, *, looks: bool = True) -> str | None:
    """Return why a column is not numeric, if most cells are numbers or, with `looks`, resemble numbers; or None."""
    values = as_numbers(cells)
    if np.isnan(values).all():
        return f"'{name}' is empty"
    row = int(np.isinf(values).argmax())
    if not np.isinf(values[row]):
        return None
    text = cells[row].as_py()
    found = offending(cells, values)
    if np.isinf(values).sum() > np.isfinite(values).sum() and not (looks and _looks_numeric(values, found)):
        return None
    reason = f"'{name}' has '{text[:80]}' in data row {row + 1}, not a finite number{remedies(found, cells)}"
    return "; ".join(filter(None, (reason, listed(found), options(found).replace("Set", "set", 1))))


def _looks_numeric(values: NDArray[np.float64], found: Iterable[str]) -> bool:
    return bool(np.isfinite(values).any()) or any(text[0].isdigit() or hint([text]) for text in found)


def check_thousands(spec: DatasetSpec, sheet: Sheet, names: Sequence[str]) -> None:
    """Raise UsageError for a label column whose points may separate thousands, in a table with decimal commas.

    An example is "56.993" beside a column with "3,77", which can be 56993 or 56.993; a cell of Excel or Parquet that
    holds a number cannot.
    """
    texts = [name for name in names if name not in sheet.numbers]
    for name, cells in zip(texts, sheet.columns(texts) if texts else [], strict=True):
        trimmed = label_cells(spec, sheet, name, cells).cells
        pointed = trimmed.filter(pc.match_substring(trimmed, "."))
        thousands = len(pointed) > 0 and pc.all(pc.match_substring_regex(pointed, DOTTED_THOUSANDS)).as_py()
        if name in sheet.commas or not thousands:
            continue
        columns = zip(sheet.names, sheet.load(range(len(sheet.names))), strict=True)
        written = sorted({*sheet.commas, *(other for other, texts in columns if is_written_with_commas(texts))})
        if written:
            text = pointed[0].as_py()
            plain = meanings(text) if sheet.decimal_commas else text.replace(".", "")
            problem = (
                f"{sheet.what}, column '{name}': '{text}' may be {meanings(text)}: column '{written[0]}' has decimal"
                f" commas, so that a point may separate thousands. Write {plain}, or all numbers of the table with"
                " decimal points."
            )
            raise UsageError(problem, key=name, got=text)
