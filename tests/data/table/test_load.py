"""Own and published tables: where their bytes come from, and how rows become SMILES, labels and parts."""

import gzip
import json
import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import raises_usage

from roftbench.data.config import DatasetSpec
from roftbench.data.table import load as module
from roftbench.data.table.load import Table, complete, read_table
from roftbench.data.table.own_file import unpacked_content
from roftbench.errors import UsageError
from roftbench.store import downloads as sources
from roftbench.store.downloads import Places

NAN = float("nan")
NOWHERE = Places(Path("no such folder"), offline=True)


def spec(path: Path, text: str | bytes, **known: Any) -> DatasetSpec:
    """Return the spec of a file with this text."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return DatasetSpec(path=str(path), **known)


def load(path: Path, text: str | bytes, **known: Any) -> tuple[DatasetSpec, Table]:
    completed, _ = complete(spec(path, text, **known), NOWHERE)
    return completed, read_table(completed, NOWHERE)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.csv"


# Own tables


def test_an_own_table(own: Path) -> None:
    text = "id,smiles,logS\nmol1,CCO,-0.5\nmol2,c1ccccc1,1.25\n"
    completed, table = load(own, text)
    assert (completed.name, completed.sha256) == ("own", sha256(text.encode()).hexdigest())
    assert table.smiles == ["CCO", "c1ccccc1"]
    assert table.labels.tolist() == [[-0.5], [1.25]]
    assert table.labels.dtype == np.float64
    assert (table.parts, table.targets, table.place) == (None, ["logS"], str(own))


@pytest.mark.parametrize(
    ("file", "name"), [("a.b.csv", "a"), (".csv", "table"), ("OWN.CSV.GZ", "OWN"), ("own.parquet.csv", "own")]
)
def test_the_name_is_that_of_the_file(tmp_path: Path, file: str, name: str) -> None:
    assert load(tmp_path / file, "smiles,y\nC,1.5\n")[0].name == name


@pytest.mark.parametrize("name", ["own.tsv", "own.tab", "own.tsv.gz", "own.csv.gz", "own.table", "OWN.CSV"])
def test_packing_does_not_change_the_checksum(tmp_path: Path, name: str) -> None:
    text = b"smiles\ty\nCCO\t1.5\nCC\t-2\n" if ".ts" in name or name.endswith(".tab") else b"smiles,y\nCCO,1.5\nCC,-2\n"
    completed, table = load(tmp_path / name, gzip.compress(text) if name.endswith(".gz") else text)
    assert table.smiles == ["CCO", "CC"]
    assert table.labels.tolist() == [[1.5], [-2.0]]
    assert completed.sha256 == sha256(text).hexdigest()


def test_a_gzip_file_is_known_by_its_content(own: Path) -> None:
    assert load(own, gzip.compress(b"smiles,y\nCCO,1.5\n"))[1].smiles == ["CCO"]
    with raises_usage("damaged gzip file", key=str(own)):
        complete(spec(own, gzip.compress(b"smiles,y\nCCO,1.5\n")[:-4]), NOWHERE)


def test_a_link_keeps_the_ending_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("smiles\ty, log\nC\t1.5\n")
    (tmp_path / "own.tsv").symlink_to("blob")
    completed, guesses = complete(DatasetSpec(path=str(tmp_path / "own.tsv")), NOWHERE)
    assert (completed.name, completed.targets) == ("own", ["y, log"])
    assert not any("separator" in text for text in guesses)


def test_smiles_are_text_even_where_they_look_like_missing_values(own: Path) -> None:
    smiles = ["N", "NaN", "NA", "nan", "None", "null", "1", "True", "C1=CC=CC=C1", " CCO ", ""]
    _, table = load(own, "smiles,y\n" + "".join(f"{text},1.5\n" for text in smiles))
    assert table.smiles == smiles


def test_numbers_as_people_write_them(own: Path) -> None:
    labels = load(own, "smiles,y\nC, 1.5 \nC,-2e-3\nC,+3\nC,.5\nC,7.\nC,12345678901234567890123\nC,\u00a02\n")[1].labels
    assert labels[:, 0].tolist() == [1.5, -0.002, 3.0, 0.5, 7.0, 12345678901234567890123.0, 2.0]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=1, max_size=50))
def test_labels_are_the_nearest_floats(tmp_path_factory: pytest.TempPathFactory, values: list[float | None]) -> None:
    text = "smiles,y\nC,0.5\n" + "".join(f"C,{'  ' if value is None else repr(value)}\n" for value in values)
    _, table = load(tmp_path_factory.mktemp("own") / "own.csv", text, targets=["y"], task="regression")
    np.testing.assert_array_equal(table.labels[:, 0], [0.5, *(NAN if value is None else value for value in values)])


def test_several_targets_with_missing_labels(own: Path) -> None:
    _, table = load(own, "smiles,a,b\nC,,1\nCC,0, \nCCC,,\n", targets=["a", "b"])
    np.testing.assert_array_equal(table.labels, [[NAN, 1], [0, NAN], [NAN, NAN]])


def test_decimal_commas_are_guessed_and_said(own: Path) -> None:
    text = "smiles;y;z\nC;1,5;1\nCC;-0,5;2\nCCC;;3,5\n"
    completed, guesses = complete(spec(own, text, targets=["y", "z"]), NOWHERE)
    assert "decimal comma in y, z" in guesses
    np.testing.assert_array_equal(read_table(completed, NOWHERE).labels, [[1.5, 1], [-0.5, 2], [NAN, 3.5]])


def test_all_other_columns_as_targets(own: Path) -> None:
    completed, table = load(own, "b,smiles,split,a\n1,C,train,0\n,CC,test,1\n", targets=["*"])
    assert completed.targets == ["*"]
    assert table.targets == ["b", "a"]
    np.testing.assert_array_equal(table.labels, [[1, 0], [NAN, 1]])


@pytest.mark.parametrize(
    "label", ["high", "nan", "NA", "inf", "-Infinity", "1,5", "0x10", "1e999", "?", "1_0", "٣", "<2"]
)
def test_a_label_that_is_no_number_is_named_with_its_row(own: Path, label: str) -> None:
    text = f'smiles,y\nC,1.5\n\nCC,\nCCC,"{label}"\nCCCC,"{label}"\n'
    with raises_usage("data row 3", key="y", got=label) as caught:
        load(own, text, targets=["y"], task="regression")
    assert str(own) in str(caught.value)
    assert ("decimal point" in str(caught.value)) == (label == "1,5")
    assert ("only bounded" in str(caught.value)) == (label == "<2")


@pytest.mark.parametrize("label", ["2", "-1", "0.5"])
def test_classes_are_0_and_1(own: Path, label: str) -> None:
    text = f"smiles,y\nC,0\nCC,1\nCC,{label}\n"
    known = {"smiles_column": "smiles", "targets": ["y"], "task": "classification", "metric": "roc_auc"}
    with raises_usage("dataset.task=regression", key="dataset.task", got="classification"):
        load(own, text, **known)
    digest = sha256(text.encode()).hexdigest()
    with raises_usage("data row 3: .* dataset.task=regression", key="y", got=label):
        read_table(spec(own, text, **known, sha256=digest), NOWHERE)


def test_a_class_that_is_neither(own: Path) -> None:
    with raises_usage("data row 2: .* low and high", key="y", got="mid"):
        load(own, "smiles,y\nC,low\nCC, mid\n", classes=["low", "high"], targets=["y"])
    with raises_usage("data row 2: .* 1 and 2", key="y", got="3"):
        load(own, "smiles,y\nC,1\nCC,3\n", classes=["1", "2"], targets=["y"])


def test_no_label_at_all(own: Path) -> None:
    with raises_usage(key="a, b"):
        load(own, "smiles,a,b\nC,,\nCC, ,\n", targets=["a", "b"], task="regression")


def test_a_quote_that_takes_up_rows(own: Path) -> None:
    with raises_usage("data row 2", key="smiles", got="CC\n3,CCC"):
        load(own, 'y,smiles\n1.5,C\n2,"CC\n3,CCC"\n')


@pytest.mark.parametrize(
    ("key", "value", "named", "got", "part"),
    [
        ("smiles_column", "smile", "smile", "smile", r"'smiles'\? Allowed: smiles, solubility, solubility2"),
        ("targets", ["solubilty"], "solubilty", "solubilty", "'solubility'"),
        ("split_column", "splits", "splits", "splits", "Allowed"),
        ("targets", ["smiles"], "dataset.targets", "smiles", "SMILES column"),
    ],
)
def test_a_wrong_column(own: Path, key: str, value: Any, named: str, got: str, part: str) -> None:
    known = {"smiles_column": "smiles", "targets": ["solubility"], "task": "regression", key: value}
    with raises_usage(part, key=named, got=got):
        complete(spec(own, "smiles,solubility,solubility2\nC,1.5,2\n", **known), NOWHERE)


def test_the_split_column_is_no_target(own: Path) -> None:
    with raises_usage("split column", key="dataset.targets", got="s"):
        complete(spec(own, "smiles,s,y\nC,1,2\n", targets=["s"], split_column="s"), NOWHERE)


@pytest.mark.parametrize(
    ("header", "twice"), [("smiles,y,y", "y"), ("smiles,smiles,y", "smiles"), ("split,split,y", "split")]
)
def test_a_used_column_that_is_there_twice(own: Path, header: str, twice: str) -> None:
    known = {"smiles_column": header.split(",")[0], "targets": ["y"], "task": "regression"}
    if twice == "split":
        known |= {"smiles_column": "y", "targets": ["y"], "split_column": "split"}
    with raises_usage("2 columns", key=twice):
        load(own, f"{header}\nC,1.5,2.5\n", **known)
    _, table = load(own, f"smiles,{twice}1,z,z\nC,1.5,2.5,3\n", targets=[f"{twice}1"])  # another may be
    assert table.labels.tolist() == [[1.5]]


def test_parts(own: Path) -> None:
    words = ["train", "Training", " val", "VALID", "validation", "Dev", "test ", "testing", "holdout", "", "  "]
    rows = "".join(f"C,1.5,{word}\n" for word in words)
    _, table = load(own, f"smiles,y,set\n{rows}", split_column="set")
    assert table.parts == ["train"] * 2 + ["val"] * 4 + ["test"] * 3 + [""] * 2
    with raises_usage(r"data row 12: .* Allowed: train, .*empty cell", key="set", got="trian"):
        load(own.with_name("wrong.csv"), f"smiles,y,set\n{rows}C,1.5, trian\n", split_column="set")


@pytest.mark.parametrize(("key", "value"), [("rows", 3), ("num_tasks", 2)])
def test_a_size_that_is_not_the_expected_one(own: Path, key: str, value: int) -> None:
    with raises_usage(f"has {value - 1} ", key=f"dataset.{key}", got=value):
        load(own, "smiles,y\nC,1.5\nCC,2\n", **{key: value})


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with raises_usage("No such file", key="dataset.path", got="absent.csv") as caught:
        complete(DatasetSpec(path="absent.csv"), NOWHERE)
    assert str(tmp_path / "absent.csv") in str(caught.value)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/", "Is a directory; give the table itself"),
        ("/dev/null", "Not a regular file"),
        ("a\0b", "null"),
        ("~nobody-of-this-name/own.csv", "home directory"),
    ],
)
def test_what_is_no_file(path: str, reason: str) -> None:
    with raises_usage(reason, key="dataset.path", got=path):
        complete(DatasetSpec(path=path), NOWHERE)


def test_a_file_that_may_not_be_read(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    own.touch()
    with raises_usage("Permission denied", key="dataset.path", got=str(own)):
        complete(DatasetSpec(path=str(own)), NOWHERE)


def test_the_home_folder(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec(own, "smiles,y\nC,1.5\n")
    monkeypatch.setenv("HOME", str(own.parent))
    assert complete(DatasetSpec(path="~/own.csv"), NOWHERE)[0].targets == ["y"]


def test_a_file_that_is_not_the_expected_one(own: Path) -> None:
    completed, _ = load(own, "smiles,y\nC,1.5\n")
    with raises_usage(str(completed.sha256), key="dataset.sha256", got="0123"):
        complete(DatasetSpec(path=str(own), sha256="0123"), NOWHERE)
    assert complete(DatasetSpec(path=str(own), sha256=completed.sha256), NOWHERE)[0] == completed


def test_a_file_that_changes_after_it_was_looked_at(own: Path) -> None:
    completed, _ = load(own, "smiles,y\nC,1.5\n")
    own.write_text("smiles,y\nC,1.6\n")
    with raises_usage(str(completed.sha256), key="dataset.path", got=str(own)):
        read_table(completed, NOWHERE)


def test_a_file_is_completed_once(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spec(own, "smiles,y\nC,1.5\n")
    reads = []
    monkeypatch.setattr(module, "unpacked_content", lambda *args: reads.append(args) or unpacked_content(*args))
    completed, guesses = complete(first, NOWHERE)
    guesses.clear()  # the caller's own
    assert complete(first, NOWHERE) == (completed, ["SMILES column smiles", "targets y", "task regression"])
    assert len(reads) == 1
    assert complete(DatasetSpec(path=str(own), metric="mae"), NOWHERE)[0].metric == "mae"
    assert len(reads) == 2
    own.write_text("smiles,z\nC,1.5\n")
    os.utime(own, ns=(time.time_ns(), time.time_ns() + 10**9))
    assert complete(first, NOWHERE)[0].targets == ["z"]


# Published tables


def published(**changes: Any) -> DatasetSpec:
    known: dict[str, Any] = {
        "name": "tiny", "smiles_column": "smiles", "targets": ["y"], "task": "classification", "metric": "roc_auc",
        "file": "tiny.csv", "sources": ["mirror"],
    }  # fmt: skip
    return DatasetSpec(**{**known, **changes})


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[DatasetSpec, Places]]:
    """Write a published file into a mirror, and perhaps another one as its bundled copy."""

    def write(text: str, copy: str | None = None, **changes: Any) -> tuple[DatasetSpec, Places]:
        (tmp_path / "tiny.csv").write_text(text)
        known: dict[str, Any] = {"sha256": sha256(text.encode()).hexdigest()}
        if copy is not None:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "tiny.csv.gz").write_bytes(gzip.compress(copy.encode()))
            known |= {"asset_sha256": sha256(copy.encode()).hexdigest(), "sources": ["bundled", "mirror"]}
            monkeypatch.setattr(sources, "ASSETS", tmp_path)
        return published(**{**known, **changes}), Places(tmp_path / "downloads", tmp_path, offline=True)

    return write


def test_a_published_table(publish: Callable[..., tuple[DatasetSpec, Places]]) -> None:
    found, places = publish("smiles,split,y\nC,,1\nCC,train,\n", split_column="split", rows=2, num_tasks=1)
    assert complete(found, NOWHERE) == (found, [])
    table = read_table(found, places)
    assert (table.smiles, table.parts, table.place) == (["C", "CC"], ["", "train"], "mirror")
    np.testing.assert_array_equal(table.labels, [[1], [NAN]])


def test_rows_that_the_bundled_copy_lacks(publish: Callable[..., tuple[DatasetSpec, Places]]) -> None:
    text = "smiles,y,split\nbad,0,val\nC,1,train\nworse,0,\nCC,0,test\nbad,1,\n"
    copy = "smiles,y,split\nC,1,train\nCC,0,test\n"
    known = {"absent_rows": [0, 4, 2], "rows": 5, "split_column": "split"}
    found, places = publish(text, copy, **known)
    table = read_table(found, places)
    assert table.place == "bundled"
    assert table.smiles == ["", "C", "", "CC", ""]
    assert table.parts == ["", "train", "", "test", ""]
    np.testing.assert_array_equal(table.labels, [[NAN], [1], [NAN], [0], [NAN]])
    (places.mirror / "data" / "tiny.csv.gz").unlink()
    whole = read_table(found, places)
    assert (whole.place, whole.smiles) == ("mirror", ["bad", "C", "worse", "CC", "bad"])


@pytest.mark.parametrize("absent", [[3], [-1], [0, 0]])
def test_absent_rows_that_cannot_be(publish: Callable[..., tuple[DatasetSpec, Places]], absent: list[int]) -> None:
    found, places = publish("smiles,y\nC,1\nCC,0\n", "smiles,y\nC,1\nCC,0\n", absent_rows=absent)
    with raises_usage(key="dataset.absent_rows", got=absent):
        read_table(found, places)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("smiles,y\nC,1\nCC,2\n", {}, "column 'y', data row 2: '2' is not 0 or 1"),
        ("smiles,y\nC,1\n", {"targets": ["z"]}, "no column 'z'"),
        ("smiles,y\nC,1\n", {"rows": 2}, "has 1 rows, but dataset.rows=2"),
        ("smiles,y\nC,1\n", {"targets": ["*"], "num_tasks": 2}, "has 1 tasks, but dataset.num_tasks=2"),
        ("smiles,y\nC,\n", {}, "has no label at all in y"),
        ("smiles\nC\n", {}, "has one column only"),
    ],
)
def test_a_published_table_with_something_wrong(
    publish: Callable[..., tuple[DatasetSpec, Places]], text: str, changes: dict[str, Any], message: str
) -> None:
    found, places = publish(text, **changes)
    with pytest.raises(UsageError, match=rf"^data set tiny \(mirror\).*{message}"):
        read_table(found, places)


def test_a_published_table_that_is_nowhere() -> None:
    with raises_usage(key="data set tiny"):
        read_table(published(sha256="01" * 32), NOWHERE)


def test_classes_of_a_published_table(publish: Callable[..., tuple[DatasetSpec, Places]]) -> None:
    found, places = publish("smiles,y\nC,CA\nCC,CI\n", classes=["CI", "CA"])
    assert read_table(found, places).labels.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    "file",
    [
        "delaney-processed.csv", "Lipophilicity.csv", "SAMPL.csv", "malaria-processed.csv", "cep-processed.csv.gz",
        "BBBP.csv", "bace.csv.gz", "clintox.csv.gz", "HIV.csv.gz", "muv.csv.gz", "sider.csv.gz", "tox21.csv.gz",
        "toxcast_data.csv.gz",
    ],
)  # fmt: skip
def test_published_files_hold_what_their_manifest_says(shared: Path, file: str) -> None:
    manifest = json.loads((shared / "data" / "MANIFEST.json").read_text(encoding="utf-8"))["files"]
    entry = next(entry for entry in manifest if entry["file"] == file)
    stats, smiles_column = entry["stats"], entry["smiles_column"]
    regression = entry["kind"] == "regression"
    found = published(
        name=entry["dataset"].lower(), file=file, sha256=entry["content"]["sha256"], smiles_column=smiles_column,
        targets=entry["label_columns"], task=entry["kind"], metric="rmse" if regression else "roc_auc",
        rows=stats["rows"], num_tasks=stats["num_tasks"],
    )  # fmt: skip
    table = read_table(found, Places(shared / "none", shared / "data", offline=True))
    assert table.place == "mirror"
    assert table.labels.shape == (stats["rows"], stats["num_tasks"])
    assert np.isnan(table.labels).sum() == stats["missing"]
    assert len(set(table.smiles)) == stats["unique_raw_smiles"]
    if regression:
        assert (table.labels.min(), table.labels.max()) == (stats["label_min"], stats["label_max"])
        assert table.labels.mean() == pytest.approx(stats["label_mean"], abs=1e-6)
    else:
        assert ((table.labels == 1).sum(), (table.labels == 0).sum()) == (stats["positives"], stats["negatives"])


# What a spec may say


@pytest.mark.parametrize(
    "known",
    [
        {"path": None},
        {"sources": ["cache"], "path": "a.csv"},
        {"task": "ranking"},
        {"task": "regression", "metric": "roc_auc"},
        {"metric": "auc"},
        {"name": "../a"},
        {"duplicates": "kep"},
        {"targets": []},
        {"targets": ["y", "y"]},
        {"classes": ["no"]},
        {"classes": ["no", "no"]},
    ],
)
def test_impossible_specs(known: dict[str, Any]) -> None:
    key, got = list(known.items())[-1]
    with raises_usage(key=key, got=got):
        DatasetSpec(**{"path": "a.csv", **known})


@pytest.mark.parametrize("key", ["name", "task", "targets", "metric", "smiles_column", "sha256", "file"])
@pytest.mark.parametrize("value", [None, []])
def test_nothing_is_guessed_for_a_published_file(key: str, value: Any) -> None:
    with raises_usage(key=key):
        published(**{"sha256": "01" * 32, key: value})


def test_a_bundled_copy_has_a_checksum() -> None:
    with raises_usage(key="asset_sha256"):
        published(sha256="01" * 32, sources=["bundled"])
    with raises_usage("'bundled'", key="sources", got="bundeled"):
        published(sha256="01" * 32, sources=["bundeled"])


@pytest.mark.parametrize(
    ("old", "new", "version"),
    [
        ("CCO", "CCO", None),
        ("CCO", "  CCO ", None),
        ("CCO", "c1:c:c:c:c:c1", None),
        ("CCO", "[CH3:1]CO", 2),
        ("CCO", "CCO ethanol", 2),
        ("CCO", "CCO + CCN", 4),
        ("CCO", "CCO ethanol C(=O)O", 4),
        ("CCO", "CCO\u00a0", 2),
        ("CCO", "C" * 2001, 2),
        ("1.5", "", 2),
    ],
)
def test_cells_that_were_read_otherwise_change_the_identity(own: Path, old: str, new: str, version: int | None) -> None:
    completed, _ = complete(spec(own, "smiles,y\nCCO,1.5\nCCN,2.5\nCCC,3\n".replace(old, new)), NOWHERE)
    assert completed.reading() == ({"reading": version} if version else {})


def test_unlabeled_rows_of_several_tasks_change_no_identity(own: Path) -> None:
    own_spec = spec(own, "smiles,a,b\nCCO,1.5,\nCCN,,2.5\nCCC,3,4\n", targets=["a", "b"])
    assert complete(own_spec, NOWHERE)[0].reading() == {}
