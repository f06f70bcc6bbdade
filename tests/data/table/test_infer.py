"""Tables as users have them: what is guessed about each, how the guess reads, and what is said where there is none."""

import re
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import Golden
from refusals import raises_usage

from roftbench.data.config import DatasetSpec
from roftbench.data.table.load import Table, complete, read_table
from roftbench.errors import UsageError
from roftbench.store.downloads import Places

NAN = float("nan")
NUMBERS = count()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def guess(folder: Path, text: str, **known: Any) -> tuple[DatasetSpec, list[str]]:
    path = folder / f"own{next(NUMBERS)}.csv"
    path.write_text(text)
    return complete(DatasetSpec(path=str(path), **known), Places(folder))


def load(folder: Path, text: str, **known: Any) -> tuple[DatasetSpec, Table]:
    completed, _ = guess(folder, text, **known)
    return completed, read_table(completed, Places(folder))


def column(*labels: object, smiles: str = "C") -> str:
    """Return a table with one label column."""
    return "smiles,y\n" + "".join(f"{smiles},{label}\n" for label in labels)


def test_everything_is_guessed_from_a_plain_table(folder: Path, golden: Golden) -> None:
    completed, guesses = guess(folder, "id,smiles,logS\nmol1,CCO,-0.5\nmol2,c1ccccc1,1.25\n")
    golden("guesses_plain.txt", "\n".join(guesses))
    assert (completed.smiles_column, completed.targets, completed.split_column) == ("smiles", ["logS"], None)
    assert (completed.task, completed.metric, completed.classes) == ("regression", "rmse", None)


def test_everything_at_once_in_words(folder: Path, golden: Golden) -> None:
    text = "num;SMILES;Split;CMPD_ID;activity\n5;CCO;train;17;Active\n6;CC;VALID;12;inactive\n7;C;test;18;\n"
    completed, guesses = guess(folder, text)
    golden("guesses_all.txt", "\n".join(guesses))
    assert completed.classes == ["inactive", "Active"]
    assert completed.metric == "roc_auc"


def test_what_is_given_is_not_guessed(folder: Path) -> None:
    text = "smiles,drug,a,b,part\nC,CC,1,0,train\nCC,CCC,0,1,test\n"
    known = {
        "name": "mine", "smiles_column": "drug", "targets": ["b", "a"], "task": "regression", "metric": "mae",
        "split_column": "part",
    }  # fmt: skip
    completed, guesses = guess(folder, text, **known)
    assert guesses == []
    assert all(getattr(completed, key) == value for key, value in known.items())
    table = read_table(completed, Places(folder))
    assert table.smiles == ["CC", "CCC"]
    assert table.labels.tolist() == [[0, 1], [1, 0]]  # in the order of `targets`
    assert table.parts == ["train", "test"]


# SMILES column


@pytest.mark.parametrize("header", ["SMILES", "Smiles", " smiles ", "canonical_smiles", "mol", "Structure", "molecule"])
def test_usual_names_of_the_smiles_column(folder: Path, header: str) -> None:
    completed, table = load(folder, f"{header},y\nCCO,1.5\n")
    assert completed.smiles_column == header
    assert table.smiles == ["CCO"]


def test_smiles_go_before_canonical_smiles(folder: Path) -> None:
    assert load(folder, "canonical_smiles,smiles,y\nCO,OC,1.5\n")[1].smiles == ["OC"]
    assert load(folder, "Smiles,SMILES,y\nCO,OC,1.5\n")[1].smiles == ["CO"]  # then the first one


def test_a_column_of_smiles_with_another_name(folder: Path) -> None:
    rows = "".join(f"drug {n},{'C' * n},{n / 7}\n" for n in range(1, 60)) + "none,not SMILES,1\n,,\n"
    completed, guesses = guess(folder, "name,Drug,y\n" + rows)
    assert (completed.smiles_column, completed.targets) == ("Drug", ["y"])
    assert any(text.endswith(" Drug") for text in guesses)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("drug,y\nwater,1.5\n", "one of drug, y$"),
        ("drug,y\nCC,1.5\nwater,2\n", "one of drug, y$"),
        ("a,b,y\nC,CC,1\n", "one of a, b$"),
        ("CCO,1.5\nCC,2.5\n", "header line such as smiles,y$"),
        ("," * 30 + "\nwater" + "," * 30 + "\n", r"\(31 in all\)"),
    ],
)
def test_table_without_a_certain_smiles_column_is_refused(folder: Path, text: str, part: str) -> None:
    with raises_usage(part, key="dataset.smiles_column"):
        guess(folder, text)


