"""The nearest training molecule of a prediction by name: in Python, in files, in saved models old and new."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command
from lab import Lab, write_csv
from rdkit import DataStructs
from rdkit.Chem import MolFromSmiles
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from refusals import raises_usage

import roftbench
from roftbench.predict.held_out import HeldOut
from roftbench.predict.saved_model import SavedModel, read_saved, write_saved

NEAR = "CCCCCCCCCCCCCO", "C" * 30 + "Cl", "O=C(O)CCCCC", "junk"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Lab:
    return Lab(tmp_path_factory.mktemp("named") / "results", cache)


@pytest.fixture(scope="module")
def table(lab: Lab) -> Path:
    """Alcohols, acids and chlorides with one to forty carbons; their labels have two decimals."""
    ends = {"O": 0.0, "C(=O)O": 1.0, "Cl": -1.0}
    texts = {f"{'C' * n}{end}": n / 10 + shift + 0.05 for n in range(1, 41) for end, shift in ends.items()}
    names = [f"=KIN-{number:03d}" for number in range(1, len(texts) + 1)]
    columns = {"Compound ID": names, "smiles": list(texts), "y": [round(y, 2) for y in texts.values()]}
    lab.results.parent.mkdir(parents=True, exist_ok=True)
    return write_csv(lab.results.parent / "own.csv", columns)


def own(table: Path) -> tuple[str, ...]:
    return "dataset=csv", f"dataset.path={table}", "dataset.targets=[y]", "split=random", "label_ratio=full"


def kept(lab: Lab, *overrides: str) -> Path:
    return lab.store.model_path(lab.done(*overrides, "run.keep=true").key)


@pytest.fixture(scope="module")
def folder(lab: Lab, table: Path) -> Path:
    return kept(lab, "model=ecfp", "method=ridge", *own(table))


def earlier(saved: SavedModel, folder: Path) -> Path:
    """Write a model as earlier versions did."""
    facts = {name: value for name, value in saved.facts.items() if name not in ("training", "domain")}
    facts["calibration"] = {
        name: value for name, value in facts["calibration"].items() if name not in ("intervals", "test")
    }
    val, test = (HeldOut(one.rows, one.y, one.prediction) for one in (saved.val, saved.test))
    write_saved(dataclasses.replace(saved, folder=folder, facts=facts, val=val, test=test, training=None), "card\n")
    return folder


def test_a_row_without_any_label_is_no_neighbor(lab: Lab, table: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(table)
    some = rows["y"].where(~rows["smiles"].str.endswith("Cl"))
    columns = {"smiles": rows["smiles"], "one": some, "two": some * 2}
    path = write_csv(tmp_path / "two.csv", {name: list(column) for name, column in columns.items()})
    words = ("dataset=csv", f"dataset.path={path}", "dataset.targets=[one,two]", "split=random", "label_ratio=full")
    folder = kept(lab, "model=ecfp", "method=ridge", *words)
    training = read_saved(folder).training
    assert training is not None
    assert not np.isnan(training.y).all(axis=1).any()
    found = roftbench.load(folder).predict(["C" * 12 + "Cl"])
    assert not found["neighbor_smiles"].str.endswith("Cl").any()
    assert (found["similarity"] < 1).all()


def test_neighbor_of_each_row_is_the_one_in_the_table(folder: Path, table: Path) -> None:
    found = roftbench.load(folder).predict(NEAR)
    assert list(found.columns)[-6:] == [
        "similarity",
        "neighbor_row",
        "in_domain",
        "neighbor_id",
        "neighbor_smiles",
        "reason",
    ]
    rows, saved = pd.read_csv(table), read_saved(folder)
    assert saved.training is not None
    assert saved.training.smiles is not None
    for _, one in found.iloc[:3].iterrows():
        source = rows.iloc[one["neighbor_row"] - 1]
        assert (source["smiles"], source["Compound ID"]) == (one["neighbor_smiles"], one["neighbor_id"])
        assert source["y"] == one["y_neighbor"]
        generator = GetMorganGenerator(radius=2, fpSize=2048)
        query = generator.GetFingerprint(MolFromSmiles(one["smiles"]))
        training = [generator.GetFingerprint(MolFromSmiles(text)) for text in saved.training.smiles]
        assert one["similarity"] == max(DataStructs.BulkTanimotoSimilarity(query, training)) > 0.9
        assert one["neighbor_smiles"].endswith({"O": "O", "l": "Cl", "C": "C(=O)O"}[str(one["smiles"])[-1]])
    limits = saved.facts["domain"]
    expected = ["edge" if one < limits["edge"] else "yes" for one in found["similarity"][:3]]
    assert found["in_domain"].tolist() == [*expected, ""]
    assert found.iloc[3][["y_neighbor", "neighbor_row", "similarity"]].isna().all()
    far = roftbench.load(folder).predict(["[U](F)(F)(F)(F)(F)F"])
    assert far["in_domain"].tolist() == ["no"]
    assert (far["y_high"] - far["y_low"])[0] >= (found["y_high"] - found["y_low"]).min()


def test_only_training_molecules_are_neighbors(folder: Path, lab: Lab, table: Path) -> None:
    saved = read_saved(folder)
    assert saved.training is not None
    texts = pd.read_csv(table)["smiles"]
    assert saved.training.smiles == texts.iloc[saved.training.rows].tolist()
    held_out = {*saved.val.rows.tolist(), *saved.test.rows.tolist()}
    found = roftbench.load(folder).predict(texts)
    assert not held_out & set(found["neighbor_row"] - 1)


def test_file_has_the_digits_that_matter_and_harmless_cells(folder: Path, lab: Lab, cli: Command) -> None:
    source = write_csv(Path("in.csv"), {"smiles": NEAR})
    given = f"model_dir={folder}", f"input={source}", "output=out.csv"
    assert cli("predict", *given).code == 0
    text = Path("out.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    numbers = [row[name] for row in rows[:3] for name in ("y_predicted", "y_low", "y_high", "y_neighbor", "similarity")]
    assert all(len(number.partition(".")[2]) in (2, 3) for number in numbers)
    assert all(row["neighbor_row"].isdecimal() and row["neighbor_id"].startswith("=KIN") for row in rows[:3])
    assert set(rows[3].values()) == {"junk", "", "RDKit cannot parse the SMILES"}
    full = roftbench.load(folder).predict(NEAR)
    assert [float(row["y_predicted"]) for row in rows[:3]] == pytest.approx(full["y_predicted"][:3].tolist(), abs=0.005)
    assert cli("predict", *given, "--full").code == 0
    assert [row["y_predicted"] for row in csv.DictReader(Path("out.csv").read_text().splitlines())][:3] == [
        repr(value) for value in full["y_predicted"][:3].tolist()
    ]
    assert cli("predict", *given, "quote_formulas=true").code == 0
    quoted = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert all(row["neighbor_id"].startswith("'=KIN") for row in quoted[:3])
    cli("predict", *given, "sets=true").refused("sets=true is for classes")


def test_without_training_csv_the_row_remains_and_nothing_else_changes(folder: Path, tmp_path: Path) -> None:
    whole = roftbench.load(folder)
    shared = whole.save(tmp_path / "shared")
    (shared / "training.csv").unlink()
    found, expected = roftbench.load(shared).predict(NEAR), whole.predict(NEAR)
    pd.testing.assert_frame_equal(found, expected.drop(columns=["neighbor_id", "neighbor_smiles"]))
    again = roftbench.load(shared).save(tmp_path / "again")
    assert not (again / "training.csv").exists()
    pd.testing.assert_frame_equal(roftbench.load(again).predict(NEAR), found)
    for path in shared.rglob("*"):
        assert b"KIN-0" not in path.read_bytes()


def test_changed_training_molecules_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = roftbench.load(folder).save(tmp_path / "copy")
    path = copy / "training.csv"
    path.write_text(path.read_text().replace("CCCO", "CCCN"))
    with raises_usage("training.csv was changed", key="model_dir", got=str(copy)):
        roftbench.load(copy)


def test_models_of_earlier_versions_predict_as_before(folder: Path, tmp_path: Path) -> None:
    saved = read_saved(folder)
    old = roftbench.load(earlier(saved, tmp_path / "old"))
    found, new = old.predict(NEAR), roftbench.load(folder).predict(NEAR)
    assert list(found.columns) == ["smiles", "y_predicted", "y_low", "y_high", "similarity", "reason"]
    same = ["smiles", "y_predicted", "similarity", "reason"]
    pd.testing.assert_frame_equal(found[same], new[same])
    [half] = saved.facts["calibration"]["half_width"]
    assert (found["y_high"] - found["y_predicted"])[:3].tolist() == pytest.approx([half] * 3)
    both = roftbench.load(tmp_path / "old", kept_copy(folder, tmp_path))
    assert list(both.predict(NEAR).columns)[-2:] == ["similarity", "reason"]


def kept_copy(folder: Path, tmp_path: Path) -> Path:
    return roftbench.load(folder).save(tmp_path / "new")


def test_seeds_name_one_neighbor_and_have_intervals_of_their_mean(lab: Lab, table: Path) -> None:
    folders = [kept(lab, "method=lp", *own(table), f"seed={seed}") for seed in (0, 1)]
    models = roftbench.load(*folders, device="cpu")
    found = models.predict(NEAR)
    alone = roftbench.load(folders[0], device="cpu").predict(NEAR)
    for name in ("neighbor_row", "neighbor_id", "y_neighbor", "similarity", "in_domain"):
        assert found[name].equals(alone[name])
    assert models.intervals is not None
    assert (found["y_low"] < found["y_predicted"])[:3].all()
    assert models.coverage()[0] is not None


def test_models_of_different_molecules_name_the_nearest_of_any(lab: Lab, table: Path, tmp_path: Path) -> None:
    other = write_csv(
        tmp_path / "other.csv",
        {"id": [f"B{n}" for n in range(40)], "smiles": [f"{'C' * n}N" for n in range(1, 41)], "y": np.arange(40) / 10},
    )
    folders = [kept(lab, "model=ecfp", "method=ridge", *own(one)) for one in (table, other)]
    found = roftbench.load(*folders).predict(["CCCCCCN", "CCCCCCCl"])
    assert [str(text)[-1] for text in found["neighbor_smiles"]] == ["N", "l"]
    assert found["neighbor_id"].str[0].tolist() == ["B", "="]


@pytest.fixture(scope="module")
def classes(lab: Lab, table: Path) -> Path:
    rows = pd.read_csv(table).assign(y=lambda rows: np.where(rows["y"] > 2, "active", "inactive"))
    path = table.with_name("classes.csv")
    rows.to_csv(path, index=False)
    return kept(lab, "model=ecfp", "method=knn", *own(path), "split.fractions=[0.5,0.4,0.1]")


def test_classes_have_sets_and_the_class_of_their_neighbor(classes: Path, cli: Command) -> None:
    model = roftbench.load(classes)
    assert "y_set" not in model.predict(NEAR)
    found = model.predict(NEAR, sets=True)
    assert set(found["y_set"][:3]) <= {"inactive", "active", "inactive|active", "none"}
    assert found["y_set"][3] == ""
    assert set(found["y_neighbor"][:3]) <= {0, 1}
    source = write_csv(Path("in.csv"), {"smiles": NEAR})
    assert cli("predict", f"model_dir={classes}", f"input={source}", "output=out.csv", "sets=true").code == 0
    written = pd.read_csv("out.csv", dtype=str, keep_default_na=False)
    assert written["y_set"].tolist() == found["y_set"].tolist()
    assert set(written["y_neighbor"][:3]) <= {"0", "1"}
    card = (classes / "README.md").read_text(encoding="utf-8")
    assert "negative log likelihood before calibration" in card


def test_card_tells_coverage_by_similarity_the_rule_and_what_it_holds(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    saved = read_saved(folder)
    limits = saved.facts["domain"]
    assert f"`in_domain` is `no` below a similarity of {limits['no']:.3f}" in card
    assert "`training.csv` their SMILES" in card
    assert "| task | correlation of error and width | negative log likelihood | ENCE |" in card
    [quality] = saved.facts["calibration"]["test"]
    assert sum(band["labels"] for band in quality["by_similarity"]) == quality["labels"] == 12
    assert f"| y | 0.7 to 1 | {quality['by_similarity'][-1]['labels']} |" in card
