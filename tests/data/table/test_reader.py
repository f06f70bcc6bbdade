"""Files as programs and people write them: every way of writing one table reads back as that table, junk is told."""

import csv
import gzip
import io
import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import raises_usage

from roftbench.data.config import DatasetSpec
from roftbench.data.table.load import complete, read_table
from roftbench.data.table.reader import Sheet, open_sheet, unpack
from roftbench.data.table.text import BLOCK
from roftbench.errors import UsageError
from roftbench.store.downloads import Places

PROPERTY = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sheet(content: bytes | str, file: str = "own.csv") -> Sheet:
    return open_sheet(file, file, content.encode() if isinstance(content, str) else content)


def cells(content: bytes | str, file: str = "own.csv") -> dict[str, list[str]]:
    found = sheet(content, file)
    return {name: column.to_pylist() for name, column in zip(found.names, found.columns(found.names), strict=True)}


SMILES = (
    "N",
    "C",
    "CCO",
    "c1ccccc1",
    "C[C@H](N)C(=O)O",
    "[Na+].[Cl-]",
    "O=C(O)c1ccccc1OC(C)=O",
    "C/C=C\\C",
    "NaN",
    "NA",
)
NOTES = st.text(
    st.sampled_from("abc ,;|\t\"'\n\r#äé€’ NA0") | st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12
)
ROWS = st.lists(
    st.tuples(st.sampled_from(SMILES), st.floats(allow_nan=False, allow_infinity=False), NOTES), min_size=1, max_size=12
)
WAYS = st.fixed_dictionaries(
    {
        "separator": st.sampled_from(",;\t|"),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        "end": st.sampled_from(["\n", "\r\n", "\r"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "packed": st.booleans(),
        "blank": st.sampled_from(["", "", "blank lines", "lines of blanks"]),
        "last_end": st.booleans(),
        "order": st.permutations(range(3)),
    }
)


def write(rows: list[tuple[str, float, str]], way: dict[str, Any]) -> bytes:
    """Return the bytes of a table of SMILES, labels and notes."""
    lines = []
    for row in [("smiles", "y", "note"), *((smiles, repr(y), note) for smiles, y, note in rows)]:
        row_text = io.StringIO()
        writer = csv.writer(row_text, delimiter=way["separator"], quoting=way["quoting"])
        writer.writerow([row[at] for at in way["order"]])
        lines.append(row_text.getvalue().removesuffix("\r\n"))
    gap = {"": "", "blank lines": way["end"], "lines of blanks": f"  {way['end']}"}[way["blank"]]
    text = "".join(line + way["end"] + gap for line in lines)
    if not way["last_end"] and not gap:
        text = text.removesuffix(way["end"])
    content = text.encode(way["encoding"], errors="replace")
    return gzip.compress(content) if way["packed"] else content


@PROPERTY
@given(rows=ROWS, way=WAYS, name=st.sampled_from(["own.csv", "own.txt", "own", "own.csv.gz"]))
def test_a_table_reads_back_however_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, str]], way: dict[str, Any], name: str
) -> None:
    path = tmp_path_factory.mktemp("own") / name
    path.write_bytes(write(rows, way))
    places = Places(tmp_path_factory.getbasetemp())
    completed, _ = complete(DatasetSpec(path=str(path), targets=["y"], task="regression"), places)
    table = read_table(completed, places)
    assert table.smiles == [smiles for smiles, _, _ in rows]
    assert table.labels[:, 0].tolist() == [y for _, y, _ in rows]


@PROPERTY
@given(rows=ROWS, way=WAYS)
def test_texts_of_other_columns_are_kept_too(rows: list[tuple[str, float, str]], way: dict[str, Any]) -> None:
    found = cells(write(rows, {**way, "encoding": "utf-8", "packed": False}))
    assert found["note"] == [note for *_, note in rows]


FRAGMENTS = (
    b"smiles", b"y", b"split", b"train", b"id", b"C", b"CC", b"1", b"0", b"-1", b"1e999", b"nan", b"yes", b"no", b",",
    b",", b";", b"\t", b"|", b"\n", b"\n", b"\r", b'"', b" ", b"\xe4", b"\x85", b"\xef\xbb\xbf", b"\xff\xfe", b"\0",
    b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\xe2\x80\xa8",
)  # fmt: skip
CELLS = st.sampled_from(
    [b"", b"C", b"CCO", b"smiles", b"y", b"1", b"0", b"1.5", b"nan", b"yes", b"no", b"train", b'"x"']
)
LINES = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=6))
JUNK = (
    st.binary(max_size=200)
    | st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join)
    | LINES.map(lambda lines: b"\n".join(b";".join(line) for line in lines))
)


