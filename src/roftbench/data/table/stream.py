"""A table of any length read in chunks of rows, in bounded memory, every column carried as text."""

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from roftbench.data.smiles import ATOM_MAP
from roftbench.data.table import formats, infer
from roftbench.data.table.quotes import LAST, check_rows
from roftbench.data.table.reader import (
    PEEK,
    Layout,
    Sheet,
    as_text,
    is_parquet,
    layout,
    loaded_sheet,
    text_sheet,
    unpack,
    why_not,
)
from roftbench.data.table.unpacked import READ, Utf8, opened, read_blocks
from roftbench.errors import UsageError
from roftbench.store.gzipped import TooMuchError

HEAD = 1 << 20  # bytes from which columns are guessed
# The last readers, kept until the process ends: pyarrow reads ahead in a thread of its own, and one that is dropped
# just before Python ends can abort the process.
_READERS: deque[Any] = deque(maxlen=4)
LINE_END = re.compile(rb"[ \t]*(\r\n|\n|\r)?")
ENCODINGS = {"utf-8-sig": "", "cp1252": "Windows-1252", "latin-1": "Latin-1", "utf-16": ""}


@dataclass(frozen=True)
class Rows:
    """An open table: names of its columns, which of them is SMILES, number of rows, and what names its content."""

    path: Path
    names: list[str]
    smiles: int
    count: int
    sha256: str
    notes: list[str]
    _way: "_Text | _Parquet | _Whole"

    def chunks(self, size: int, skip: int = 0) -> Iterator[list[list[str]]]:
        """Yield the columns of each `size` rows (the last time fewer), after the first `skip` rows.

        Raises:
            UsageError: the table cannot be read to its end.
        """
        held: list[list[str]] = [[] for _ in self.names]
        for columns in self._blocks():
            length = len(columns[0])
            dropped = min(skip, length)
            skip -= dropped
            for kept, column in zip(held, columns, strict=True):
                kept += column[dropped:]
            while len(held[0]) >= size:
                yield [column[:size] for column in held]
                held = [column[size:] for column in held]
        if held[0]:
            yield held

    def _blocks(self) -> Iterator[list[list[str]]]:
        try:
            yield from self._way.blocks()
        except OSError as error:
            raise UsageError(
                f"input={self.path} cannot be read: {error.strerror or error}", key="input", got=str(self.path)
            ) from None


def open_rows(path: Path, smiles_column: str | None) -> Rows:
    """Look through a whole table (CSV, TSV, gzipped, Parquet), so that what is wrong with it is told at once.

    Raises:
        UsageError: it cannot be read, is no table, or its SMILES column is not there or cannot be guessed.
    """
    if path.exists() and not path.is_file():  # a pipe can be read once only
        raise UsageError(
            f"input={path} is no regular file: save what it holds, and give that file", key="input", got=str(path)
        )
    try:
        way = _way(path)
        sheet = way.head()
        _each_once(path, sheet.names)
        name = smiles_column or infer.smiles_column(sheet, "smiles_column")
        found = [] if smiles_column else infer.smiles_in_words(sheet, name, "smiles_column")
        position = sheet.position(name)
        count, notes = _looked_through(way.blocks(), position)
    except OSError as error:
        problem = f"input={path} cannot be read: {error.strerror or error} (looked at {path.resolve()})"
        raise UsageError(problem, key="input", got=str(path)) from None
    if not count:
        raise UsageError(f"{path} has no rows", key=str(path))
    return Rows(path, sheet.names, position, count, way.sha256, [*sheet.notes, *found, *notes], way)


def _way(path: Path) -> "_Text | _Parquet | _Whole":
    with path.open("rb") as file:
        first = file.read(4)
    if is_parquet(path.name, first):
        return _Parquet(path)
    try:
        with opened(path) as unpacked:
            start = unpacked.read(PEEK)
    except (EOFError, zlib.error, gzip.BadGzipFile):  # named when all of it is read
        start = b""
    return _Whole.of(path) if formats.is_loadable(path.name, start) else _text(path)


def _looked_through(blocks: Iterator[list[list[str]]], position: int) -> tuple[int, list[str]]:
    """Return the number of rows, and notes on what their SMILES cells hold besides."""
    count = blanks = maps = 0
    for block in blocks:
        count += len(block[0])
        blanks += sum(" " in text.strip() or "\t" in text.strip() for text in block[position])
        maps += sum(ATOM_MAP.search(text) is not None for text in block[position])
    notes = [f"{blanks} SMILES cells hold a blank: a name (not read) or CXSMILES follows, or the row has a reason"]
    return count, [*notes * (blanks > 0), *[f"atom-map numbers of {maps} SMILES are ignored"] * (maps > 0)]


