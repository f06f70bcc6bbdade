"""Tables of text (CSV and the like): encoding and layout found, rows read in batches."""

import codecs
import gzip
import hashlib
import io
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.csv

from roftbench.data.table import formats
from roftbench.data.table.layout import Layout, layout_of
from roftbench.data.table.quotes import LAST
from roftbench.data.table.unpacked import Source, Utf8, decoded_blocks, opened, read_blocks
from roftbench.errors import UsageError
from roftbench.store.gzipped import TooMuchError

PEEK = 1 << 16  # bytes that tell the kind of a file
HEAD = 1 << 20  # bytes of a file from which columns are guessed
BLOCK = 1 << 22  # bytes parsed at a time; no row may be longer
ENCODINGS = {"utf-8-sig": "", "cp1252": "Windows-1252", "latin-1": "Latin-1"}  # in this order, by their names in notes
UTF16 = "utf-16"
# The last readers are kept until the process ends: pyarrow reads ahead in a thread of its own, and dropping a reader
# just before Python ends can abort the process.
_READERS: deque[Any] = deque(maxlen=4)


@dataclass(frozen=True)
class Text:
    """A table of text.

    Attributes:
        what: name of the table in messages.
        source: the file or its content.
        encoding: Python's name of the encoding.
        quoted: whether there may be a quoted cell.
        layout: names of columns, separator, where rows begin.
        head: the header line and the first rows in UTF-8.
        sha256: digest of the unpacked content, "" unless it was asked for.
    """

    what: str
    source: Source
    encoding: str
    quoted: bool
    layout: Layout
    head: bytes
    sha256: str = ""

    def line_ends(self) -> int:
        """Return the number of line ends in the first rows; more than rows if a cell goes over lines."""
        head, begin = self.head, self.layout.begin
        return head.count(b"\n", begin) + head.count(b"\r", begin) - head.count(b"\r\n", begin)

    def batches(self, positions: Sequence[int]) -> Iterator[list[pa.Array]]:
        """Yield the cells of some columns, one at least, as text, for one batch of rows after the other.

        Raises:
            UsageError: a row has more or fewer cells than the header, or a quote is never closed.
        """
        tail = self.layout.separator.join([LAST] * len(self.layout.names)).encode() if self.quoted else b""
        held: list[pa.Array] | None = None
        with io.BufferedReader(Utf8(self.source, self.encoding, self.layout.begin, tail), BLOCK) as body:
            try:
                for batch in self._parsed(body, positions):
                    if batch.num_rows:
                        if held is not None:
                            yield held
                        held = batch.columns
            except pa.ArrowException as error:
                problem = f'{self.what} is not a CSV table: {error}. Is a quote (") left open?'
                raise UsageError(problem, key=self.what) from None
        if held is None:
            return
        if self.quoted:
            if any(column[-1].as_py() != LAST for column in held):
                raise UsageError(f'{self.what}: a quote (") is opened and never closed', key=self.what)
            held = [column[:-1] for column in held]
        if len(held[0]):
            yield held

    def _parsed(self, body: "io.BufferedReader[Utf8]", positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield rows as pyarrow parses them, until one has more or fewer cells than the header."""
        names = [str(position) for position in range(len(self.layout.names))]
        ragged: list[tuple[Any, int]] = []  # the first one, and how many blank rows were skipped before it
        blank = 0

        def judge(row: Any) -> str:
            """Note the first ragged row, and skip it: an error within `open_csv` drops the reader, see `_READERS`."""
            nonlocal blank
            if not row.text.strip():
                blank += 1
            elif not ragged:
                ragged.append((row, blank))
            return "skip"

        reader = pa.csv.open_csv(
            pa.PythonFile(body, "r"),
            pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=BLOCK),
            pa.csv.ParseOptions(
                delimiter=self.layout.separator,
                newlines_in_values=self.quoted,
                ignore_empty_lines=len(names) > 1,  # those of a single column are rows
                invalid_row_handler=judge,
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),  # a SMILES such as "N" or "NaN" must survive
                include_columns=[names[position] for position in positions],
            ),
        )
        _READERS.append(reader)
        for batch in reader:
            if ragged:
                break
            yield batch
        if ragged:
            raise UsageError(self._ragged(*ragged[0]), key=self.what)

    def _ragged(self, row: Any, blank: int) -> str:
        """Return why this is no table: a row with more or fewer cells than the header, after `blank` skipped rows."""
        count, width = row.actual_columns, len(self.layout.names)
        return (
            f"{self.what}, data row {row.number - blank} has {count} cell{'s' * (count != 1)}, but the header has"
            f" {width} names: {row.text[:80]!r}. Name every column, quote cells that hold the separator, remove"
            " separators at the end of lines, and close every quote."
        )


def open_text(what: str, file: str, source: Source, *, alone: bool = False, hashed: bool = False) -> Text:
    """Return the table of a text, its encoding known from all of it.

    Args:
        what: name of the table in messages.
        file: name of the file.
        source: the file or its unpacked content.
        alone: accept a single column.
        hashed: compute the digest of the content.

    Raises:
        UsageError: it is no table, or has no rows.
    """
    digest, quoted, nul = hashlib.sha256(), False, False
    try:
        for block in read_blocks(source):
            if hashed:
                digest.update(block)
            quoted = quoted or b'"' in block
            nul = nul or b"\0" in block
    except TooMuchError as error:
        raise UsageError(f"{what}: {error}", key=what) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{what} is a damaged gzip file: {error}. Copy or download it again.", key=what) from None
    with opened(source) as raw:
        start = raw.read(PEEK)
    formats.check_signature(what, start)
    encoding = _encoding(what, source, start)
    if nul and (encoding != UTF16 or any(b"\0" in block for block in decoded_blocks(source, encoding))):
        raise UsageError(f"{what} is not a table of text: it holds NUL bytes. Save it as CSV, in UTF-8.", key=what)
    limit = -1 if isinstance(source, bytes) else HEAD
    with io.BufferedReader(Utf8(source, encoding)) as text:
        head = source if isinstance(source, bytes) and source.isascii() else text.read(limit)
    if not head or head.isspace():
        raise UsageError(f"{what} is empty: a table has a header line and a row for each molecule", key=what)
    if len(head) == limit:
        head = _whole_rows(head)
    other = ENCODINGS.get(encoding, "")
    begin = len(codecs.BOM_UTF8.decode(encoding).encode()) if other and start.startswith(codecs.BOM_UTF8) else 0
    found = layout_of(what, file, head[begin:], alone=alone)
    notes = [f"the file is not UTF-8: read as {other}"] if other else []
    found = replace(found, begin=begin + found.begin, notes=[*notes, *found.notes])
    if isinstance(source, bytes):
        source, encoding = head, "utf-8"
    return Text(what, source, encoding, quoted, found, head, digest.hexdigest() if hashed else "")


def _encoding(what: str, source: Source, start: bytes) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            deque(decoded_blocks(source, UTF16), maxlen=0)
        except UnicodeError as error:
            raise UsageError(
                f"{what} begins as UTF-16 text but is none: {error}. Save it in UTF-8.", key=what
            ) from None
        return UTF16
    for name in ENCODINGS:
        with suppress(UnicodeError):
            deque(decoded_blocks(source, name), maxlen=0)
            return name
    raise AssertionError("every byte is a character of Latin-1")


def _whole_rows(head: bytes) -> bytes:
    """Cut the beginning of a text after a row, as far as lines and quotes tell."""
    end = head.rfind(b"\n")
    odd = head.count(b'"', 0, end) % 2 if end > 0 else 0
    while end > 0 and odd:
        before = head.rfind(b"\n", 0, end)
        odd = (odd - head.count(b'"', max(before, 0), end)) % 2
        end = before
    return head[: end + 1] if end > 0 else head
