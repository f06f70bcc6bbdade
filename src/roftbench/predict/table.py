"""`roftbench predict`: add predictions to a table of any length."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rdkit
import torch

from roftbench.__about__ import __version__
from roftbench.console import bar
from roftbench.data.parallel import SERIAL, ahead
from roftbench.data.table.stream import Rows
from roftbench.data.workers import cores
from roftbench.errors import UsageError
from roftbench.formatting import spreadsheet_text
from roftbench.predict.ensemble import REASON, Ensemble, Predicted
from roftbench.predict.featurize import CHUNK, featurized
from roftbench.predict.resumable_output import Output
from roftbench.store.files import check_paths

ENDINGS = (".csv", ".csv.gz")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Summary:
    """Number of rows, of rows without a prediction, and of rows that an earlier call has written."""

    rows: int
    without: int
    before: int


def predict_table(
    ensemble: Ensemble, source: Rows, path: Path, prefix: str = "", *, quote_formulas: bool = False
) -> Summary:
    """Write a table with the columns of an ensemble beside its own, in the same order of rows.

    An interrupted call is continued by the next one with the same models, input and prefix.

    Args:
        ensemble: The models.
        source: The table.
        path: The output, .csv or .csv.gz.
        prefix: Text before the names of added columns.
        quote_formulas: Whether the table's own cells and names are made `harmless`.

    Raises:
        UsageError: The output cannot be written, or the table has a column with the name of an added one.
    """
    added = [f"{prefix}{name}" for name in (*ensemble.columns, REASON)]
    check_paths(source.path, path, ENDINGS)
    if double := [name for name in added if name in source.names]:
        problem = f"{source.path} has a column '{double[0]}' already: give prefix=…, put before added names"
        raise UsageError(problem, key="prefix", got=prefix)
    identity = {
        "input": source.sha256,
        "smiles": source.smiles,
        "models": [one.sha256 for one in ensemble.saved],
        "prefix": prefix,
        "versions": [__version__, torch.__version__, rdkit.__version__],
    }
    if quote_formulas:
        identity["quote_formulas"] = True
    own = harmless if quote_formulas else list[str]
    with Output(path, identity) as output:
        before = output.rows
        if not output.begun:
            output.write(_line([[name] for name in (*own(source.names), *own(added))]), 0)
        chunks = list[list[list[str]]]()  # those that are being featurized

        def texts() -> Iterator[list[str]]:
            for chunk in source.chunks(CHUNK, output.rows):
                chunks.append(chunk)
                yield chunk[source.smiles]

        workers = cores() if source.count - output.rows > SERIAL else 1
        work = partial(featurized, featurizers=tuple(ensemble.featurizers), strip_salts=ensemble.strip_salts)
        progress = bar((), "predict", "mol", total=source.count)
        progress.update(before)
        for molecules in ahead(work, texts(), workers):
            found = ensemble.rows(molecules)
            chunk = chunks.pop(0)
            output.write(_line([*map(own, chunk), *_cells(found)]), len(chunk[0]), sum(map(bool, found.reasons)))
            progress.update(len(chunk[0]))
        progress.close()
        output.finish()
    return Summary(source.count, output.without, before)


def harmless(cells: Sequence[str]) -> list[str]:
    """Return cells with an apostrophe before those that a spreadsheet would compute; numbers are unchanged."""
    return [cell if NUMBER.fullmatch(cell) else spreadsheet_text(cell) for cell in cells]


def _cells(found: Predicted) -> list[list[str]]:
    columns = [["" if value != value else repr(value) for value in column] for column in found.values.T.tolist()]
    return [*columns, found.reasons]


def _line(columns: Sequence[Sequence[str]]) -> str:
    """Return rows as lines of CSV; rows with a carriage return are quoted here, as Python's writer may not do it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in zip(*columns, strict=True):
        (quoting if any("\r" in cell for cell in row) else writer).writerow(row)
    return text.getvalue()
