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
from roftbench.predict.column_names import REASON
from roftbench.predict.ensemble import Ensemble
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
    ensemble: Ensemble,
    source: Rows,
    path: Path,
    prefix: str = "",
    *,
    quote_formulas: bool = False,
    sets: bool = False,
    full: bool = False,
) -> Summary:
    """Write a table with the columns of an ensemble beside its own, in the same order of rows.

    An interrupted call is continued by the next one with the same models, input and prefix.

    Args:
        ensemble: The models.
        source: The table.
        path: The output, .csv or .csv.gz.
        prefix: Text before the names of added columns.
        quote_formulas: Whether cells and names of this table and of the training table are made `harmless`.
        sets: Whether to add conformal sets of classes.
        full: Whether numbers are written in full, in place of the digits that mean something.

    Raises:
        UsageError: The output cannot be written, the table has a column with the name of an added one, or sets are
            wanted of a regression.
    """
    columns = ensemble.output_columns(sets=sets)
    added = [f"{prefix}{name}" for name in (*columns.numbers, *columns.texts, REASON)]
    check_paths(source.path, path, ENDINGS)
    if double := [name for name in added if name in source.names]:
        problem = f"{source.path} has a column '{double[0]}' already: give prefix=…, put before added names"
        raise UsageError(problem, key="prefix", got=prefix)
    identity = {
        "input": source.sha256,
        "smiles": source.smiles,
        "models": [one.sha256 for one in ensemble.saved],
        "prefix": prefix,
        "columns": added,
        "versions": [__version__, torch.__version__, rdkit.__version__],
    }
    identity |= {name: True for name, on in (("quote_formulas", quote_formulas), ("sets", sets), ("full", full)) if on}
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
            found = ensemble.rows(molecules, sets=sets)
            found = found._replace(texts={name: own(column) for name, column in found.texts.items()})
            chunk, cells = chunks.pop(0), columns.cells(found, full=full)
            output.write(_line([*map(own, chunk), *cells]), len(chunk[0]), sum(map(bool, found.reasons)))
            progress.update(len(chunk[0]))
        progress.close()
        output.finish()
    return Summary(source.count, output.without, before)


def harmless(cells: Sequence[str]) -> list[str]:
    """Return cells with an apostrophe before those that a spreadsheet would compute; numbers are unchanged."""
    return [cell if NUMBER.fullmatch(cell) else spreadsheet_text(cell) for cell in cells]


def _line(columns: Sequence[Sequence[str]]) -> str:
    """Return rows as lines of CSV; rows with a carriage return are quoted here, as Python's writer may not do it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in zip(*columns, strict=True):
        (quoting if any("\r" in cell for cell in row) else writer).writerow(row)
    return text.getvalue()