# targets


@pytest.mark.parametrize("name", ["id", "Index", "idx", "CID", "row", "Unnamed: 0", "", "CHEMBL_ID", "mol_id"])
def test_columns_named_as_row_numbers_are_left_out(folder: Path, name: str) -> None:
    completed, guesses = guess(folder, f"{name},smiles,y\n7,C,1.5\n3,CC,2.5\n")
    assert completed.targets == ["y"]
    assert any(text.startswith(f"left out {name or 'the column'}") for text in guesses)


def test_columns_that_count_up_are_left_out(folder: Path) -> None:
    completed, guesses = guess(folder, "n,smiles,y\n17,C,1.5\n18,CC,2.5\n19,CCC,2.5\n")
    assert completed.targets == ["y"]
    assert any(text.startswith("left out n ") for text in guesses)
    with raises_usage("left out y ", key="dataset.targets"):
        guess(folder, column(3, 4, 5))
    assert guess(folder, column(3, 4, 5), targets=["y"])[0].task == "regression"
    for labels in ((1, 2), (1, 2, 4), (0.5, 1.5, 2.5), (1, 2, ""), (3, 2, 1)):  # too few, no numbers of rows, a gap
        assert guess(folder, column(*labels))[0].targets == ["y"]


def test_names_are_no_labels(folder: Path) -> None:
    assert guess(folder, "name,smiles,source,y\na,C,x,1\nb,CC,y,3\n")[0].targets == ["y"]


def test_columns_of_zeros_and_ones_are_tasks_of_one_data_set(folder: Path) -> None:
    completed, table = load(folder, "smiles,a,b,c\nC,0,1,\nCC,,1.0,\nCCC,1,0,1\n")
    assert (completed.task, completed.targets) == ("classification", ["a", "b", "c"])
    np.testing.assert_array_equal(table.labels, [[0, 1, NAN], [NAN, 1, NAN], [1, 0, 1]])


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("smiles,mw,active\nC,16.5,1\nCC,30.5,0\n", {"task": "classification"}, ["active"]),
        ("smiles,mw,active\nC,16.5,yes\nCC,30.5,no\n", {"task": "classification"}, ["active"]),
        ("smiles,mw,active\nC,16.5,yes\nCC,30.5,no\n", {"task": "regression"}, ["mw"]),
        ("smiles,mw,a,b\nC,16.5,lo,hi\nCC,30.5,hi,\n", {"classes": ["lo", "hi"]}, ["a", "b"]),
        ("smiles,id,y\nC,1,high\nCC,2,low\n", {"classes": ["low", "high"]}, ["y"]),
    ],
)
def test_what_is_known_helps_to_find_the_targets(
    folder: Path, text: str, known: dict[str, Any], expected: list[str]
) -> None:
    assert guess(folder, text, **known)[0].targets == expected


