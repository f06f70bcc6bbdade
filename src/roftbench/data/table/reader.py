"""The content of a table as columns of text, whatever its format."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from roftbench.data.table import formats
from roftbench.data.table.decimals import has_decimal_commas
from roftbench.data.table.loaded import Loaded
from roftbench.data.table.parquet import Parquet, is_parquet, open_parquet
from roftbench.data.table.quotes import check_rows
from roftbench.data.table.text import PEEK, Text, open_text
from roftbench.errors import UsageError
from roftbench.overrides import as_written
from roftbench.store.gzipped import GZIP, GzipError, TooMuchError, unpacked


@dataclass(frozen=True)
class Sheet:
    """An open table, whose cells are read when they are asked for.

    Attributes:
        what: name of the table in messages.
        names: names of its columns.
        notes: what was guessed about the file.
        load: function from positions of columns to their cells as text, "" where a cell is empty or missing.
        commas: columns that were found to have decimal commas when they were loaded; their cells come with a point.
        decimal_commas: whether a column can have decimal commas.
        own_graphs: columns of x and of edge_attr of the graphs in the rows, where these have no SMILES.
        numbers: columns whose cells the file holds as numbers, not as text.
        labels: columns that the file itself holds as labels.
    """

    what: str
    names: list[str]
    notes: list[str]
    load: Callable[[Sequence[int]], list[pa.ChunkedArray]]
    commas: set[str] = field(default_factory=set)
    decimal_commas: bool = False
    own_graphs: tuple[int, int] | None = None
    numbers: frozenset[str] = frozenset()
    labels: tuple[str, ...] = ()

    def position(self, name: str, key: str = "dataset.targets") -> int:
        """Return the position of the column of this name, which the option `key` gives.

        Raises:
            UsageError: no column or several have this name.
        """
        if name not in self.names:
            how = as_written(name, self.names, key)
            raise UsageError(f"{self.what} has no column '{name}'.{how}", key=name, got=name)
        if (count := self.names.count(name)) > 1:
            raise UsageError(f"{self.what} has {count} columns called '{name}': give each a name of its own", key=name)
        return self.names.index(name)

    def columns(self, names: Sequence[str]) -> list[pa.ChunkedArray]:
        """Return the cells of the columns of these names as text; raises as `position` and `load` do."""
        return self.load([self.position(name) for name in names])


class Batched(Protocol):
    """A table that is read in batches of rows."""

    def batches(self, positions: Sequence[int]) -> Iterator[list[pa.Array]]:
        """Yield the cells of some columns as text, for one batch of rows after the other."""


def unpack(what: str, raw: bytes) -> bytes:
    """Return the content of a gzip file, known by its first bytes, or that of any other file as it is."""
    try:
        return unpacked(raw) if raw[:2] == GZIP else raw
    except TooMuchError as error:
        raise UsageError(f"{what}: {error}", key=what) from None
    except GzipError as error:
        raise UsageError(f"{what} is a damaged gzip file: {error}. Copy or download it again.", key=what) from None


def open_sheet(what: str, file: str, content: bytes) -> Sheet:
    """Return the table of a file of this name with this unpacked content.

    Raises:
        UsageError: it is no table, or has no rows or a single column.
    """
    if re.search(rb"\S", content) is None:
        raise UsageError(f"{what} is empty: a table has a header line and a row for each molecule", key=what)
    if is_parquet(file, content):
        return sheet_of(what, open_parquet(what, content))
    if formats.is_loadable(file, content[:PEEK]):
        return sheet_of(what, formats.load(what, content))
    return text_sheet(open_text(what, file, content))


def whole(table: Batched, positions: Sequence[int]) -> list[pa.ChunkedArray]:
    """Return the cells of some columns of all rows: the batches, one behind the other."""
    batches = list(table.batches(positions)) if positions else []
    return [pa.chunked_array([batch[at] for batch in batches], pa.string()) for at in range(len(positions))]


def sheet_of(what: str, table: Parquet | Loaded) -> Sheet:
    """Return a table that is no text as a sheet."""
    own, labels = (table.own_graphs, table.labels) if isinstance(table, Loaded) else (None, ())
    load = partial(whole, table)
    return Sheet(what, table.names, table.notes, load, own_graphs=own, numbers=table.numbers, labels=labels)


def text_sheet(text: Text) -> Sheet:
    """Return the table of a text: rows in quoted cells refused, numbers with decimal commas written with points."""
    names, separator = text.layout.names, text.layout.separator
    commas: set[str] = set()
    unchecked = text.quoted

    def load(positions: Sequence[int]) -> list[pa.ChunkedArray]:
        nonlocal unchecked
        columns = whole(text, positions)
        if unchecked and columns and text.line_ends() > len(columns[0]):
            check_rows(text.what, names, whole(text, range(len(names))), separator)
        unchecked = unchecked and not columns
        if separator == ",":
            return columns
        for at, (position, cells) in enumerate(zip(positions, columns, strict=True)):
            if has_decimal_commas(cells):
                commas.add(names[position])
                columns[at] = pc.replace_substring(cells, ",", ".")
        return columns

    return Sheet(text.what, names, text.layout.notes, load, commas, decimal_commas=separator != ",")
