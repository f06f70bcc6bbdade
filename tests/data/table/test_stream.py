"""Long tables read in pieces: the same cells as all at once, whatever the encoding, separator or size of a piece."""

import codecs
import gzip
from pathlib import Path

import pytest

from roftbench.data.table import text as texts
from roftbench.data.table.reader import open_sheet
from roftbench.data.table.stream import open_rows
from roftbench.errors import UsageError

TEXT = 'id;smiles;note\n1;CCO;"a; b"\n2;C;"two\nlines"\n3;N;é\n\n4;NaN;"she said ""no"""\n'
CELLS = [["1", "2", "3", "4"], ["CCO", "C", "N", "NaN"], ["a; b", "two\nlines", "é", 'she said "no"']]


def cells(path: Path, size: int = 3, skip: int = 0) -> list[list[str]]:
    found = open_rows(path, None)
    chunks = list(found.chunks(size, skip))
    assert all(len(chunk[0]) == size for chunk in chunks[:-1])
    return [[cell for chunk in chunks for cell in chunk[column]] for column in range(len(found.names))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("read", [64, 1 << 20])
def test_cells_are_those_of_the_file(
    tmp_path: Path, encoding: str, end: str, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(TEXT.replace("\n", end).encode(encoding))
    monkeypatch.setattr(texts, "BLOCK", read)
    assert cells(path) == [[cell.replace("\n", end) for cell in column] for column in CELLS]
    assert cells(path, size=1) == cells(path, size=100)
    assert cells(path, skip=2) == [[cell.replace("\n", end) for cell in column[2:]] for column in CELLS]


def test_blank_lines_of_a_single_column_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    for text in ("smiles\nCCO\n\nC\n", "smiles\nCCO\n\nC", 'smiles\n"CCO"\n\nC\n', 'smiles\r\nCCO\r\n\r\n"C"'):
        path.write_bytes(text.encode())
        assert cells(path) == [["CCO", "", "C"]]


@pytest.mark.parametrize("name", ["in.smi", "in.SMILES", "in.cxsmiles.gz"])
def test_a_list_of_smiles_has_no_header(tmp_path: Path, name: str) -> None:
    lines = ["CCO ethanol", "CCC\tpropane, or so", "", "c1ccccc1 |$R;;;;;$| benzene", "no molecule", 'CC 4"']
    content = "\n".join(lines).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert cells(path) == [lines]
    assert open_rows(path, None).names == ["smiles"]
    assert open_rows(path, None).notes[0] == "a list of SMILES without a header"
    with pytest.raises(UsageError, match="is a list of SMILES without labels: give a table with a header line"):
        open_sheet(path.name, path.name, content)


@pytest.mark.parametrize("text", ["SMILES\nC\n", "smiles\tname\nC\tmethane\n", "name,smiles\nmethane,C\n"])
def test_a_list_of_smiles_with_a_header_is_a_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.smi"
    path.write_text(text)
    rows = open_rows(path, None)
    assert [chunk[rows.smiles] for chunk in rows.chunks(10)] == [["C"]]


def test_a_table_longer_than_its_head_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "HEAD", 256)
    monkeypatch.setattr(texts, "BLOCK", 128)
    path = tmp_path / "in.csv"
    path.write_text("smiles,n\n" + "".join(f'CCO,"{i}\n"\n' for i in range(200)), encoding="utf-8")
    assert cells(path) == [["CCO"] * 200, [f"{i}\n" for i in range(200)]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"smiles,y\n", "no rows"),
        (b"smiles,y\nCCO,1\nC,2,3\n", "3 cells"),
        (b'smiles,y\nCCO,1\nC,"2\n', "never closed"),
        (b"smiles,y\nCCO,1\0\n", "NUL"),
        (b"smiles,smiles\nCCO,C\n", "called 'smiles'"),
        (b"a,b\n1,2\n", "smiles_column"),
        (b"\x1f\x8bjunk", "gzip"),
        (b"PAR1junk", "Parquet"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x00", "UTF-16"),
        (b"smiles,y\nC,1\n\nCC,2,3\n", "data row 2 has 3 cells, but the header has 2 names"),
        (b"smiles,y\n" + b"C,1\n" * 300_000 + b"\nCC,2,3\n", "data row 300001 has 3 cells"),  # beyond the first block
        (b"\x89PNG123\nx\n", "a PNG picture"),
    ],
)
def test_what_is_no_table_is_told_as_for_a_data_set(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        open_rows(path, None)


def test_the_reader_of_a_ragged_table_is_kept(tmp_path: Path) -> None:
    """One that is dropped while pyarrow's thread reads can abort the process, with the message already printed."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"smiles,y\nCCO,1\nCCN,2,3\n")
    texts._READERS.clear()
    for count in (1, 2):
        with pytest.raises(UsageError, match="data row 2 has 3 cells"):
            open_rows(path, None)
        assert len(texts._READERS) >= count
