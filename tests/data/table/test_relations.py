"""Signs of labels in a column of their own, as in exports of ChEMBL."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Command
from refusals import raises_usage

from roftbench.data.config import DatasetSpec
from roftbench.data.table.load import Table, complete, read_table
from roftbench.store.downloads import Places

NOWHERE = Places(Path("nowhere"), offline=True)
NAN = float("nan")
TEXT = """\
smiles;Standard Relation;Standard Value
CCO;"'='";100.5
CCN;"'>'";1000
c1ccccc1;;3
CCCl;'<=';0.5
CC(=O)O;~;7
OCCO;'=';9
CCCC;'>';
"""


def load(path: Path, text: str = TEXT, **known: Any) -> tuple[DatasetSpec, list[str], Table]:
    path.write_text(text, encoding="utf-8")
    completed, guesses = complete(DatasetSpec(path=str(path), **known), NOWHERE)
    return completed, guesses, read_table(completed, NOWHERE)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.csv"


@pytest.mark.parametrize(
    ("censored", "expected", "done"),
    [
        ("drop", [100.5, NAN, 3, NAN, NAN, 9, NAN], "left out"),
        ("bound", [100.5, 1000, 3, 0.5, 7, 9, NAN], "taken as the bound itself"),
    ],
)
def test_rows_with_another_sign_are_handled_as_the_option_says(
    own: Path, censored: str, expected: list[float], done: str
) -> None:
    completed, guesses, table = load(own, censored=censored)
    assert any(text.endswith(" Standard Relation") for text in guesses)
    np.testing.assert_array_equal(table.labels[:, 0], expected)
    [note] = table.notes
    assert note.startswith("3 labels ")
    assert note.endswith(f" {done} (dataset.censored={censored})")
    # The key changes only with the labels.
    assert completed.reading().get("relation_column") == ("Standard Relation" if censored == "drop" else None)


def test_without_the_option_numbers_and_keys_are_as_before_and_the_warning_names_it(own: Path) -> None:
    completed, _, table = load(own)
    assert "relation_column" not in completed.reading()
    np.testing.assert_array_equal(table.labels[:, 0], [100.5, 1000, 3, 0.5, 7, 9, NAN])
    [warning] = table.notes
    assert "dataset.censored=drop \"dataset.relation_column='Standard Relation'\"" in warning


@pytest.mark.parametrize("name", ["Relation", "standard_relation", "Activity Qualifier", "acqualifier", "operator"])
def test_usual_names_are_found(own: Path, name: str) -> None:
    assert load(own, TEXT.replace("Standard Relation", name), censored="drop")[0].relation_column == name


def test_two_signs_are_not_taken_for_classes(own: Path) -> None:
    text = "smiles;Relation;pKi\nCCO;'=';7\nCCN;'<';n.d.\nCCC;;6\n"
    with raises_usage(r"na_values=\[n\.d\.\]", key="dataset.targets") as caught:
        load(own, text)
    assert "Relation" not in str(caught.value)
    assert load(own, text, na_values=["n.d."])[0].targets == ["pKi"]


def test_a_column_of_another_name_is_named_by_the_user(own: Path) -> None:
    text = TEXT.replace("Standard Relation", "how")
    assert load(own, text, censored="drop")[0].relation_column is None
    _, _, table = load(own, text, censored="drop", relation_column="how")
    np.testing.assert_array_equal(table.labels[:, 0], [100.5, NAN, 3, NAN, NAN, 9, NAN])
    with raises_usage("3 labels are bounds by column 'how', the first in data row 2", key="dataset.censored"):
        load(own, text, relation_column="how")
    with raises_usage("no column 'what'", key="what"):
        load(own, text, relation_column="what")
    with raises_usage("data row 5: 'about' is no sign", key="dataset.relation_column", got="about"):
        load(own, text.replace("~", "about"), censored="drop", relation_column="how")


def test_a_column_of_other_words_is_not_taken_for_signs(own: Path) -> None:
    text = "smiles,operator,y\nCCO,Ann,1.5\nCCN,Ben,2.5\nCCC,>,3\n"
    assert load(own, text, censored="drop")[0].relation_column is None


def test_signs_hold_for_all_labels_of_a_row_if_the_column_is_named(own: Path) -> None:
    text = "smiles,relation,a,b\nCCO,=,1.5,2.5\nCCN,>,3,\nCCC,>,4,5\nCCCC,=,,6\n"
    known: dict[str, Any] = {"targets": ["a", "b"], "censored": "drop"}
    assert load(own, text, **known)[0].relation_column is None  # of which of them is not known
    _, _, table = load(own, text, **known, relation_column="relation")
    np.testing.assert_array_equal(table.labels, [[1.5, 2.5], [NAN, NAN], [NAN, NAN], [NAN, 6]])
    assert table.notes[0].startswith("3 labels with a sign")
    everything = load(own, text, targets=["*"], censored="drop", relation_column="relation")[2]
    assert everything.targets == ["a", "b"]


def test_report_counts_the_rows_of_a_chembl_export(cli: Command, shared: Path) -> None:
    ended = cli("data", str(shared / "cases" / "37_chembl.csv"), "dataset.censored=drop", "split=random")
    assert ended.code == 0, ended
    said = " ".join(ended.out.split())
    assert "14 labels with a sign other than = in column 'Standard Relation' are left out" in said
