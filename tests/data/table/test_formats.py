"""Excel sheets and SD files are read; web pages, JSON and pointers in the place of a file are named."""

import gzip
import io
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import openpyxl
import pytest
from rdkit import Chem
from refusals import raises_usage

from roftbench.data.table.reader import open_sheet
from roftbench.data.table.stream import open_rows
from roftbench.errors import UsageError

SMILES = ["CCO", "c1ccccc1O", "C[C@H](N)C(=O)O", "F/C=C/F", "[Na+].[Cl-]"]


def cells(path: Path) -> dict[str, list[str]]:
    content = path.read_bytes()
    sheet = open_sheet(path.name, path.name, gzip.decompress(content) if path.suffix == ".gz" else content)
    found = dict(zip(sheet.names, (c.to_pylist() for c in sheet.columns(sheet.names)), strict=True))
    source = open_rows(path, None)
    assert source.count == len(next(iter(found.values())))
    assert [columns for chunk in source.chunks(2) for columns in chunk[source.smiles]] == found["smiles"]
    return found


def workbook(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_an_excel_sheet(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        [None],
        ["smiles", "y", "n", "when"],
        ["CCO", 1.25, 3, None],
        [None],
        ["N", -999, None, "x"],
    )
    assert cells(path) == {"smiles": ["CCO", "N"], "y": ["1.25", "-999"], "n": ["3", ""], "when": ["", "x"]}


def test_formulas_without_values_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["smiles", "y"], ["CCO", "=1+1"], ["CC", 2])
    with raises_usage(got="=1+1"):
        cells(path)


def test_the_sheet_with_smiles_is_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["made by", "on"], ["me", "Monday"])
    book = openpyxl.load_workbook(path)
    for row in (["SMILES", "y"], ["CCO", 1.5]):
        (book["data"] if "data" in book else book.create_sheet("data")).append(row)
    book.save(path)
    sheet = open_sheet("a.xlsx", "a.xlsx", path.read_bytes())
    assert sheet.names == ["SMILES", "y"]
    assert sheet.notes == ["sheet 'data' of 2"]


def test_other_archives_and_damaged_sheets(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["smiles", "y"], ["CCO", 1])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UsageError, match="Excel"):
        cells(path)
    with raises_usage("no rows"):
        cells(workbook(path, ["smiles", "y"]))


