"""Quoted cells over several lines: text of the user's is read, rows behind an open quote are not lost."""

from pathlib import Path

import pytest
from refusals import raises_usage

from roftbench.data.table.reader import open_sheet
from roftbench.data.table.stream import open_rows


def swallowed(separator: str, cell: str) -> str:
    rows = [f"{'C' * n}{separator}name {n}{separator}{n / 7}" for n in range(1, 12)]
    rows[3] = rows[3].replace("name", f'"{cell}')
    rows[7] = rows[7].replace("name 8", f'{cell} 8"' if cell == "closed" else '"name 8')
    return "\n".join([separator.join(("smiles", "name", "y")), *rows]) + "\n"


def read(path: Path) -> int:
    sheet = open_sheet(path.name, path.name, path.read_bytes())
    return len(sheet.columns(["smiles"])[0])


@pytest.mark.parametrize("separator", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("cell", ["open", "closed"])
def test_rows_behind_an_open_quote_are_not_lost(tmp_path: Path, separator: str, cell: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(swallowed(separator, cell))
    for reader in (read, lambda path: open_rows(path, "smiles").count):
        with raises_usage(r"data row 4: .* 5 rows", key="name"):
            reader(path)


def test_quotes_at_the_end_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text('smiles\ty\tname\nCO\t1.5\t"peak\nCC\t2.5\tb\nCN\t3.5\t"c\nCCC\t4\td\n')
    with raises_usage(r"data row 1: .* 3 rows", key="name"):
        read(path)


def test_rows_of_texts_and_numbers_in_one_column_are_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text('smiles\ty\tname\nCO\t1.5\t"peak\nCC\tn.d.\t17"\nCN\t>3\tc\nCCC\t4\td\n')
    for reader in (read, lambda path: open_rows(path, None).count):
        with raises_usage(r"data row 1: .* 2 rows", key="name"):
            reader(path)


def test_the_public_case(shared: Path) -> None:
    path = shared / "cases" / "04_quotes.tsv"
    with raises_usage("data row 11", key="name"):
        read(path)
    with raises_usage("data row 11", key="name"):
        open_rows(path, None)


@pytest.mark.parametrize(
    "text",
    [
        'id,remark,smiles\n1,"first\rsecond",CCO\n2,plain,CCN\n',
        'id,remark,smiles\n1,"a, b\nc, d",CCO\n2,plain,CCN\n',  # 1 and c: no two rows of one table
        'remark,smiles\n"one, two, three\nfour",CCO\n"5"" pipe",CCN\n',
        'smiles,y,remark\nCCO,1.5,"first\n\nsecond, third"\nCCN,2,\n',
        'smiles,y\n"CCO","1.5"\n"CCN","2"\n\n',
    ],
)
def test_text_over_lines_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    assert read(path) == open_rows(path, None).count == 2


def test_a_column_alone_holds_a_row_in_each_line(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('smiles\n"CCO\nCCC\nCCN"\nCO\n')
    with raises_usage(r"data row 1: .* 3 rows", key="smiles"):
        open_rows(path, "smiles")
