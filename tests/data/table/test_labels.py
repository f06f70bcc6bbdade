"""Label cells of real exports: bounds, marks of missing values, thousands, minus signs, signs and units beside them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest
from golden import Golden
from refusals import raises_usage

from roftbench.data.config import DatasetSpec
from roftbench.data.dataset import load_dataset
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.split import RandomSplit
from roftbench.data.table.load import Table, complete, read_table
from roftbench.errors import UsageError
from roftbench.store.downloads import Places

NOWHERE = Places(Path("nowhere"), offline=True)
NAN = float("nan")


def load(path: Path, text: str, **known: Any) -> tuple[list[str], Table]:
    path.write_text(text, encoding="utf-8")
    completed, guesses = complete(DatasetSpec(path=str(path), **known), NOWHERE)
    return guesses, read_table(completed, NOWHERE)


def column(*labels: object) -> str:
    return "smiles,y\n" + "".join(f"{'C' * (n + 1)},{label}\n" for n, label in enumerate(labels))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.csv"


def test_all_offending_values_are_listed_with_counts(own: Path, golden: Golden) -> None:
    text = column(1.5, ">0.038", "n.d.", ">0.038", "<5", "inactive", 2)
    with raises_usage("data row 2", key="y", got=">0.038") as caught:
        load(own, text, targets=["y"])
    golden("refusal_of_labels.txt", str(caught.value))


@pytest.mark.parametrize(
    ("censored", "expected"), [("drop", [1.5, NAN, NAN, 3, NAN, NAN]), ("bound", [1.5, 0.038, NAN, 3, 5, 1e-3])]
)
def test_bounds_and_marks_of_missing_values(own: Path, censored: str, expected: list[float]) -> None:
    text = column(1.5, "> 0.038", "n.d.", "=3", "≤5", "<1e-3")
    guesses, table = load(own, text, na_values=["n.d."], censored=censored)
    assert "targets y" in guesses
    np.testing.assert_array_equal(table.labels[:, 0], expected)
    marks, bounds = table.notes
    assert (marks[:2], bounds[:2]) == ("1 ", "3 ")
    assert bounds.endswith(f"(dataset.censored={censored})")


def test_numbers_as_marks_of_missing_values(own: Path) -> None:
    _, table = load(own, column(-999, 1.5, "-999.0", 2.5), na_values=["-999"])
    np.testing.assert_array_equal(table.labels[:, 0], [NAN, 1.5, NAN, 2.5])


@pytest.mark.parametrize("mark", ["-999,0", "-999.0", "-999"])
@pytest.mark.parametrize("bound", ["3,5", ">3,5"])
def test_marks_of_missing_values_beside_decimal_commas(own: Path, mark: str, bound: str) -> None:
    cells = ["-999,0", "1,25", bound, "2,75", "-999"]
    text = "smiles;y\n" + "".join(f"{'C' * (n + 1)};{cell}\n" for n, cell in enumerate(cells))
    _, table = load(own, text, na_values=[mark], censored="bound")
    np.testing.assert_array_equal(table.labels[:, 0], [NAN, 1.25, 3.5, 2.75, NAN])


def test_classes_with_marks_of_missing_values(own: Path) -> None:
    guesses, table = load(own, column("Active", "Inactive", "Inconclusive"), na_values=["Inconclusive"])
    assert "task classification (Inactive = 0, Active = 1)" in guesses
    np.testing.assert_array_equal(table.labels[:, 0], [1, 0, NAN])


def test_options_that_are_not_known() -> None:
    with raises_usage(key="censored", got="x", allowed=("error", "drop", "bound")):
        DatasetSpec(path="a.csv", censored="x")


def test_only_options_that_are_set_enter_the_identity() -> None:
    assert DatasetSpec(path="a.csv").reading() == {}
    spec = DatasetSpec(path="a.csv", na_values=["b", "a"], censored="drop", strip_salts=True)
    assert spec.reading() == {"na_values": ["a", "b"], "censored": "drop", "strip_salts": True}


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("−1.5", "its minus sign is U+2212: write '-'"),
        ("–1.5", "its minus sign is U+2013: write '-'"),
        (' "1.5"', "it is in quotes, which a blank before them makes a part of the cell"),
        ("1 234.5", "without separators of thousands"),
        ("5 µM", "put the unit into the column's name"),
        ("- 1.5", "remove the blank after its sign"),
        ("− 1.5", "its minus sign is U+2212"),
        ("1e−7", "its minus sign is U+2212"),
        ("⁻1.5", "its minus sign is U+207B"),
        ("1'234", "without separators of thousands"),
        ("1.5d-7", "write its exponent with e"),
        ("1.5\u200b", "it holds the invisible character U+200B"),
        ("１.５", "write it with the digits 0 to 9"),
        ("1.5±0.2", "write one number"),
        ("1.5 x 10^-3", "write it as 1.5e-7"),
        (">30 nM", "what follows its sign is no number"),
    ],
)
def test_cells_that_are_nearly_numbers(own: Path, cell: str, hint: str) -> None:
    for cells in ([cell] * 3, [1.5, 2.5, cell], [cell, cell.replace("5", "6")]):
        with pytest.raises(UsageError, match=re.escape(hint)):
            load(own, column(*cells))


@pytest.mark.parametrize("words", [["n.d.", "inactive", "NaN"], ["n.d."] * 8 + ["inactive", "NaN"]])
def test_options_are_named_where_a_target_is_guessed(own: Path, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        load(own, column(1.5, 2.5, ">3", 4, 5, 6, *words))
    assert f" {len(words) + 1} cells " in str(caught.value)
    assert "dataset.censored=drop" in str(caught.value)
    assert "dataset.na_values=[" in str(caught.value)


def test_an_outcome_in_words_alone_is_asked_for(own: Path) -> None:
    with raises_usage(r"dataset.na_values=\[unclear\]", key="dataset.targets"):
        load(own, column("active", "inactive", "unclear"))
    _, table = load(own, column("active", "inactive", "unclear"), na_values=["unclear"])
    np.testing.assert_array_equal(table.labels[:, 0], [1, 0, NAN])


GERMAN = "SMILES;S;logP\nCCO;56.993;3,77\nCCN;265;3,1\nCCC;9.684;1,49\n"


def test_points_beside_decimal_commas_are_ambiguous(own: Path) -> None:
    with raises_usage("column 'logP'", key="S", got="56.993"):
        load(own, GERMAN, targets=["S"])
    assert load(own, GERMAN, targets=["logP"])[1].labels[:, 0].tolist() == [3.77, 3.1, 1.49]
    assert load(own, GERMAN.replace("56.993", "56.99"), targets=["S"])[1].labels[0, 0] == 56.99
    assert load(own, GERMAN.replace("3,77", "3.77").replace(",", "."), targets=["S"])[1].labels[0, 0] == 56.993


@pytest.mark.parametrize("beside", ["3,77;>3,1;1", "1.200,50;7.300,25;1.234.567", "3,77 nM;5,2 nM;1,5 nM"])
def test_other_ways_of_writing_decimal_commas_tell_of_thousands(own: Path, beside: str) -> None:
    rows = zip(("CCO;56.993", "CCN;265", "CCC;9.684"), beside.split(";"), strict=True)
    text = "SMILES;S;other\n" + "".join(f"{row};{cell}\n" for row, cell in rows)
    with raises_usage("column 'other'", key="S", got="56.993"):
        load(own, text, targets=["S"])
    plain = text.replace(beside.split(";")[0], "2,4-diol").replace(beside.split(";")[1], "a,b")
    assert load(own, plain, targets=["S"])[1].labels[0, 0] == 56.993


COLUMNS = {"smiles": ["CCO", "CCN", "CCC"], "y": ["1.100", "2.107", "3.250"], "other": ["1,00", "1,37", "2,50"]}


def written(path: Path, columns: dict[str, list[Any]]) -> Path:
    """Write a table in the format that the name of the file says."""
    if path.suffix == ".parquet":
        pa.parquet.write_table(pa.table(columns), path)
    elif path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in (list(columns), *zip(*columns.values(), strict=True)):
            book.active.append(row)
        book.save(path)
    else:
        rows = [list(columns), *zip(*columns.values(), strict=True)]
        path.write_text("".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.parquet"])
def test_points_beside_decimal_commas_are_ambiguous_in_all_formats(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, COLUMNS)
    with raises_usage("column 'other'.*Write 1100, or all numbers", key="y", got="1.100"):
        complete(DatasetSpec(path=str(path)), NOWHERE)
    plain = COLUMNS | {"other": ["1,2-diol", "a,b", "none"]}
    spec, _ = complete(DatasetSpec(path=str(written(path, plain))), NOWHERE)
    assert read_table(spec, NOWHERE).labels[:, 0].tolist() == [1.1, 2.107, 3.25]


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet"])
def test_numbers_that_are_no_text_are_not_ambiguous(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, COLUMNS | {"y": [1.101, 2.107, 3.251]})
    spec, _ = complete(DatasetSpec(path=str(path)), NOWHERE)
    assert read_table(spec, NOWHERE).labels[:, 0].tolist() == [1.101, 2.107, 3.251]


@pytest.mark.parametrize("text", ["smiles;a;b\nC;1,100;1.00\nCC;2,107;1.37\n", 'smiles,a\nC,"1,100"\nCC,"2,107"\n'])
def test_commas_that_may_separate_thousands_are_not_called_decimal(own: Path, text: str) -> None:
    with raises_usage(r"'1,100' may be 1100 or 1\.100", got="1,100") as caught:
        load(own, text, targets=["a"], task="regression")
    assert "not a comma" not in str(caught.value)
    with raises_usage("not a comma", got="1,100"):
        load(own, 'smiles,a\nC,"1,100"\nCC,"2,10"\n', targets=["a"], task="regression")


def test_points_and_commas_in_one_column_are_ambiguous(own: Path) -> None:
    with raises_usage("'56.993' in the same column", key="dataset.targets"):
        load(own, "SMILES;S\nCCO;56.993\nCCN;2,65\nCCC;9,5\n")


def test_decimal_commas_beside_marks_and_bounds(own: Path) -> None:
    text = "SMILES;y\nC;1,5\nCC;>2,5\nCCC;n.d.\nCCCC;3\nCCCCC;4,25\n"
    _, table = load(own, text, na_values=["n.d."], censored="bound")
    np.testing.assert_array_equal(table.labels[:, 0], [1.5, 2.5, NAN, 3, 4.25])
    with pytest.raises(UsageError, match=r"2 cells of this kind: '>2,5', 'n.d.'"):
        load(own, text, targets=["y"], task="regression")


@pytest.mark.parametrize(
    "name",
    [
        "Batch",
        "batch_no",
        "Barcode",
        "PUBCHEM_CID",
        "ID (old)",
        "Sample ID",
        "CompoundID",
        "Lot",
        "No.",
        "MolId",
        "plate",
    ],
)
def test_identifiers_are_never_proposed(own: Path, name: str) -> None:
    guesses, table = load(own, f"smiles,{name},y\nC,3,1.5\nCC,3,2.5\nCCC,7,4\n")
    assert table.targets == ["y"]
    assert any(text.startswith(f"left out {name} ") for text in guesses)
    with raises_usage(key="dataset.targets"):
        load(own, f"smiles,{name}\nC,3\nCC,3\nCCC,7\n")
    assert load(own, f"smiles,{name}\nC,3\nCC,3\nCCC,7\n", targets=[name], task="regression")[1].targets == [name]


@pytest.mark.parametrize("name", ["lipid", "acid", "batchelor_acid_yield", "pIC50", "notes"])
def test_other_names_are_no_identifiers(own: Path, name: str) -> None:
    name = name.replace("batchelor", "x")
    assert load(own, f"smiles,{name}\nC,3.5\nCC,3\nCCC,7\n")[1].targets == [name]


def test_signs_and_units_beside_labels(own: Path, golden: Golden) -> None:
    text = "smiles,rel,Units,y,kind\nC,'=',nM,1.5,IC50\nCC,'>',ug.mL-1,2.5,IC50\nCCC,,nM,4,IC50\nCCCC,>,,,\n"
    notes = [*load(own, text)[1].notes, *load(own, column(-999, -1.5, -2.5, -999, -4))[1].notes]
    golden("notes_of_labels.txt", "\n".join(notes))
    assert load(own, text.replace(">", "=").replace("ug.mL-1", "nM"))[1].notes == ()
    assert load(own, "smiles,size,y\nC,S,1.5\nCC,M,2.5\nCCC,L,4\n")[1].notes == ()


def test_signs_in_words(own: Path) -> None:
    _, table = load(own, "smiles,op,y\nC,eq,1.5\nCC,GT,2.5\nCCC,eq,4\n", targets=["y"])
    assert any("'op'" in note for note in table.notes)


def test_marks_of_missing_values_among_numbers(own: Path) -> None:
    [note] = load(own, column(-999, -1.5, -2.5, -999, -4))[1].notes
    assert "'dataset.na_values=[-999]'" in note
    assert load(own, column(99, 101.5, 97, 99.9))[1].notes == ()


def test_an_outcome_in_words_beside_one_number_is_asked_for(own: Path) -> None:
    text = "smiles,MolWt,outcome\nC,16.5,Active\nCC,30,Inactive\nCCC,44,Inconclusive\n"
    with raises_usage(r"na_values=\[Inconclusive\]", key="dataset.targets"):
        load(own, text)
    assert load(own, text, targets=["MolWt"])[1].targets == ["MolWt"]


def test_a_second_column_of_smiles_is_said(own: Path) -> None:
    guesses, _ = load(own, "smiles,solvent,y\nCO,O,1.5\nCC,CCO,2.5\nCN,CO,3\n")
    assert any("dataset.smiles_column=solvent" in text for text in guesses)
    guesses, _ = load(own, "smiles,code,y\nCO,N,1.5\nCC,C,2.5\nCN,N,3\n")
    assert not [text for text in guesses if "code holds" in text]


@pytest.mark.parametrize(("read", "name"), [("True", "true"), ("100000.0", "1e5"), ("None", "null"), ("1000", "1_000")])
def test_names_that_are_read_as_values(own: Path, read: str, name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"\"dataset.targets=['{name}']\"")):
        load(own, f"smiles,{name}\nC,1.5\nCC,2\n", targets=[read])
    with pytest.raises(UsageError, match=re.escape(f"['{name}',b]")):
        load(own, f"smiles,{name},b\nC,1.5,2\nCC,2.5,3\n")


def test_rows_without_a_label_are_left_out_of_training_and_counted_once(own: Path, tmp_path: Path) -> None:
    own.write_text(column(*[n / 7 if n % 3 else "" for n in range(30)]))
    completed, _ = complete(DatasetSpec(path=str(own), targets=["y"], task="regression"), NOWHERE)
    dataset = load_dataset(completed, tmp_path / "cache", NOWHERE)
    whole, parts = dataset.cut(RandomSplit(), LabelRatio())
    assert len(whole.train) == 24
    assert not np.isnan(dataset.y[parts.train]).any()
    assert parts.note.startswith("10 of 30 ")
    assert len(dataset.cut(RandomSplit(), LabelRatio(count=10))[1].train) == 10
    np.testing.assert_array_equal(parts.test, whole.test)
