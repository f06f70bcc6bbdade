"""Parquet tables, read in batches of rows as text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from roftbench.data.table import formats
from roftbench.data.table.layout import suffix_of
from roftbench.data.table.text import PEEK
from roftbench.data.table.unpacked import Source, opened
from roftbench.errors import UsageError

ROWS = 1 << 15  # rows of a batch


@dataclass(frozen=True)
class Parquet:
    """A Parquet table with the names of its columns, and of those that hold numbers; `what` names it in messages."""

    what: str
    source: Source
    names: list[str]
    numbers: frozenset[str]
    notes: ClassVar[list[str]] = []

    def batches(self, positions: Sequence[int]) -> Iterator[list[pa.Array]]:
        """Yield the cells of some columns as text, for one batch of rows after the other.

        Raises:
            UsageError: the file is damaged.
        """
        wanted = [self.names[at] for at in positions]
        try:
            for batch in _file(self.source).iter_batches(ROWS, columns=wanted, use_threads=False):
                batch.validate(full=True)  # a text that is no UTF-8 is noticed nowhere else
                # Columns come in the order of the request, "a" also reads "a.b"; those of one name keep their order.
                same = {name: batch.schema.get_all_field_indices(name) for name in wanted}
                found = [same[name][self.names[:at].count(name)] for at, name in zip(positions, wanted, strict=True)]
                yield [as_text(batch.column(at)) for at in found]
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"{self.what} is a damaged Parquet table: {error}", key=self.what) from None


def is_parquet(file: str, start: bytes) -> bool:
    """Return whether a file is Parquet, by its name and first bytes."""
    return start[:4] == b"PAR1" or suffix_of(file) in (".parquet", ".pq")


def open_parquet(what: str, source: Source) -> Parquet:
    """Return the table of a Parquet file; raises UsageError where it is none, or has no rows."""
    try:
        file = _file(source)
        schema = file.schema_arrow
        names: list[str] = schema.names
    except (pa.ArrowException, OSError, UnicodeError) as error:
        with opened(source) as raw:
            formats.check_signature(what, raw.read(PEEK))
        raise UsageError(f"{what} is not a Parquet table, or a damaged one: {error}", key=what) from None
    if not file.metadata.num_rows:
        raise UsageError(f"{what} has no rows", key=what)
    return Parquet(what, source, names, frozenset(one.name for one in schema if _is_numeric(one.type)))


def _is_numeric(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_floating(value) or pa.types.is_integer(value) or pa.types.is_decimal(value))


def _file(source: Source) -> pa.parquet.ParquetFile:
    return pa.parquet.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source)


def as_text(cells: pa.Array) -> pa.Array:
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