def read_or_refuse(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    places = Places(folder)
    try:
        table = read_table(complete(DatasetSpec(path=str(folder / name)), places)[0], places)
    except UsageError:
        pass
    else:
        assert table.labels.shape == (len(table.smiles), len(table.targets))
        assert np.isfinite(table.labels).any()


@PROPERTY
@given(
    start=st.sampled_from([b"", b"smiles,y\n", b"smiles;y;z\nC;1;0\n", b"\xff\xfe", b"\x1f\x8b", b"PAR1"]),
    junk=JUNK,
    name=st.sampled_from(["own.csv", "own.tsv", "own.parquet", "own"]),
)
def test_junk_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, junk: bytes, name: str
) -> None:
    read_or_refuse(tmp_path_factory.mktemp("junk"), name, start + junk)


@PROPERTY
@given(at=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4), byte=st.integers(0, 255))
def test_a_damaged_parquet_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: list[float], byte: int
) -> None:
    content = bytearray(parquet({"smiles": ["C", "CC"] * 30, "y": [1.5, None] * 30, "c": ["a", "b"] * 30}))
    for place in at:
        content[int(place * len(content))] = byte
    read_or_refuse(tmp_path_factory.mktemp("damaged"), "own.parquet", bytes(content))


def parquet(columns: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    pa.parquet.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("file", "header", "separator", "notes"),
    [
        ("own.csv", "smiles,y", ",", []),
        ("own.CSV", "smiles;y", ";", ["separator ';'"]),
        ("own.csv", "smiles\ty", "\t", ["separator tab"]),
        ("own.txt", "smiles|y", "|", ["separator '|'"]),
        ("own.txt", "smiles\ty", "\t", ["separator tab"]),
        ("own.tsv", "smiles\ty, log", "\t", []),
        ("own.TAB.gz", "smiles\ty", "\t", []),
        ("own.tsv", "smiles,y", ",", ["separator ','"]),
        ("own.csv", 'smiles;"a, b, c, d"', ";", ["separator ';'"]),
        ("own.csv", "smiles,a;b,c", ",", []),
    ],
)
def test_the_separator_is_the_most_frequent_one_in_the_header(
    file: str, header: str, separator: str, notes: list[str]
) -> None:
    found = sheet(f"{header}\n" + separator.join("C" * (header.count(separator) + 1)) + "\n", file)
    assert found.notes == notes
    assert found.names[0] == "smiles"
    assert len(found.names) == header.count(separator) + 1


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [
        ("utf-8", []),
        ("utf-8-sig", []),
        ("utf-16", []),
        ("utf-16-be", []),
        ("cp1252", ["the file is not UTF-8: read as Windows-1252"]),
    ],
)
def test_encodings(encoding: str, notes: list[str]) -> None:
    text = "smiles,Löslichkeit – log\nC,ä\n"
    content = ("\ufeff" * (encoding == "utf-16-be") + text).encode(encoding)
    assert cells(content) == {"smiles": ["C"], "Löslichkeit – log": ["ä"]}
    assert sheet(content).notes == notes


def test_bytes_that_windows_1252_lacks_are_latin_1() -> None:
    found = sheet(b"smiles,y\nC,\x81\xe4\n")
    assert found.notes == ["the file is not UTF-8: read as Latin-1"]
    assert found.columns(["y"])[0].to_pylist() == ["\x81ä"]


def test_blank_lines_and_lines_of_blanks_are_no_rows() -> None:
    content = "\n \r\nsmiles,y\r\n\r\nC,1\r\n   \r\nCC,2\r\n\r\n\t\n"
    assert cells(content) == {"smiles": ["C", "CC"], "y": ["1", "2"]}
    assert cells("smiles\ty\n\t\nC\t1\n", "own.tsv") == {"smiles": ["", "C"], "y": ["", "1"]}  # two empty cells


def test_quotes_within_cells() -> None:
    content = 'smiles,name,"a ""b"", c"\nC,"x ""y"", z",1\nCC,5"-DNA,"2\n3"\n'
    assert cells(content) == {"smiles": ["C", "CC"], "name": ['x "y", z', '5"-DNA'], 'a "b", c': ["1", "2\n3"]}


