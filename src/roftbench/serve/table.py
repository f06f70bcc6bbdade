"""A table from the page, predicted as `roftbench predict` does, and drawings of its molecules."""

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

from rdkit.Chem.Draw import rdMolDraw2D

from roftbench.data.featurizers.hu import read_molecule
from roftbench.data.smiles import FeaturizeError, rdkit_failure
from roftbench.data.table.identifiers import identifier_columns
from roftbench.data.table.infer import SMILES_NAMES
from roftbench.data.table.stream import Rows, open_rows
from roftbench.errors import UsageError
from roftbench.formatting import csv_lines
from roftbench.predict.ensemble import Ensemble
from roftbench.predict.table import predict_table
from roftbench.serve.limits import MOST_ATOMS, RefusedError
from roftbench.serve.shown import Answer, Row, row_of

PASTED = "smiles"  # kind of a text that was pasted
LISTED = "smi"  # and of a file with such lines
ENDINGS = {PASTED: ".csv", LISTED: ".csv", "csv": ".csv", "tsv": ".tsv", "sdf": ".sdf"}
BINARY = (b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"\xd0\xcf\x11\xe0")  # of zip and Excel, gzip, Parquet, old Excel
SIZE = (320, 240)


def predicted(ensemble: Ensemble, content: bytes, kind: str, most: int, folder: Path) -> Answer:
    """Return the predictions for a table or for pasted SMILES.

    Args:
        ensemble: The models.
        content: The text, in any encoding that a table may have; UTF-8 if it was pasted.
        kind: A key of `ENDINGS`.
        most: Number of molecules that are allowed.
        folder: An empty folder for the files of this call.

    Raises:
        RefusedError: It is no such table, or has too many rows.
    """
    if content.startswith(BINARY) or b"\0" in content:
        raise RefusedError(415, "this is no text: save the table as CSV in UTF-8")
    source, target = folder / f"table{ENDINGS[kind]}", folder / "predictions.csv"
    source.write_bytes(_as_table(content) if kind in (PASTED, LISTED) else content)
    try:
        rows = open_rows(source, None)
        if rows.count > most:
            message = f"{rows.count:,} molecules: the page takes at most {most:,}; `roftbench predict` has no limit"
            raise RefusedError(413, message)
        prefix = _predict(ensemble, rows, target)
    except UsageError as error:
        raise RefusedError(422, str(error).replace(str(source), "the table").replace(f"{folder}/", "")) from None
    table = target.read_bytes()
    own = len(rows.names)
    return Answer(table, list(_rows(ensemble, table.decode(), own, rows.smiles, prefix)))


def _rows(ensemble: Ensemble, table: str, own: int, smiles: int, prefix: str) -> Iterator[Row]:
    header, *lines = csv.reader(io.StringIO(table))
    added = [name.removeprefix(prefix) for name in header[own:]]
    names = [place for place in identifier_columns(header[:own]) if place != smiles]
    for line in lines:
        name = next((line[place] for place in names if line[place]), "")
        yield row_of(line[smiles], name, ensemble.targets, dict(zip(added, line[own:], strict=True)))


def _predict(ensemble: Ensemble, rows: Rows, target: Path) -> str:
    """Write the predictions; returns what stands before the added columns, so that they differ from the table's own."""
    for prefix in itertools.chain(("", "new_"), (f"new{number}_" for number in itertools.count(2))):
        try:
            predict_table(ensemble, rows, target, prefix)
        except UsageError as error:
            if error.key != "prefix":
                raise
        else:
            return prefix
    raise AssertionError("numbers end")


def _as_table(content: bytes) -> bytes:
    """Return a text as a table: it is one if its first line names a SMILES column, else one SMILES per line.

    A name may follow each SMILES.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # of a file
        text = content.decode("latin-1")
    first, _, rest = text.lstrip().partition("\n")
    head = [cell.strip().strip('"').lower() for cell in first.replace("\t", ",").replace(";", ",").split(",")]
    if len(head) > 1 and any(name in head for name in SMILES_NAMES):
        return content
    titled = head[0].partition(" ")[0] in SMILES_NAMES  # RDKit begins files of SMILES with "SMILES Name"
    lines = (rest if titled else text).splitlines()
    return csv_lines([["smiles", "name"], *(_cells(line) for line in lines if line.strip())]).encode()


def _cells(line: str) -> list[str]:
    """Return the SMILES of a line, with its CXSMILES extension, and its name."""
    smiles, _, name = line.strip().replace("\t", " ").partition(" ")
    if name.lstrip().startswith("|") and "|" in name.lstrip()[1:]:
        extension, _, name = name.lstrip()[1:].partition("|")
        smiles = f"{smiles} |{extension}|"
    return [smiles, name.strip()]


def drawing(smiles: str, strip_salts: bool) -> str:
    """Return the structure of a molecule as SVG on a white ground.

    Raises:
        RefusedError: The text is no molecule, or the molecule is too large for a drawing.
    """
    try:
        _, molecule = read_molecule(smiles, strip_salts)
        if molecule.GetNumAtoms() > MOST_ATOMS:
            raise RefusedError(422, f"molecules of more than {MOST_ATOMS} atoms are not drawn")
        canvas = rdMolDraw2D.MolDraw2DSVG(*SIZE)
        canvas.drawOptions().setBackgroundColour((1, 1, 1, 0))
        rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
        canvas.FinishDrawing()
        return str(canvas.GetDrawingText())
    except FeaturizeError as error:
        raise RefusedError(422, str(error)) from None
    except RefusedError:
        raise
    except Exception as error:  # RDKit may raise anything
        raise RefusedError(422, str(rdkit_failure(error))) from None
