"""The bytes of a table as columns of text: gzip, encodings, separators, quotes, Parquet; and what is no table."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from roftbench.data.table import formats
from roftbench.data.table.decimals import has_decimal_commas
from roftbench.data.table.quotes import LAST, check_rows, physical_rows
from roftbench.errors import UsageError
from roftbench.overrides import as_written
from roftbench.store.gzipped import GZIP, GzipError, TooMuchError, unpacked

SEPARATORS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
PEEK = 1 << 16  # bytes from which the kind of a file is known
TABBED = (".tsv", ".tab")
SEPARATOR_LINE = re.compile(rb"sep=.\r?\n")  # a spreadsheet's own first line
BLANK_LINES = re.compile(rb"(?:[ \t]*[\r\n]+)*")
HEADER = re.compile(rb'(?:[^"\r\n]+|"[^"]*")*')
BLOCK = 1 << 24  # bytes read at a time: no row may be longer


@dataclass(frozen=True)
class Sheet:
    """An open table: the `names` of its columns, `notes` on what was guessed about the file, and `load` for cells.

    `load` takes positions of columns and returns their cells as text, "" where a cell is empty or missing. `what`
    names the table in messages. `commas` are the columns that were found to have decimal commas, so far as they were
    loaded: their cells come with a point. `decimal_commas` tells whether there can be any.
    """

    what: str
    names: list[str]
    notes: list[str]
    load: Callable[[Sequence[int]], list[pa.ChunkedArray]]
    commas: set[str] = field(default_factory=set)
    decimal_commas: bool = False

    def position(self, name: str) -> int:
        """Return where the column of this name is.

        Raises:
            UsageError: no column or several have this name.
        """
        if name not in self.names:
            raise UsageError(f"{self.what} has no column '{name}'.{as_written(name, self.names)}", key=name, got=name)
        if (count := self.names.count(name)) > 1:
            raise UsageError(f"{self.what} has {count} columns called '{name}': give each a name of its own", key=name)
        return self.names.index(name)

    def columns(self, names: Sequence[str]) -> list[pa.ChunkedArray]:
        """Return the cells of the columns of these names as text; raises as `position` and `load` do."""
        return self.load([self.position(name) for name in names])


def unpack(what: str, raw: bytes) -> bytes:
    """Return the content of a gzip file, known by its first bytes, and of any other file its bytes as they are."""
    try:
        return unpacked(raw) if raw[:2] == GZIP else raw
    except TooMuchError as error:
        raise UsageError(f"{what}: {error}", key=what) from None
    except GzipError as error:
        raise UsageError(f"{what} is a damaged gzip file: {error}. Copy or download it again.", key=what) from None


@dataclass(frozen=True)
class Layout:
    """How a table of text is written: names of columns, separator, where the first row begins, notes on guesses.

    `begin` counts bytes of the text in UTF-8, of which `text` is all or the beginning.
    """

    names: list[str]
    separator: str
    text: bytes
    begin: int
    notes: list[str]


def open_sheet(what: str, file: str, content: bytes) -> Sheet:
    """Return the table of a file of this name with this unpacked content; its cells are read when they are asked for.

    Raises:
        UsageError: it is no table, or has no rows or a single column.
    """
    if re.search(rb"\S", content) is None:
        raise UsageError(f"{what} is empty: a table has a header line and a row for each molecule", key=what)
    if is_parquet(file, content):
        return _open_parquet(what, content)
    if formats.is_loadable(file, content[:PEEK]):
        return loaded_sheet(what, formats.load(what, content))
    return text_sheet(what, layout(what, file, content))


def is_parquet(file: str, content: bytes) -> bool:
    """Tell from a file's name and first bytes whether it is Parquet."""
    return content[:4] == b"PAR1" or _suffix(file) in (".parquet", ".pq")


def loaded_sheet(what: str, found: formats.Loaded) -> Sheet:
    """Return the table of a file that was read as a whole."""
    columns = [pa.chunked_array([column], pa.string()) for column in found.columns]
    return Sheet(what, found.names, found.notes, lambda positions: [columns[position] for position in positions])


def text_sheet(what: str, found: Layout) -> Sheet:
    """Return the table of a text; its cells are read when they are asked for."""
    body = memoryview(found.text)[found.begin :]
    quoted = found.text.find(b'"', found.begin) >= 0
    names = found.names
    commas: set[str] = set()
    unchecked = quoted

    def load(positions: Sequence[int]) -> list[pa.ChunkedArray]:
        nonlocal unchecked
        columns = _load(what, body, quoted, len(names), found.separator, positions)
        if unchecked and columns and physical_rows(body) > len(columns[0]):
            whole = _load(what, body, quoted, len(names), found.separator, range(len(names)))
            check_rows(what, names, whole, found.separator)
        unchecked = unchecked and not columns
        if found.separator == ",":
            return columns
        for at, (position, cells) in enumerate(zip(positions, columns, strict=True)):
            if has_decimal_commas(cells):
                commas.add(names[position])
                columns[at] = pc.replace_substring(cells, ",", ".")
        return columns

    return Sheet(what, names, found.notes, load, commas, decimal_commas=found.separator != ",")


def _suffix(file: str) -> str:
    return Path(file.lower().removesuffix(".gz")).suffix


