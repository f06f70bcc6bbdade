"""A table that is in memory as a whole, from a file that is no text."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa


class Loaded(NamedTuple):
    """Content of a file: names of columns, cells of each column as text, and notes on guesses.

    numbers: columns whose cells the file holds as numbers, not as text that may be read in two ways.
    own_graphs: columns of x and of edge_attr, where rows are graphs of their own without SMILES.
    labels: columns that the file itself holds as labels.
    """

    names: list[str]
    columns: list[list[str]]
    notes: list[str]
    own_graphs: tuple[int, int] | None = None
    numbers: frozenset[str] = frozenset()
    labels: tuple[str, ...] = ()

    def batches(self, positions: Sequence[int]) -> Iterator[list[pa.Array]]:
        """Yield the cells of some columns of all rows, at once."""
        yield [pa.array(self.columns[at], pa.string()) for at in positions]
