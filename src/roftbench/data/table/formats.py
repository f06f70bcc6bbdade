"""Files that are no tables of text: Excel sheets, SD files and saved graphs are read, other formats are refused."""

import datetime
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdkit import Chem, rdBase

from roftbench.data.smiles import MAX_ATOMS
from roftbench.data.table import geometric
from roftbench.data.table.decimals import POINT_NUMBER
from roftbench.data.table.loaded import Loaded
from roftbench.errors import UsageError
from roftbench.store.gzipped import BAD_ZIP, TooMuchError, check_plausible

ZIP = b"PK\x03\x04"
UNPACKED_IN_PIECES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # by zipfile, and written by spreadsheet programs
ALLOWED = "allowed: CSV, TSV (plain or .gz), Parquet, Excel (.xlsx), SD files and graphs of PyTorch Geometric (.pt)"
SIGNATURES = (
    (ZIP, "an Excel file or a zip archive? Save the sheet as CSV, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file? Save the sheet as CSV, or as .xlsx"),
    (b"\x89PNG", "a PNG picture?"),
    (b"%PDF", "a PDF?"),
    (b"BZh", "packed with bzip2? Unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "packed with xz? Unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd? Unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "packed with 7-Zip? Unpack it"),
    (b"ARROW1", "an Arrow or Feather file? Save it as Parquet"),
    (b"\x89HDF", "an HDF5 file? Save its table as CSV or Parquet"),
    (b"SQLite format 3", "an SQLite database? Save a table of it as CSV"),
    (b"{\\rtf", "a document in RTF? Save its table as CSV"),
)
LFS = "a Git-LFS pointer in the place of the file: run 'git lfs pull' where it comes from"
TEXTS = (  # beginnings of texts that are no tables
    (re.compile(rb"version https://git-lfs\.github\.com/spec/"), LFS),
    (
        re.compile(rb"[./]*(\.git/annex/|/annex/)objects/"),
        "a git-annex pointer in the place of the file: 'git annex get'",
    ),
    (
        re.compile(
            rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|meta|title|script|table|div|pre|p)\b",
            re.IGNORECASE | re.DOTALL,
        ),
        "a saved web page (HTML)? Download the file itself, by the link to the raw file",
    ),
    (re.compile(rb"\s*<(\?xml|svg|!doctype)\b", re.IGNORECASE), "an XML file? Save its table as CSV"),
    (
        re.compile(rb"\s*\{[^\n]*\}[ \t\r]*\n\s*\{"),
        "JSON lines? Convert: python -c \"import pandas as p; p.read_json('FILE', lines=1).to_csv('F.csv', index=0)\"",
    ),
    (
        re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"])"),
        "JSON? Convert it: python -c \"import pandas as p; p.read_json('FILE').to_csv('FILE.csv', index=False)\"",
    ),
    (re.compile(rb"(#[^\n]*\n\s*)*@<TRIPOS>"), "a MOL2 file? Convert it to SMILES: obabel FILE -O out.csv"),
    (re.compile(rb"(HEADER|COMPND|CRYST1|HETATM|ATOM) "), "a PDB file? A table holds SMILES and labels"),
)
POINTED = re.compile(r"\s*" + POINT_NUMBER.removeprefix("^"))
RECORD_END = re.compile(rb"^\$\$\$\$[ \t]*\r?$", re.MULTILINE)
SDF_MARK = re.compile(rb"^M  END", re.MULTILINE)
SDF_FIELD = re.compile(rb"^>[^\n<]*<([^>\n]+)>", re.MULTILINE)
SMILES, UNREADABLE = "smiles", "unreadable_record"
SDF_LINE_END = re.compile(rb"\r\n?")


def is_loadable(file: str, start: bytes) -> bool:
    """Return whether `load` reads a file, from its name and first unpacked bytes."""
    suffix = Path(file.lower().removesuffix(".gz")).suffix
    return start.startswith(ZIP) or suffix in (".sdf", ".sd", ".mol") or SDF_MARK.search(start) is not None


def load(what: str, content: bytes) -> Loaded:
    """Return the table of an Excel file, an SD file or a file of graphs.

    Raises:
        UsageError: it is none of these, or damaged, or its reader is not installed.
    """
    read = _sdf if not content.startswith(ZIP) else geometric.load if geometric.is_saved(content) else _excel
    found = read(what, content)
    if not found.columns or not found.columns[0]:
        raise UsageError(f"{what} has no rows", key=what)
    return found


