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


@pytest.mark.parametrize(
    ("text", "row", "count"),
    [
        # Two rows of which the first has no closing quote, and the separator in its name.
        ('name;smiles;y\na;CCO;1.5\n"a; b;CC(=O)O;4.3\n"5"" tube";CC(=O)N;4.7\nc;CCN;2.5\n', 2, 2),
        # The separator within a name, on the first and the last line.
        ('smiles,name,y\nCO,a,1\nCCN,"top, broad,4.7\nCCC,b,2\nCCCC,c,3\nCCO,peak, wide",8.4\nCN,d,5\n', 2, 4),
        # A row with a quoted cell ends the quote of another one.
        ('smiles\tname\ty\nCC\tx\t1\nCBr\t"a\t b4\t2.4\nCCC\tb\t2.8\nCN\t"say ""x""\t3.5\nCO\tc"\t4\n', 2, 3),
        # An empty cell, and a quote that is opened in it.
        ('smiles;y;name\nCC;1;x\nCBr;2.4;"\nCCC;2.8;"say ""x"""\nCO;3;\n', 2, 2),
        # Numbers stand in some rows alone.
        ('smiles,y,name\nCCO,1,"a, b\nCCN,,c\nCCC,3,d, e"\nCO,4,f\n', 1, 3),
    ],
)
def test_rows_are_not_lost_where_cells_hold_the_separator(tmp_path: Path, text: str, row: int, count: int) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    for reader in (read, lambda path: open_rows(path, None).count):
        with raises_usage(rf"data row {row}: .* {count} rows", key="name"):
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
        'smiles,remark,y\nCCO,"peaks: 1,5\nand C,2,3",7\nCCN,plain,2\n',
        'smiles,y,remark\nCCO,1.5,"\n\nsecond, third"\nCCN,2,"a\n"\n',
        'smiles,y,remark\nCCO,1.5,"a, b, c\nsee CCN, 2.5, d"\nCCN,2,"a, b"\n',
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