def test_a_name_over_two_lines() -> None:
    assert cells('smiles,"log S\n(mol/L)"\nC,1\n') == {"smiles": ["C"], "log S\n(mol/L)": ["1"]}


def test_only_the_columns_that_are_asked_for_are_read() -> None:
    columns = sheet("smiles,y,z\nC,1,x\n").columns(["z", "smiles"])
    assert [column.to_pylist() for column in columns] == [["x"], ["C"]]
    assert sheet("smiles,y,z\nC,1,x\n").columns([]) == []


def test_a_table_of_many_blocks() -> None:
    count = 3 * BLOCK // 1000
    numbers = random.Random(0).choices(range(1000), k=count)
    content = "smiles,note,y\n" + "".join(f'C,"{"x" * number}\n",{number}\n' for number in numbers)
    assert len(content) > BLOCK
    assert sheet(content).columns(["y"])[0].to_pylist() == [str(number) for number in numbers]
    with pytest.raises(UsageError, match="close every quote"):
        sheet(content.replace('\n",5\n', "\n,5\n", 1)).columns(["y"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"\xef\xbb\xbfsmiles,y\r\n", "has no rows: there is nothing below the header smiles, y"),
        (b"smiles,y\n \n\n", "has no rows"),
        (b"smiles\nCCO\n", "has one column only, 'smiles', and so no label. Separate .* ',', ';', tab, '|'"),
        (b"smiles y\nCCO 1\n", "has one column only, 'smiles y'"),
        (b"smiles,y\nC,1\n\nCC,2,3\n", r"data row 2 has 3 cells, but the header has 2 names: 'CC,2,3'. .*quote"),
        (b"smiles,y\n \nC,1\nCC\n", r"data row 2 has 1 cell, but the header has 2 names: 'CC'"),
        (b"smiles,y\nC,1,\nCC,2,\n", r"data row 1 has 3 cells.* remove separators at the end of lines"),
        (b'smiles,y\nC,1\n"CC,2\nCCC,3\n', r'data row 2 has 1 cell.* close every quote'),
        (b'smiles,y\nC,1\nCC,"2\nCCC,3\n', 'a quote .* is opened and never closed'),
        (b'smiles,y,note\nC,1,"x\nCC,2,y\n', 'a quote .* is opened and never closed'),
        (b'smiles,"y\nC,1\n', "a quote .* in the header line is left open"),
        (b"smiles,y\nC,1\0\n", "not a table of text: it holds NUL bytes"),
        ("smiles,y\nC,1\n".encode("utf-16-le"), "not a table of text: it holds NUL bytes. Save it as CSV, in UTF-8"),
        (b"\xff\xfesmiles,y\nC,1\n"[:-2], "begins as UTF-16 text but is none"),
        (b"\x89PNG\r\n\x1a\n\0\0", r"not a table of text \(a PNG picture\?\)"),
        (b"PK\x03\x04rest", r"an Excel file or a zip archive\? Save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0rest", r"an old Excel file\? Save the sheet as CSV"),
        (b"PAR1 no table", "not a Parquet table, or a damaged one"),
    ],
)  # fmt: skip
def test_what_is_no_table(content: bytes, message: str) -> None:
    with raises_usage(message, key="own.csv"):
        cells(content)


def test_a_column_that_is_not_there_or_there_twice() -> None:
    found = sheet("smiles,y,y,logS\nC,1,2,3\n")
    with raises_usage("'logS'", key="logs", got="logs"):
        found.columns(["logs"])
    with raises_usage(key="y"):
        found.columns(["smiles", "y"])
    assert [column.to_pylist() for column in found.load([0, 1, 2])] == [["C"], ["1"], ["2"]]


def test_parquet_cells_as_text() -> None:
    content = parquet(
        {
            "smiles": ["N", None, "NaN"],
            "double": [0.1, None, float("nan")],
            "inf": [float("inf"), 1e22, 5e-324],
            "single": np.float32([0.1, 2, 3]),
            "whole": [1, None, 2**60],
            "truth": [True, False, None],
            "kind": pd.Categorical(["a", "b", None]),
            "list": [[1.5], [], None],
            "bytes": [b"C", b"\xff", None],
        }
    )
    assert cells(content, "own.csv") == cells(content, "own.parquet") == {  # known by its first bytes, too
        "smiles": ["N", "", "NaN"],
        "double": ["0.1", "", ""],
        "inf": ["inf", "1e+22", "5e-324"],
        "single": ["0.1", "2", "3"],
        "whole": ["1", "", str(2**60)],
        "truth": ["true", "false", ""],
        "kind": ["a", "b", ""],
        "list": ["<list<element: double>>", "<list<element: double>>", ""],
        "bytes": ["<binary>", "<binary>", ""],
    }  # fmt: skip