@pytest.mark.parametrize(
    ("text", "known", "message"),
    [
        ("smiles,a,b\nC,1.5,2\n", {}, "has 2 columns that can be labels, a, b"),
        ("smiles,a,b\nC,0,2\nCC,1,3\n", {}, "has 2 columns that can be labels, a, b"),
        ("smiles,a,b\nC,yes,2\nCC,no,3\n", {}, "has 2 columns that can be labels, a, b"),
        ("smiles,a,b\nC,0,1\nCC,1,0\n", {"task": "regression"}, "has 2 columns that can be labels, a, b"),
        ("smiles,a\nC,high\n", {}, "no numeric column"),
        ("smiles,a\nC,\n", {}, "'a' is empty"),
        ("smiles,a\nC,1\nCC,<0.1\n", {}, "'a' has '<0.1' in data row 2"),
        ("smiles;a\nC;1,5\nCC;2.5\n", {}, "'a' has '1,5' in data row 1"),
        ("smiles,a\nC,1\nCC,inf\n", {}, "'a' has 'inf' in data row 2"),
        ("smiles,a\nC,1.5\nCC,2\n", {"classes": ["no", "yes"]}, "has no column of no and yes"),
        ("smiles,a,a\nC,1,2\n", {}, "has 2 columns called 'a'"),
        (",\nC,high\n", {}, "has 2 columns called ''"),
        ("smiles,split\nC,train\n", {}, "no numeric column"),
    ],
)
def test_targets_that_cannot_be_guessed(folder: Path, text: str, known: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        guess(folder, text, **known)
    assert "dataset.targets=[A] or 'dataset.targets=[A,B]'" in str(caught.value) or "called" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("smiles,a,b\nC,>5,2\nCC,1.5,3\nCCC,2,5\n", r"'a' has '>5' in data row 1, .*'dataset\.targets=\[b\]'"),
        ("smiles,a,b\nC,1,NaN\nCC,0,1\n", r"'b' has 'NaN' in data row 1, .*'dataset\.targets=\[a\]'"),
    ],
)
def test_a_column_that_one_cell_keeps_from_being_numeric_is_not_passed_over(
    folder: Path, text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        guess(folder, text)


# split column


@pytest.mark.parametrize("name", ["split", "Split", " SPLIT "])
def test_a_split_column_is_known_by_name_and_cells(folder: Path, name: str) -> None:
    completed, guesses = guess(folder, f"smiles,y,{name}\nC,1.5,Train\nCC,3,dev\nCC,2,\n")
    assert completed.split_column == name
    assert any(text.endswith(f" {name}") for text in guesses)


@pytest.mark.parametrize("cells", [("a", "x"), ("", ""), ("0", "1.5")])
def test_a_column_called_split_without_parts_is_none(folder: Path, cells: tuple[str, str]) -> None:
    text = f"smiles,y,split\nC,1.5,{cells[0]}\nCC,2.5,{cells[1]}\n"
    assert guess(folder, text, targets=["y"])[0].split_column is None


def test_a_column_called_split_with_a_part_and_something_else_is_refused(folder: Path) -> None:
    with raises_usage(key="split", got="tst"):
        guess(folder, "smiles,y,split\nC,1.5,train\nCC,2.5,tst\n")


def test_a_column_called_split_without_parts_is_no_target_either(folder: Path) -> None:
    completed, guesses = guess(folder, "smiles,y,split\nC,0,1\nCC,1,0\nCCC,1,1\n")
    assert completed.targets == ["y"]
    assert any(text.startswith("left out split ") for text in guesses)


def test_a_few_bad_cells_do_not_hide_the_smiles(folder: Path) -> None:
    rows = "".join(f"{'C' * (i % 9 + 1)},{i / 3}\n" for i in range(40))
    completed, _ = guess(folder, f"Structure (SMILES),y\nn/a,1.5\n{rows}")
    assert completed.smiles_column == "Structure (SMILES)"


def test_the_first_line_that_a_spreadsheet_writes_for_itself(folder: Path) -> None:
    completed, _ = guess(folder, "sep=;\r\nsmiles;y\r\nC;1.5\r\nCC;2.5\r\n")
    assert (completed.smiles_column, completed.targets) == ("smiles", ["y"])


def test_names_of_molecules_are_not_taken_for_smiles(folder: Path) -> None:
    text = "Molecule,Isomeric SMILES,y\naspirin,CC(=O)Oc1ccccc1C(O)=O,1.5\nethanol,CCO,2.5\nwater,O,0.25\n"
    assert guess(folder, text)[0].smiles_column == "Isomeric SMILES"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("4,500", "'4,500' in data row 1"),
        ("4.5 uM", "'4.5 uM'"),
        (">5", "only bounded"),
    ],
)
def test_labels_that_are_nearly_numbers_throughout(folder: Path, cell: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        guess(folder, f"smiles;y\nC;{cell}\nCC;{cell}\nCCC;{cell}\n")


def test_a_column_that_is_a_target_is_no_split_column(folder: Path) -> None:
    text = "smiles,split\nC,train\nCC,test\nCC,test\n"
    completed, _ = guess(folder, text, targets=["split"], classes=["train", "test"])
    assert completed.split_column is None


# task and classes


@pytest.mark.parametrize(
    ("labels", "task", "classes"),
    [
        ((0, 1, 1), "classification", None),
        (("1.0", "", "0.0"), "classification", None),
        ((1, 1, 1), "classification", None),
        ((0, 1, 2, 0), "regression", None),
        ((1, 2, 1), "classification", ["1", "2"]),
        (("1.0", -1, 1), "classification", ["-1", "1.0"]),
        ((0.5, 0.25, 0.5), "classification", ["0.25", "0.5"]),
        ((0.5, 0.25), "regression", None),  # every number only once
        (("Active", "Inactive"), "classification", ["Inactive", "Active"]),
        (("NO", "yes", ""), "classification", ["NO", "yes"]),
        (("True", "False"), "classification", ["False", "True"]),
        (("positive", "negative"), "classification", ["negative", "positive"]),
        (("toxic", "Non-Toxic"), "classification", ["Non-Toxic", "toxic"]),
        (("y", "n"), "classification", ["n", "y"]),
        (("T", "F"), "classification", ["F", "T"]),
        (("+", "-"), "classification", ["-", "+"]),
    ],
)
def test_the_task_is_guessed_from_the_labels(
    folder: Path, labels: tuple[object, ...], task: str, classes: list[str] | None
) -> None:
    completed, table = load(folder, column(*labels))
    assert (completed.task, completed.classes) == (task, classes)
    assert completed.metric == {"regression": "rmse", "classification": "roc_auc"}[task]
    if classes:
        expected = [NAN if label == "" else float(str(label) == classes[1]) for label in labels]
        if task == "classification" and labels != ("1.0", -1, 1):
            np.testing.assert_array_equal(table.labels[:, 0], expected)


def test_numbers_that_are_written_differently_are_one_class(folder: Path) -> None:
    completed, table = load(folder, column("1.0", -1, 1, "+1", ""))
    assert completed.classes == ["-1", "1.0"]
    np.testing.assert_array_equal(table.labels[:, 0], [1, 0, 1, 1, NAN])


def test_case_does_not_make_a_class_of_its_own(folder: Path) -> None:
    completed, table = load(folder, column("active", "Active", "INACTIVE", "inactive"))
    assert completed.classes == ["INACTIVE", "active"]
    assert table.labels[:, 0].tolist() == [1, 1, 0, 0]


def test_classes_that_only_differ_in_case(folder: Path) -> None:
    _, table = load(folder, column("a", "A", "a"), classes=["a", "A"])
    assert table.labels[:, 0].tolist() == [0, 1, 0]


def test_classes_that_are_given(folder: Path) -> None:
    completed, guesses = guess(folder, column("high", "low", ""), classes=["low", "high"])
    assert guesses[-1] == "task classification (low = 0, high = 1)"
    np.testing.assert_array_equal(read_table(completed, Places(folder)).labels[:, 0], [1, 0, NAN])
    flipped, _ = guess(folder, column(1, 0), classes=["1", "0"])
    assert read_table(flipped, Places(folder)).labels[:, 0].tolist() == [0, 1]


def test_a_task_that_is_given(folder: Path) -> None:
    completed, guesses = guess(folder, column(2, 1), task="classification")
    assert completed.classes == ["1", "2"]
    assert guesses[-1] == "classes 1 = 0, 2 = 1"
    assert guess(folder, column(0, 1), task="regression")[0].metric == "rmse"
    assert guess(folder, column(-1, 0, 1, 1), task="regression")[0].task == "regression"


@pytest.mark.parametrize(
    ("text", "known", "key", "got", "part"),
    [
        (column(-1, 0, 1, 1), {}, "dataset.task", None, "empty the cells that hold 0"),
        (column("weak", "strong"), {}, "dataset.classes", None, r"'dataset.classes=\[NEGATIVE,POSITIVE\]'"),
        (column("high", "high"), {"targets": ["y"]}, "dataset.classes", None, "high"),
        (column(0, 2, 1), {"task": "classification"}, "dataset.task", "classification", "y has 3"),
        (column(1.5, "high"), {"targets": ["y"]}, "y", "high", "data row 2"),
        (column("a", "b", "c"), {"targets": ["y"]}, "y", "a", "data row 1"),
        (column("", ""), {"targets": ["y"]}, "y", None, "no label"),
        (column(0, 1), {"metric": "rmse"}, "dataset.metric", "rmse", "classification"),
        (column(0, 1), {"task": "regression", "classes": ["0", "1"]}, "dataset.classes", ["0", "1"], "regression"),
    ],
)
def test_tasks_that_cannot_be_guessed(
    folder: Path, text: str, known: dict[str, Any], key: str, got: Any, part: str
) -> None:
    with raises_usage(part, key=key, got=got):
        guess(folder, text, **known)
