"""Tables as users have them: what is guessed, and what is said when it cannot be."""

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import ROOT

from roftbench.data.table import DatasetSpec, Table, complete, read_content, read_table
from roftbench.errors import UsageError

NAN = float("nan")
CONF = ROOT / "conf" / "dataset"


def spec(path: Path, text: str | bytes, **known: Any) -> DatasetSpec:
    """Return the spec of a file with this text."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return DatasetSpec(path=str(path), **known)


def load(path: Path, text: str | bytes, **known: Any) -> tuple[DatasetSpec, Table]:
    completed, _ = complete(spec(path, text, **known))
    return completed, read_table(completed)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "own.csv"


def bundled(name: str, /, **changes: Any) -> DatasetSpec:
    known = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    return DatasetSpec(**{**known, **changes})


def test_everything_is_guessed_from_a_plain_table(csv: Path) -> None:
    text = "id,smiles,logS\nmol1,CCO,-0.5\nmol2,c1ccccc1,1.25\n"
    completed, guesses = complete(spec(csv, text))
    assert guesses == ["SMILES column smiles", "targets logS", "task regression"]
    assert (completed.name, completed.smiles_column, completed.targets) == ("own", "smiles", ["logS"])
    assert (completed.task, completed.metric) == ("regression", "rmse")
    assert completed.sha256 == sha256(text.encode()).hexdigest()
    table = read_table(completed)
    assert table.smiles == ["CCO", "c1ccccc1"]
    assert table.labels.tolist() == [[-0.5], [1.25]]
    assert table.labels.dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "task", "metric"), [("0110", "classification", "roc_auc"), ("0120", "regression", "rmse")]
)
def test_the_task_is_guessed_from_the_labels(csv: Path, labels: str, task: str, metric: str) -> None:
    completed, _ = load(csv, "smiles,y\n" + "".join(f"C,{label}\n" for label in labels))
    assert (completed.task, completed.metric) == (task, metric)


def test_missing_labels_do_not_hide_a_classification(csv: Path) -> None:
    completed, table = load(csv, "smiles,y\nC,1\nCC,\nCCC,0.0\n")
    assert completed.task == "classification"
    np.testing.assert_array_equal(table.labels, [[1], [NAN], [0]])


@pytest.mark.parametrize("header", ["SMILES", "Smiles", " smiles ", "canonical_smiles", "mol", "Structure", "molecule"])
def test_usual_names_of_the_smiles_column(csv: Path, header: str) -> None:
    completed, table = load(csv, f"{header},y\nCCO,1.5\n")
    assert completed.smiles_column == header
    assert table.smiles == ["CCO"]


def test_smiles_go_before_canonical_smiles(csv: Path) -> None:
    assert load(csv, "canonical_smiles,smiles,y\nCO,OC,1.5\n")[1].smiles == ["OC"]
    assert load(csv, "Smiles,SMILES,y\nCO,OC,1.5\n")[1].smiles == ["CO"]  # then the first one


def test_what_is_given_is_not_guessed(csv: Path) -> None:
    text = "smiles,drug,a,b\nC,CC,1,0\nCC,CCC,0,1\n"
    known = {"name": "mine", "smiles_column": "drug", "targets": ["b", "a"], "task": "regression", "metric": "mae"}
    completed, guesses = complete(spec(csv, text, **known))
    assert guesses == []
    assert all(getattr(completed, key) == value for key, value in known.items())
    table = read_table(completed)
    assert table.smiles == ["CC", "CCC"]
    assert table.labels.tolist() == [[0, 1], [1, 0]]  # in the order of `targets`


def test_no_smiles_column(csv: Path) -> None:
    with pytest.raises(UsageError, match=r"no column called smiles, .* set dataset.smiles_column to one of drug, y"):
        complete(spec(csv, "drug,y\nC,1.5\n"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("smiles,a,b\nC,1.5,2\n", "numeric columns: a, b"),
        ("smiles,a\nC,high\n", "no numeric column"),
        ("smiles,a\nC,\n", "no numeric column"),
    ],
)
def test_targets_that_cannot_be_guessed(csv: Path, text: str, found: str) -> None:
    with pytest.raises(UsageError, match=found) as caught:
        complete(spec(csv, text))
    assert "dataset.targets=" in str(caught.value)


@pytest.mark.parametrize("key", ["smiles_column", "targets"])
def test_a_wrong_column_gets_a_suggestion(csv: Path, key: str) -> None:
    known = {"smiles_column": "smiles", "targets": ["solubility"], "task": "regression"}
    known[key] = "smile" if key == "smiles_column" else ["solubilty"]
    right = "smiles" if key == "smiles_column" else "solubility"
    wrong = spec(csv, "smiles,solubility\nC,1.5\n", **known)
    with pytest.raises(UsageError, match=rf"no column '\w+'\. Did you mean '{right}'\? Allowed: smiles, solubility"):
        read_table(complete(wrong)[0])


@pytest.mark.parametrize("label", ["high", "nan", "NA", "inf", "-Infinity", "1,5", "0x10", "1e999", "?"])
def test_a_label_that_is_no_number_is_named_with_its_row(csv: Path, label: str) -> None:
    text = f'smiles,y\nC,1.5\nCC,\nCCC,"{label}"\nCCCC,"{label}"\n'
    with pytest.raises(UsageError, match=r"column 'y', data row 3: '") as caught:
        load(csv, text, targets=["y"])
    assert f"'{label}' is not a finite number" in str(caught.value)
    assert str(csv) in str(caught.value)


def test_numbers_as_people_write_them(csv: Path) -> None:
    labels = load(csv, "smiles,y\nC, 1.5 \nC,-2e-3\nC,+3\nC,.5\nC,12345678901234567890123\n")[1].labels
    assert labels[:, 0].tolist() == [1.5, -0.002, 3.0, 0.5, 12345678901234567890123.0]


def test_several_targets_with_missing_labels(csv: Path) -> None:
    _, table = load(csv, "smiles,a,b\nC,,1\nCC,0,\nCCC,,\n", targets=["a", "b"])
    np.testing.assert_array_equal(table.labels, [[NAN, 1], [0, NAN], [NAN, NAN]])


@pytest.mark.parametrize("label", ["2", "-1", "0.5"])
def test_classes_are_0_and_1(csv: Path, label: str) -> None:
    completed, _ = complete(spec(csv, f"smiles,y\nC,0\nCC,{label}\n", task="classification"))
    with pytest.raises(UsageError, match=r"must be 0, 1 or empty.*dataset.task=regression"):
        read_table(completed)


def test_smiles_are_text_even_where_they_look_like_missing_values(csv: Path) -> None:
    smiles = ["N", "NaN", "NA", "nan", "None", "null", "1", "True", "C1=CC=CC=C1", " CCO ", ""]
    _, table = load(csv, "smiles,y\n" + "".join(f"{text},1.5\n" for text in smiles))
    assert table.smiles == smiles


def test_quoted_cells_and_windows_line_ends(csv: Path) -> None:
    _, table = load(csv, b'\xef\xbb\xbf"smiles","y, log"\r\n"CCO","1.5"\r\n"C,1",2\r\n')
    assert table.smiles == ["CCO", "C,1"]
    assert table.labels.tolist() == [[1.5], [2.0]]


@pytest.mark.parametrize("name", ["own.tsv", "own.tab", "own.tsv.gz", "own.csv.gz", "own.table", "OWN.CSV"])
def test_separators_and_compression(tmp_path: Path, name: str) -> None:
    text = b"smiles,y\nCCO,1.5\nCC,-2\n"
    text = text.replace(b",", b"\t") if ".t" in name and "table" not in name else text
    completed, table = load(tmp_path / name, gzip.compress(text) if name.endswith(".gz") else text)
    assert table.smiles == ["CCO", "CC"]
    assert table.labels.tolist() == [[1.5], [-2.0]]
    assert completed.sha256 == sha256(text).hexdigest()  # of the content, so that packing it does not matter
    assert completed.name == name.split(".")[0]


def test_a_gzip_file_is_known_by_its_content(csv: Path) -> None:
    assert load(csv, gzip.compress(b"smiles,y\nCCO,1.5\n"))[1].smiles == ["CCO"]


@pytest.mark.parametrize("kind", ["truncated", "flipped", "header only"])
def test_every_damage_to_a_gzip_file_is_told(csv: Path, kind: str) -> None:
    packed = gzip.compress(b"smiles,y\n" + b"".join(b"C%dCC,%d\n" % (n, n * n) for n in range(50)))
    damaged = {
        "truncated": [packed[:end] for end in range(3, len(packed), 7)],
        "header only": [packed[:2], packed[:10]],
        "flipped": [packed[:at] + bytes([packed[at] ^ 255]) + packed[at + 1 :] for at in range(10, len(packed))],
    }[kind]
    for data in damaged:
        csv.write_bytes(data)
        with pytest.raises(UsageError, match=r"own\.csv is a damaged gzip file: .+"):
            read_content(DatasetSpec(path=str(csv)))


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"dataset\.path=absent\.csv cannot be read: No such file") as caught:
        complete(DatasetSpec(path="absent.csv"))
    assert str(tmp_path / "absent.csv") in str(caught.value)


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        complete(DatasetSpec(path=str(tmp_path)))


def test_the_home_folder(csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec(csv, "smiles,y\nC,1.5\n")
    monkeypatch.setenv("HOME", str(csv.parent))
    assert complete(DatasetSpec(path="~/own.csv"))[0].targets == ["y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not a CSV table: No columns"),
        (b"smiles,y\n", "has no rows"),
        (b"smiles,y\nCCO,\xff\xfe\n", "not a CSV table: 'utf-8' codec"),
        (b"smiles,y\nC,1\nCC,2,3\n", "not a CSV table: .*Expected 2 fields in line 3, saw 3"),
        (b"smiles,y\nC,1,\nCC,2,\n", "first row has more cells than the header has names"),
    ],
)
def test_what_is_no_table(csv: Path, text: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        complete(spec(csv, text))


def test_separators_at_the_end_of_lines_do_not_shift_the_labels(csv: Path) -> None:
    # pandas would read the first column as row names, and b's labels as a's
    with pytest.raises(UsageError, match="more cells than the header"):
        load(csv, "id,smiles,a,b\nC,CC,1,0,\nCC,CCC,0,1,\n", targets=["a"])


def test_a_file_that_is_not_the_expected_one(csv: Path) -> None:
    completed, _ = load(csv, "smiles,y\nC,1.5\n")
    with pytest.raises(UsageError, match=f"has sha256 {completed.sha256}, but dataset.sha256=0123"):
        complete(DatasetSpec(path=str(csv), sha256="0123"))
    assert complete(DatasetSpec(path=str(csv), sha256=completed.sha256))[0] == completed


def test_a_file_that_changes_after_it_was_looked_at(csv: Path) -> None:
    completed, _ = load(csv, "smiles,y\nC,1.5\n")
    csv.write_text("smiles,y\nC,1.6\n")
    with pytest.raises(UsageError, match=f"expected {completed.sha256}: it has changed"):
        read_table(completed)


@pytest.mark.parametrize("name", ["esol", "clintox"])
def test_a_bundled_table(name: str) -> None:
    assert complete(bundled(name)) == (bundled(name), [])
    table = read_table(bundled(name))
    assert table.labels.shape == (len(table.smiles), len(bundled(name).targets or []))
    assert np.isfinite(table.labels).all()


def test_an_unknown_bundled_file() -> None:
    with pytest.raises(UsageError, match=r"dataset.asset=esoll.csv.gz is not among the bundled files.*dataset.path"):
        read_table(bundled("esol", asset="esoll.csv.gz"))


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({}, "exactly one"),
        ({"path": "a.csv", "asset": "esol.csv.gz"}, "exactly one"),
        ({"path": "a.csv", "task": "ranking"}, "task is 'ranking'.* Allowed: classification, regression"),
        ({"path": "a.csv", "task": "regression", "metric": "roc_auc"}, r"metric is 'roc_auc'.* Allowed: mae, r2, rmse"),
        ({"path": "a.csv", "metric": "auc"}, r"Did you mean 'roc_auc'\?"),
        ({"path": "a.csv", "name": "../a"}, "name is '../a'"),
    ],
)
def test_impossible_specs(known: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DatasetSpec(**known)


@pytest.mark.parametrize("key", ["name", "task", "targets", "metric", "smiles_column", "sha256"])
@pytest.mark.parametrize("value", [None, []])
def test_nothing_is_guessed_for_a_bundled_file(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{key} must be set"):
        bundled("esol", **{key: value})