def check_signature(what: str, start: bytes) -> None:
    """Raise UsageError if a file begins like one of another format."""
    for signature, hint in SIGNATURES:
        if start.startswith(signature):
            raise UsageError(f"{what} is not a table of text ({hint}); {ALLOWED}", key=what)
    text = start.removeprefix(b"\xef\xbb\xbf")
    for pattern, hint in TEXTS:
        if pattern.match(text):
            raise UsageError(f"{what} is not a table, but {hint}; {ALLOWED}", key=what)


def _excel(what: str, content: bytes) -> Loaded:
    if not _is_workbook(content):
        check_signature(what, content)
    try:
        import openpyxl
    except ImportError:
        raise UsageError(
            f"{what} is an Excel file: install its reader (pip install 'roftbench[excel]'), or save the sheet as CSV",
            key=what,
        ) from None
    try:
        stored, formulas = _stored(content)
        book = openpyxl.load_workbook(stored, data_only=True)
        sheet = _table_of(book.worksheets)
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        if formulas:
            _check_formulas(what, rows, openpyxl.load_workbook(stored)[sheet.title])
    except UsageError:
        raise
    except TooMuchError as error:
        raise UsageError(f"{what}: {error}", key=what) from None
    except Exception as error:  # of any kind, for a damaged file
        raise UsageError(f"{what} is a damaged Excel file: {error}. Save the sheet as CSV.", key=what) from None
    filled = [[_cell(value) for value in row] for row in rows if any(value is not None for value in row)]
    width = max((at + 1 for row in filled for at, text in enumerate(row) if text), default=0)
    notes = [f"sheet '{sheet.title}' of {len(book.worksheets)}"] if len(book.worksheets) > 1 else []
    if len(filled) < 2:
        raise UsageError(f"{what}: sheet '{sheet.title}' has no rows below a header", key=what)
    head, *body = (row[:width] for row in filled)
    pointed = {at for row in rows for at, value in enumerate(row) if isinstance(value, str) and POINTED.match(value)}
    numbers = frozenset(name for at, name in enumerate(head) if at not in pointed)
    return Loaded(head, [list(column) for column in zip(*body, strict=True)], notes, numbers=numbers)


