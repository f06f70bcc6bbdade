"""A table of any length read in chunks of rows, in bounded memory, every column carried as text."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from roftbench.data.smiles import ATOM_MAP
from roftbench.data.table import formats, infer
from roftbench.data.table.parquet import is_parquet, open_parquet
from roftbench.data.table.quotes import check_rows
from roftbench.data.table.reader import Batched, Sheet, sheet_of, text_sheet, unpack
from roftbench.data.table.text import PEEK, Text, open_text
from roftbench.data.table.unpacked import opened
from roftbench.errors import UsageError


@dataclass(frozen=True)
class Rows:
    """An open table of any length.

    Attributes:
        path: the file.
        names: names of the columns.
        smiles: position of the SMILES column.
        count: number of rows.
        sha256: digest of the content (unpacked, for a text).
        notes: what was guessed.
    """

    path: Path
    names: list[str]
    smiles: int
    count: int
    sha256: str
    notes: list[str]
    _table: Batched

    def chunks(self, size: int, skip: int = 0) -> Iterator[list[list[str]]]:
        """Yield the columns of each `size` rows (the last time fewer), after the first `skip` rows.

        Raises:
            UsageError: the table cannot be read to its end.
        """
        held: list[list[str]] = [[] for _ in self.names]
        for columns in self._batches():
            length = len(columns[0])
            dropped = min(skip, length)
            skip -= dropped
            for kept, column in zip(held, columns, strict=True):
                kept += column[dropped:].to_pylist()
            full = len(held[0]) // size * size
            for start in range(0, full, size):
                yield [column[start : start + size] for column in held]
            held = [column[full:] for column in held]
        if held[0]:
            yield held

    def _batches(self) -> Iterator[list[pa.Array]]:
        try:
            yield from self._table.batches(range(len(self.names)))
        except OSError as error:
            raise UsageError(
                f"input={self.path} cannot be read: {error.strerror or error}", key="input", got=str(self.path)
            ) from None


def open_rows(path: Path, smiles_column: str | None) -> Rows:
    """Read a whole table (text, Parquet, Excel, SD file) once, so that problems are found at once.

    Raises:
        UsageError: it cannot be read, is no table, or its SMILES column is not there or cannot be guessed.
    """
    if path.exists() and not path.is_file():  # a pipe can be read once only
        raise UsageError(
            f"input={path} is no regular file: save what it holds, and give that file", key="input", got=str(path)
        )
    try:
        table, sheet, digest = _opened_table(path)
        for one in sheet.names:
            sheet.position(one)  # refuses names that occur twice
        name = smiles_column or infer.smiles_column(sheet, "smiles_column")
        found = [] if smiles_column else infer.smiles_in_words(sheet, name, "smiles_column")
        position = sheet.position(name, "smiles_column")
        count, notes = _survey(table, sheet, position)
    except OSError as error:
        raise UsageError(
            f"input={path} cannot be read: {error.strerror or error} (looked at {path.resolve()})",
            key="input",
            got=str(path),
        ) from None
    if not count:
        raise UsageError(f"{path} has no rows", key=str(path))
    return Rows(path, sheet.names, position, count, digest, [*sheet.notes, *found, *notes], table)


def _opened_table(path: Path) -> tuple[Batched, Sheet, str]:
    """Return a table, a sheet of its first rows, and the digest of its content."""
    what = str(path)
    with path.open("rb") as file:
        if is_parquet(path.name, file.read(4)):
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            table = open_parquet(what, path)
            sheet = Sheet(
                what, table.names, [], lambda at: [pa.chunked_array([one]) for one in next(table.batches(at))]
            )
            return table, sheet, digest
    try:
        with opened(path) as unpacked:
            start = unpacked.read(PEEK)
    except (EOFError, zlib.error, gzip.BadGzipFile):  # reported when all of it is read
        start = b""
    if formats.is_loadable(path.name, start):
        raw = path.read_bytes()
        loaded = formats.load(what, unpack(what, raw))
        return loaded, sheet_of(what, loaded), hashlib.sha256(raw).hexdigest()
    text = open_text(what, path.name, path, alone=True, hashed=True)
    return text, text_sheet(replace(text, source=text.head, encoding="utf-8")), text.sha256


def _survey(table: Batched, sheet: Sheet, position: int) -> tuple[int, list[str]]:
    """Return the number of rows, and notes on what SMILES cells hold besides; refuse rows in quoted cells."""
    count = blanks = maps = 0
    quoted = isinstance(table, Text) and table.quoted
    for columns in table.batches(range(len(sheet.names)) if quoted else [position]):
        if isinstance(table, Text) and quoted:
            check_rows(sheet.what, sheet.names, columns, table.layout.separator, count)
        smiles = columns[position if quoted else 0].to_pylist()
        count += len(smiles)
        blanks += sum(" " in text.strip() or "\t" in text.strip() for text in smiles)
        maps += sum(ATOM_MAP.search(text) is not None for text in smiles)
    notes = [f"{blanks} SMILES cells hold a blank: a name (not read) or CXSMILES follows, or the row has a reason"]
    return count, [*notes * (blanks > 0), *[f"atom-map numbers of {maps} SMILES are ignored"] * (maps > 0)]