def test_parquet_columns_with_odd_names() -> None:
    table = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a.b", "a"])
    content = io.BytesIO()
    pa.parquet.write_table(table, content)
    found = open_sheet("own", "own.pq", content.getvalue())
    assert found.columns(["a.b"])[0].to_pylist() == ["2"]
    assert [column.to_pylist() for column in found.load([2, 0])] == [["3"], ["1"]]


def test_parquet_columns_are_found_in_any_order() -> None:
    table = pa.table([pa.array([i]) for i in range(5)], names=["b", "a.b", "c", "a", "b"])
    content = io.BytesIO()
    pa.parquet.write_table(table, content)
    found = open_sheet("own", "own.pq", content.getvalue())
    for order in itertools.permutations(range(5), 3):
        assert [column.to_pylist() for column in found.load(order)] == [[str(at)] for at in order]


def test_parquet_labels_are_those_of_their_column(tmp_path: Path) -> None:
    columns = {"smiles": ["C", "CC"] * 5, "id": list(range(10)), "y": [0.5 + n for n in range(10)]}
    (tmp_path / "own.parquet").write_bytes(parquet(columns))
    places = Places(tmp_path)
    spec, _ = complete(DatasetSpec(path=str(tmp_path / "own.parquet"), targets=["y"]), places)
    assert read_table(spec, places).labels[:, 0].tolist() == columns["y"]


def test_parquet_that_is_none_or_empty() -> None:
    with raises_usage("Parquet", key="own.parquet"):
        sheet("smiles,y\nC,1\n", "own.parquet")
    with raises_usage("no rows", key="own.parquet"):
        sheet(parquet({"smiles": pa.array([], pa.string()), "y": pa.array([], pa.float64())}), "own.parquet")


@pytest.mark.parametrize("kind", ["truncated", "flipped", "header only"])
def test_every_damage_to_a_gzip_file_is_told(kind: str) -> None:
    packed = gzip.compress(b"smiles,y\n" + b"".join(b"C%dCC,%d\n" % (n, n * n) for n in range(50)))
    damaged = {
        "truncated": [packed[:end] for end in range(3, len(packed), 7)],
        "header only": [packed[:2], packed[:10]],
        "flipped": [packed[:at] + bytes([packed[at] ^ 255]) + packed[at + 1 :] for at in range(10, len(packed))],
    }[kind]
    for content in damaged:
        with raises_usage("damaged gzip file", key="own.csv"):
            unpack("own.csv", content)


# Decimal commas, as spreadsheets of half the world write them.


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["1,5", "-0,25", "", "3"], ["1.5", "-0.25", "", "3"]),
        (["1,5e-3", "+2,0E4"], ["1.5e-3", "+2.0E4"]),
        ([",5", "0,123"], [".5", "0.123"]),
        (["1,234", "12,5"], ["1.234", "12.5"]),
        (["1,234", "2,345"], ["1,234", "2,345"]),  # thousands? Nobody can tell
        (["1,234,567"], ["1,234,567"]),
        (["1,5", "2.5"], ["1,5", "2.5"]),
        (["1,5", "high"], ["1,5", "high"]),
        (["1,5", "<2"], ["1,5", "<2"]),
        (["1", "2.5"], ["1", "2.5"]),
        (["[1,5]", "C,C"], ["[1,5]", "C,C"]),
    ],
)
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_column_of_numbers_with_decimal_commas_comes_with_points(
    separator: str, written: list[str], expected: list[str]
) -> None:
    text = "\n".join([f"smiles{separator}y", *(f"C{separator}{cell}" for cell in written)])
    found = sheet(text)
    assert [column.to_pylist() for column in found.columns(["y", "smiles"])] == [expected, ["C"] * len(written)]
    assert found.commas == ({"y"} if written != expected else set())


def test_where_the_comma_separates_a_quoted_one_is_no_decimal_comma() -> None:
    assert cells('smiles,y\nC,"1,5"\n')["y"] == ["1,5"]