def sheet_part(content: bytes) -> tuple[int, int]:
    """Return where the packed bytes of the first sheet begin and end."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = archive.getinfo("xl/worksheets/sheet1.xml")
    begin = found.header_offset + 30 + sum(struct.unpack_from("<HH", content, found.header_offset + 26))
    return begin, begin + found.compress_size


@pytest.mark.parametrize("at", [0, 0.25, 0.5, 0.75])
def test_a_sheet_with_flipped_bytes_is_a_damaged_excel_file(tmp_path: Path, at: float) -> None:
    path = workbook(tmp_path / "a.xlsx", ["smiles", "y"], *(["C" * n, n / 7] for n in range(1, 90)))
    content = bytearray(path.read_bytes())
    begin, end = sheet_part(content)
    first = begin + int((end - begin) * at)
    content[first : first + 40] = bytes(byte ^ 0xFF for byte in content[first : first + 40])
    path.write_bytes(content)
    for read in (cells, lambda path: open_rows(path, None)):
        with raises_usage("damaged Excel file", key=path.name if read is cells else str(path)):
            read(path)


def inflated(path: Path, size: int, declared: int | None = None, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a workbook whose one inline string unpacks to `size` bytes, which the archive may declare to be fewer."""
    parts = {}
    with zipfile.ZipFile(workbook(path, ["smiles", "y"], ["CCO", 1])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    text = b'<c r="C2" t="inlineStr"><is><t>' + b"x" * size + b"</t></is></c></row></sheetData>"
    parts[sheet] = parts[sheet].replace(b"</row></sheetData>", text)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    if declared is not None:
        entry = struct.pack("<I", len(parts[sheet]))
        packed = path.read_bytes()
        assert packed.count(entry) == 2
        path.write_bytes(packed.replace(entry, struct.pack("<I", declared)))
    return path


@pytest.mark.parametrize(
    ("declared", "method", "message"),
    [
        (None, zipfile.ZIP_DEFLATED, "save the sheet as CSV if you trust it"),
        (None, zipfile.ZIP_BZIP2, "save the sheet as CSV if you trust it"),
        (1000, zipfile.ZIP_DEFLATED, "damaged Excel file"),
        (1000, zipfile.ZIP_BZIP2, "damaged Excel file.* does not use"),
    ],
)
def test_a_workbook_that_unpacks_to_implausibly_much(
    tmp_path: Path, declared: int | None, method: int, message: str
) -> None:
    path = inflated(tmp_path / "a.xlsx", 70 << 20, declared, method)
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        for read in (cells, lambda path: open_rows(path, None)):
            with raises_usage(message, key=path.name if read is cells else str(path)):
                read(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_workbook_that_is_packed_well_is_read(tmp_path: Path) -> None:
    assert cells(inflated(tmp_path / "a.xlsx", 1 << 20))["smiles"] == ["CCO"]


def test_excel_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", ["smiles", "y"], ["CCO", 1])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match=r"pip install 'roftbench\[excel\]'"):
        cells(path)


def sd_file(path: Path, *, damaged: bool = False, fields: dict[str, dict[int, str]] | None = None) -> Path:
    with Chem.SDWriter(str(path)) as writer:
        for number, text in enumerate(SMILES):
            molecule = Chem.MolFromSmiles(text)
            molecule.SetProp("_Name", f"m{number}")
            molecule.SetProp("logS", str(number / 4))
            if number % 2:
                molecule.SetProp("odd", "yes")
            for field, texts in (fields or {}).items():
                if number in texts:
                    molecule.SetProp(field, texts[number])
            writer.write(molecule)
    if damaged:
        path.write_text(path.read_text().replace("  3  2", " xx  2", 1))
    return path


@pytest.mark.parametrize("name", ["a.sdf", "a.txt", "a.sdf.gz"])
def test_an_sd_file(tmp_path: Path, name: str) -> None:
    path = sd_file(tmp_path / name.removesuffix(".gz"))
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / name
    found = cells(path)
    assert [Chem.CanonSmiles(text) for text in found["smiles"]] == list(map(Chem.CanonSmiles, SMILES))
    assert found["logS"] == ["0.0", "0.25", "0.5", "0.75", "1.0"]
    assert found["name"] == ["m0", "m1", "m2", "m3", "m4"]
    assert found["odd"] == ["", "yes", "", "yes", ""]


@pytest.mark.parametrize("field", ["smiles", "SMILES", "Smiles"])
@pytest.mark.parametrize("filled", [{1, 3}, {0}, {1, 2, 3, 4}, {0, 1, 2, 3}])
@pytest.mark.parametrize("rest", [{}, dict.fromkeys(range(5), " ")])
def test_a_smiles_field_that_some_records_lack_is_not_read(
    tmp_path: Path, field: str, filled: set[int], rest: dict[int, str]
) -> None:
    fields = {field: rest | dict.fromkeys(filled, "CCCC"), "NAME": {1: "x"}}
    path = sd_file(tmp_path / "a.sdf", fields=fields)
    found = cells(path)
    assert [Chem.CanonSmiles(text) for text in found["smiles"]] == list(map(Chem.CanonSmiles, SMILES))
    assert [text.strip() for text in found[f"{field}_field"]] == ["CCCC" * (row in filled) for row in range(5)]
    assert found["title"] == ["m0", "m1", "m2", "m3", "m4"]
    assert found["NAME"] == ["", "x", "", "", ""]
    notes = open_sheet("a.sdf", "a.sdf", path.read_bytes()).notes
    assert any(f"'{field}' is filled in {len(filled)} of 5 records" in note for note in notes)


@pytest.mark.parametrize("field", ["smiles", "SMILES"])
@pytest.mark.parametrize("damaged", [False, True])
def test_a_smiles_field_that_all_records_have_is_read(tmp_path: Path, field: str, damaged: bool) -> None:
    path = sd_file(tmp_path / "a.sdf", damaged=damaged, fields={field: dict.fromkeys(range(5), "CCCC")})
    source = open_rows(path, None)
    assert source.names[source.smiles] == field
    [columns] = source.chunks(9)
    assert columns[source.smiles] == ["unreadable_record" if damaged else "CCCC", *["CCCC"] * 4]
    assert "molblock_smiles" in source.names


def test_a_record_that_cannot_be_read_stays_a_row(tmp_path: Path) -> None:
    found = cells(sd_file(tmp_path / "a.sdf", damaged=True))
    assert found["smiles"][0] == "unreadable_record"
    assert len(found["smiles"]) == 5


def test_records_without_an_end_are_not_lost(tmp_path: Path) -> None:
    path = sd_file(tmp_path / "a.sdf")
    path.write_text(path.read_text().replace("$$$$\n", "", 2))
    with pytest.raises(UsageError, match=r"damaged SD file: it has 3 records .* and 5 molecules"):
        cells(path)


def test_a_field_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    path = sd_file(tmp_path / "a.sdf")
    path.write_text(path.read_text().replace(">  <odd>  (2) \n", ">  <logS>  (2) \n9\n\n>  <odd>  (2) \n"))
    with pytest.raises(UsageError, match="record 2 gives the field 'logS' twice"):
        cells(path)


def test_an_sd_file_of_another_system(tmp_path: Path) -> None:
    path = sd_file(tmp_path / "a.sdf")
    path.write_bytes(path.read_text().replace("yes", "5 µM").replace("\n", "\r").encode("latin-1"))
    found = cells(path)
    assert [Chem.CanonSmiles(text) for text in found["smiles"]] == list(map(Chem.CanonSmiles, SMILES))
    assert found["odd"] == ["", "5 µM", "", "5 µM", ""]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html>\n<html><head><title>404, Not</title></head>\n</html>", r"web page \(HTML\)\?"),
        (b"\xef\xbb\xbf\n <HTML lang=en>,\n<body>,\n", r"web page \(HTML\)\?"),
        (b"<!-- saved -->\n<html>\na,b\n", r"web page \(HTML\)\?"),
        (b"<table><tr><td>smiles</td>\n<td>,</td></tr></table>", r"web page \(HTML\)\?"),
        (b'{"smiles": "CCO", "y": 1}\n{"smiles": "CC", "y": 2}\n', "JSON lines.*lines=1"),
        (b"<?xml version='1.0'?>\n<a>,</a>\n", "an XML file"),
        (b'[{"smiles": "CCO", "y": 1},\n{"smiles": "CC", "y": 2}]', "JSON"),
        (b'{"smiles": ["CCO"],\n"y": [1]}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "Git-LFS pointer.*git lfs pull"),
        (b"/annex/objects/SHA256E-s1--00.csv\n", "git-annex pointer"),
        (b"@<TRIPOS>MOLECULE\nx\n", "MOL2"),
        (b"ARROW1\0\0", "Arrow or Feather"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    for name in ("a.csv", "a.tsv", "a.parquet", "a.xlsx", "a.sdf"):
        path = tmp_path / name
        for packed in (content, gzip.compress(content)):
            path.write_bytes(packed)
            with pytest.raises(UsageError, match=message):
                open_rows(path, None)
        with pytest.raises(UsageError, match=message):
            open_sheet(name, name, content)


def test_smiles_in_brackets_are_no_json() -> None:
    assert open_sheet("a.csv", "a.csv", b"[13CH4],1\n[Na+].[Cl-],2\n").names == ["[13CH4]", "1"]