def _each_once(path: Path, names: list[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(
            f"{path} has {names.count(twice[0])} columns called '{twice[0]}': give each a name of its own", key=twice[0]
        )


@dataclass(frozen=True)
class _Whole:
    """A file that is read as a whole: an Excel sheet, an SD file."""

    sha256: str
    sheet: Sheet
    columns: list[list[str]]

    @classmethod
    def of(cls, path: Path) -> "_Whole":
        raw = path.read_bytes()
        found = formats.load(str(path), unpack(str(path), raw))
        return cls(hashlib.sha256(raw).hexdigest(), loaded_sheet(str(path), found), found.columns)

    def head(self) -> Sheet:
        """Return the table."""
        return self.sheet

    def blocks(self) -> Iterator[list[list[str]]]:
        """Yield the columns of all rows."""
        yield self.columns


class _Parquet:
    """Batches of a Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()

    def head(self) -> Sheet:
        columns = self._file().schema_arrow.names
        none: list[list[str]] = [[] for _ in columns]
        _each_once(self.path, columns)
        first = next(self.blocks(), none)
        return Sheet(str(self.path), columns, [], lambda at: [pa.chunked_array([first[i]], pa.string()) for i in at])

    def _file(self) -> Any:
        try:
            return pa.parquet.ParquetFile(self.path)
        except pa.ArrowException as error:
            with opened(self.path) as file:
                formats.check_signature(str(self.path), file.read(PEEK))
            raise UsageError(
                f"{self.path} is not a Parquet table, or a damaged one: {error}", key=str(self.path)
            ) from None

    def blocks(self) -> Iterator[list[list[str]]]:
        """Yield the columns of some rows."""
        file = self._file()
        names = file.schema_arrow.names
        try:
            for batch in file.iter_batches(batch_size=8192, columns=names, use_threads=False):
                batch.validate(full=True)
                yield [as_text(pa.chunked_array([column])).to_pylist() for column in batch.columns]
        except pa.ArrowException as error:
            raise UsageError(f"{self.path} is a damaged Parquet table: {error}", key=str(self.path)) from None


@dataclass(frozen=True)
class _Text:
    """A table of text: how it is written, its encoding, whether a quote occurs, where rows begin."""

    path: Path
    sha256: str
    encoding: str
    quoted: bool
    begin: int
    layout: Layout

    def head(self) -> Sheet:
        """Return the table of the first rows."""
        return text_sheet(str(self.path), self.layout)

    def blocks(self) -> Iterator[list[list[str]]]:
        """Yield the columns of some rows; raises UsageError where a row has more cells or fewer."""
        names = [str(position) for position in range(len(self.layout.names))]
        ragged: list[Any] = []
        blank: list[Any] = []

        def judge(row: Any) -> str:
            (ragged if row.text.strip() else blank).append(row)
            return "error" if ragged else "skip"

        tail = self.layout.separator.join([LAST] * len(names)).encode() if self.quoted else b""
        before: list[list[str]] | None = None
        count = 0
        with io.BufferedReader(Utf8(self.path, self.encoding, self.begin, tail), READ) as body:
            try:
                reader = pa.csv.open_csv(
                    pa.PythonFile(body, "r"),
                    pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=READ),
                    pa.csv.ParseOptions(
                        delimiter=self.layout.separator,
                        newlines_in_values=self.quoted,
                        ignore_empty_lines=len(names) > 1,  # of a single column they are rows, too
                        invalid_row_handler=judge,
                    ),
                    pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
                )
                _READERS.append(reader)
                for batch in reader:
                    if not batch.num_rows:
                        continue
                    if self.quoted:
                        check_rows(str(self.path), self.layout.names, batch.columns, self.layout.separator, count)
                    count += batch.num_rows
                    if before is not None:
                        yield before
                    before = [column.to_pylist() for column in batch.columns]
            except pa.ArrowException as error:
                raise UsageError(
                    why_not(str(self.path), len(names), ragged, len(blank), error), key=str(self.path)
                ) from None
        if before is None:
            return
        if self.quoted and any(column.pop() != LAST for column in before):
            raise UsageError(f'{self.path}: a quote (") is opened and never closed', key=str(self.path))
        yield before


def _text(path: Path) -> _Text:
    """Read a table of text once: its encoding, its checksum, and how its first rows are written."""
    digest, quoted, nul = hashlib.sha256(), False, False
    possible = {name: codecs.getincrementaldecoder(name)() for name in ENCODINGS if name != "utf-16"}
    try:
        for block in read_blocks(path):
            digest.update(block)
            quoted = quoted or b'"' in block
            nul = nul or b"\0" in block
            possible = {name: decoder for name, decoder in possible.items() if _decodes(decoder, block)}
    except TooMuchError as error:
        raise UsageError(f"{path}: {error}", key=str(path)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{path} is a damaged gzip file: {error}. Copy or download it again.", key=str(path)) from None
    with opened(path) as raw:
        start = raw.read(PEEK)
    formats.check_signature(str(path), start)
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else next(iter(possible))
    if nul and encoding != "utf-16":
        raise UsageError(f"{path} is not a table of text: it holds NUL bytes. Save it as CSV, in UTF-8.", key=str(path))
    try:
        with io.BufferedReader(Utf8(path, encoding)) as text:
            head = text.read(HEAD)
    except UnicodeError as error:
        raise UsageError(
            f"{path} begins as UTF-16 text but is none: {error}. Save it in UTF-8.", key=str(path)
        ) from None
    if not head.strip():
        raise UsageError(f"{path} is empty: a table has a header line and a row for each molecule", key=str(path))
    whole = _whole_rows(head)
    found = layout(str(path), path.name, whole, alone=True)
    notes = [*found.notes, *([f"the file is not UTF-8: read as {ENCODINGS[encoding]}"] if ENCODINGS[encoding] else [])]
    end_of_line = LINE_END.match(found.text, found.begin).end()  # type: ignore[union-attr]  # it matches nothing, too
    begin = len(whole) - len(found.text) + end_of_line
    return _Text(path, digest.hexdigest(), encoding, quoted, begin, replace(found, notes=notes))


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    try:
        decoder.decode(block)
    except UnicodeError:
        return False
    return True


def _whole_rows(head: bytes) -> bytes:
    """Cut the beginning of a text after a row, as far as lines and quotes tell; all of a short text is left."""
    if len(head) < HEAD:
        return head
    end = head.rfind(b"\n")
    odd = head.count(b'"', 0, end) % 2 if end > 0 else 0
    while end > 0 and odd:
        before = head.rfind(b"\n", 0, end)
        odd = (odd - head.count(b'"', max(before, 0), end)) % 2
        end = before
    return head[: end + 1] if end > 0 else head