def _is_workbook(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except BAD_ZIP:
        return False


def _stored(content: bytes) -> tuple[io.BytesIO, bool]:
    """Return an archive with its members stored as they are, and whether a sheet of it has formulas.

    What reads it then needs no more memory than the members were said to take: `read` without a size unpacks a member
    to its end, whatever its declared size.

    Raises:
        TooMuchError: the members are said to be implausibly large.
        BadZipFile, zlib.error, …: it is damaged.
    """
    stored, formulas = io.BytesIO(), False
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(stored, "w") as copy:
        members = [archive.getinfo(name) for name in dict.fromkeys(archive.namelist())]
        check_plausible(sum(one.file_size for one in members), len(content), "save the sheet as CSV")
        for one in members:
            if one.compress_type not in UNPACKED_IN_PIECES:
                raise zipfile.BadZipFile(f"{one.filename} is packed in a way that Excel does not use")
            with archive.open(one) as file:
                member = file.read(one.file_size)
            copy.writestr(one.filename, member)
            formulas = formulas or (b"<f" in member and re.match(r"xl/worksheets/[^/]*\.xml", one.filename) is not None)
    return stored, formulas


def _table_of(sheets: Sequence[Any]) -> Any:
    """Return the first sheet with a column named SMILES, or else the first one with rows and columns."""
    large = [one for one in sheets if one.max_row > 1 and one.max_column > 1] or sheets
    named = (one for one in large if any("smiles" in str(cell.value).lower() for cell in next(one.iter_rows())))
    return next(named, large[0])


def _check_formulas(what: str, rows: list[list[Any]], written: Any) -> None:
    """Raise UsageError for a formula without a stored value, which would be read as an empty cell."""
    for row, cells in zip(rows, written.iter_rows(values_only=True), strict=True):
        for value, text in zip(row, cells, strict=True):
            if value is None and isinstance(text, str) and text.startswith("="):
                problem = (
                    f"{what} has a formula without a value, '{text[:40]}': open and save it with a spreadsheet program,"
                    " or save the sheet as CSV"
                )
                raise UsageError(problem, key=what, got=text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def _sdf(what: str, content: bytes) -> Loaded:
    """Return the records of an SD file: canonical SMILES of their molecules, titles, and data fields."""
    found: list[tuple[str, str, dict[str, str]]] = []
    text, notes = _in_utf8(SDF_LINE_END.sub(b"\n", content))
    with rdBase.BlockLogs():
        for molecule in Chem.ForwardSDMolSupplier(io.BytesIO(text)):
            found.append(_record(molecule))
    records = RECORD_END.split(text)
    count = len(records) - (not records[-1].strip())
    marks = len(SDF_MARK.findall(text))
    if len(found) != count or not 0 < marks <= count:  # RDKit reads two molecules before one "$$$$" as one record
        check_signature(what, content[:1024])
        raise UsageError(
            f"{what} is a damaged SD file: it has {count} records that end with '$$$$' and {marks} molecules that end"
            f" with 'M  END', of which {len(found)} can be told apart. Write it again, or convert it: obabel FILE -O"
            " out.csv",
            key=what,
        )
    _check_fields(what, records)
    rows, unused = _rows(found)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [[row.get(name, "") for row in rows] for name in names]
    return Loaded(names, columns, ["SD file: SMILES of its molecules, written by RDKit", *unused, *notes])


def _in_utf8(text: bytes) -> tuple[bytes, list[str]]:
    """Return a text in UTF-8, and a note if it was not; RDKit fails on records with other characters."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode(), ["the file is not UTF-8: read as Latin-1"]
    return text, []


def _check_fields(what: str, records: Sequence[bytes]) -> None:
    """Raise UsageError for a record with a field twice, of which RDKit keeps only the last value."""
    for row, record in enumerate(records, 1):
        fields = SDF_FIELD.findall(record)
        if len(set(fields)) < len(fields):
            name = next(field for field in fields if fields.count(field) > 1).decode()
            raise UsageError(
                f"{what}, record {row} gives the field '{name}' twice: give each value a name of its own", key=name
            )


def _record(molecule: Chem.Mol | None) -> tuple[str, str, dict[str, str]]:
    """Return the SMILES of a record's molecule, its title ("" without one), and its data fields."""
    if molecule is None:
        return UNREADABLE, "", {}
    try:
        fields = {name: molecule.GetProp(name) for name in molecule.GetPropNames()}
        title = molecule.GetProp("_Name").strip() if molecule.HasProp("_Name") else ""
        atoms = molecule.GetNumAtoms()
        return Chem.MolToSmiles(molecule) if atoms <= MAX_ATOMS else f"[{atoms}_atoms]", title, fields
    except (RuntimeError, ValueError):  # a field that is not UTF-8, or a molecule that RDKit cannot write
        return UNREADABLE, "", {}


def _rows(records: Sequence[tuple[str, str, dict[str, str]]]) -> tuple[list[dict[str, str]], list[str]]:
    """Return the cells of records by column, the same choice of SMILES and names for all, and notes on that choice.

    A field called SMILES is the column of SMILES if it is filled in every record that can be read, the structures are
    otherwise.
    """
    known = [fields for smiles, _, fields in records if smiles != UNREADABLE]
    names = dict.fromkeys(name for fields in known for name in fields)
    given = {name: sum(bool(fields.get(name, "").strip()) for fields in known) for name in names}
    fields_of_smiles = [name for name in given if name.lower() == SMILES]
    chosen = next((name for name in fields_of_smiles if given[name] == len(known)), None)
    renamed = {name: f"{name}_field" for name in fields_of_smiles if chosen is None}
    titled = "title" if any(name.lower() == "name" for name in given) else "name"
    rows = []
    for smiles, title, fields in records:
        structures = SMILES if chosen is None else chosen if smiles == UNREADABLE else "molblock_smiles"
        row = {structures: smiles}
        row |= {titled: title} if title else {}
        rows.append(row | {renamed.get(name, name): cell for name, cell in fields.items()})
    notes = [
        f"field '{name}' is filled in {given[name]} of {len(known)} records: their structures are read, the field is"
        f" column {other}"
        for name, other in renamed.items()
    ]
    return rows, notes