def layout(what: str, file: str, content: bytes, *, alone: bool = False) -> Layout:
    """Return how a text is written, from all of it or from its beginning; `alone`: it may have a single column.

    Raises:
        UsageError: it is no table, or has no rows.
    """
    suffix = _suffix(file)
    formats.check_signature(what, content[:PEEK])
    text, notes = _as_utf8(what, content)
    if b"\0" in text:
        raise UsageError(f"{what} is not a table of text: it holds NUL bytes. Save it as CSV, in UTF-8.", key=what)
    text = text[found.end() :] if (found := SEPARATOR_LINE.match(text)) else text
    start = BLANK_LINES.match(text).end()  # type: ignore[union-attr]  # it matches nothing, too
    end = HEADER.match(text, start).end()  # type: ignore[union-attr]
    if text[end : end + 1] == b'"':
        raise UsageError(f'{what}: a quote (") in the header line is left open', key=what)
    header = text[start:end]
    separator = _separator(header, suffix)
    if separator != ("\t" if suffix in TABBED else ","):
        notes.append(f"separator {SEPARATORS[separator]}")
    names = _names(what, header, separator, alone=alone)
    if re.compile(rb"\S").search(text, end) is None:
        raise UsageError(f"{what} has no rows: there is nothing below the header {', '.join(names[:20])}", key=what)
    return Layout(names, separator, text, end, notes)


def _as_utf8(what: str, content: bytes) -> tuple[bytes, list[str]]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16").encode(), []
        except UnicodeError as error:
            raise UsageError(
                f"{what} begins as UTF-16 text but is none: {error}. Save it in UTF-8.", key=what
            ) from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    for encoding, name in (("utf-8", None), ("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
        try:
            text = content if content.isascii() else content.decode(encoding).encode()
        except UnicodeError:
            continue
        return text, [f"the file is not UTF-8: read as {name}"] if name else []
    raise AssertionError("every byte is a character of Latin-1")


def _separator(header: bytes, suffix: str) -> str:
    counts = Counter(re.sub(rb'"[^"]*"', b"", header).decode())
    if suffix in TABBED and counts["\t"]:
        return "\t"
    return max(SEPARATORS, key=counts.__getitem__)  # the first one where none is there


def _names(what: str, header: bytes, separator: str, *, alone: bool) -> list[str]:
    options = pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    reading = pa.csv.ReadOptions(use_threads=False, block_size=max(len(header) + 1, BLOCK))
    try:
        names: list[str] = pa.csv.read_csv(pa.BufferReader(header + b"\n"), reading, options).column_names
    except pa.ArrowException as error:
        raise UsageError(f"{what} is not a CSV table: its header cannot be read: {error}", key=what) from None
    if len(names) == 1 and not alone:
        raise UsageError(
            f"{what} has one column only, '{names[0][:80]}', and so no label. Separate SMILES and labels by one of"
            f" {', '.join(SEPARATORS.values())}, in the header line too.",
            key=what,
        )
    return names


def _load(
    what: str, body: memoryview, quoted: bool, width: int, separator: str, positions: Sequence[int]
) -> list[pa.ChunkedArray]:
    if not positions:
        return []  # to pyarrow, no names mean all columns
    ragged: list[Any] = []
    blank: list[Any] = []

    def judge(row: Any) -> str:
        (ragged if row.text.strip() else blank).append(row)
        return "error" if ragged else "skip"

    names = [str(position) for position in range(width)]
    content = b"".join([body, b"\n", separator.join([LAST] * width).encode()]) if quoted else body
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(content),
            pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=BLOCK),
            pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=judge),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),  # a SMILES such as "N" or "NaN" must survive
                include_columns=[names[position] for position in positions],
            ),
        )
    except pa.ArrowException as error:
        raise UsageError(why_not(what, width, ragged, len(blank), error), key=what) from None
    columns: list[pa.ChunkedArray] = table.columns
    if quoted:
        if any(column[-1].as_py() != LAST for column in columns):
            raise UsageError(f'{what}: a quote (") is opened and never closed', key=what)
        columns = [column[:-1] for column in columns]
    return columns


def why_not(what: str, width: int, ragged: list[Any], blank: int, error: Exception) -> str:
    """Return why a text is no table of so many columns: its first ragged row (after `blank` others), or the error."""
    if not ragged:
        return f'{what} is not a CSV table: {error}. Is a quote (") left open?'
    row, count = ragged[0], ragged[0].actual_columns
    return (
        f"{what}, data row {row.number - blank} has {count} cell{'s' * (count != 1)}, but the header has {width} names:"
        f" {row.text[:80]!r}. Name every column, quote cells that hold the separator, remove separators at the end of"
        " lines, and close every quote."
    )


def _open_parquet(what: str, content: bytes) -> Sheet:
    try:
        file = pa.parquet.ParquetFile(pa.BufferReader(content))
        names = file.schema_arrow.names
    except (pa.ArrowException, OSError, UnicodeError) as error:
        formats.check_signature(what, content[:PEEK])
        raise UsageError(f"{what} is not a Parquet table, or a damaged one: {error}", key=what) from None
    if not file.metadata.num_rows:
        raise UsageError(f"{what} has no rows", key=what)

    def load(positions: Sequence[int]) -> list[pa.ChunkedArray]:
        try:
            table = file.read(columns=[names[position] for position in positions], use_threads=False)
            table.validate(full=True)  # a text that is no UTF-8 is noticed nowhere else
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"{what} is a damaged Parquet table: {error}", key=what) from None
        read = [position for position, name in enumerate(names) if name in table.column_names]  # "a" also reads "a.b"
        return [as_text(table.column(read.index(position))) for position in positions]

    return Sheet(what, names, [], load)


def as_text(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the cells of a Parquet column as text, "" where one is missing."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells)  # pandas' mark of a missing number
    try:
        text = cells.cast(pa.string())
    except pa.ArrowException:  # lists, records, bytes: neither SMILES nor labels
        text = pc.if_else(pc.is_valid(cells), f"<{cells.type}>", "")
    return pc.fill_null(text, "")
