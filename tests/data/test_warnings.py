"""What a record warns of."""

from pathlib import Path
from typing import Any

import numpy as np
from lab import PLACES, write_csv

from roftbench.data.config import DatasetSpec
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.split import Split
from roftbench.data.table.load import complete
from roftbench.data.warnings import warnings_of

SMILES = ["C", "CC", "CCC", "CCO", "OCC", "CCN", "c1ccccc1", "C1CC1"]  # rows 3 and 4 are one molecule
Y = [0, 1, 0, 1, 1, 0, 1, 0]


def dataset(folder: Path, task: str = "classification", **columns: Any) -> MoleculeDataset:
    path = write_csv(folder / "own.csv", {"smiles": SMILES, **columns})
    spec, _ = complete(DatasetSpec(path=str(path), task=task, targets=list(columns)), PLACES)
    return load_dataset(spec, folder / "cache", PLACES)


def parts(train: list[int], val: list[int], test: list[int]) -> Split:
    return Split(np.array(train), np.array(val), np.array(test, dtype=np.int64))


def test_nothing_to_warn_of(tmp_path: Path) -> None:
    assert warnings_of(dataset(tmp_path, y=Y), parts([0, 3, 4], [1, 2], [6, 7])) == []


def test_a_molecule_of_train_in_test(tmp_path: Path) -> None:
    [found] = warnings_of(dataset(tmp_path, y=Y), parts([0, 1, 3], [2, 6], [4, 7]))
    assert found.startswith("1 of 2 test molecules also occur in train (same canonical SMILES), 0 of them with another")


def test_one_class_only(tmp_path: Path) -> None:
    train, val, test = warnings_of(dataset(tmp_path, y=Y), parts([0, 2], [1, 6], [5, 7]))
    assert train.startswith("the train part has labels of one class only: label_ratio.stratified=true draws both")
    assert val == "the val part has labels of one class only: ROC-AUC is undefined there"
    assert test.startswith("the test part has labels of one class only")


def test_one_class_in_some_tasks_and_no_label_at_all(tmp_path: Path) -> None:
    both = dataset(tmp_path, a=Y, b=[0, 1, 0, None, None, 1, None, None], c=[1, 1, None, None, None, 0, None, None])
    found = warnings_of(both, parts([0, 1, 5], [3, 2], [6, 7]))
    assert found == ["the val part has one class only in 1 of 3 tasks: ROC-AUC is undefined there"]
    found = warnings_of(both, parts([2, 4], [5, 1], [0, 3]))
    assert "the train part has no label in 1 of 3 tasks: nothing is learned for them" in found
    other = dataset(tmp_path, task="regression", a=[1.5, 2, 3, None, None, 1, None, None])
    assert warnings_of(other, parts([0, 1], [2, 5], [6, 7])) == ["the test part has no label: its scores are undefined"]
    assert "the test part has no label: its scores are undefined" in warnings_of(other, parts([0, 1], [2, 5], []))
    [found_one] = warnings_of(other, parts([0, 1, 3, 4, 6], [2], [5]))
    assert found_one == "3 of 5 train molecules have no label: they are counted, and tell nothing"


def test_what_is_advised_helps(tmp_path: Path) -> None:
    twice = {"smiles": ["CCO", "OCC", "CC", "CCC", "CO", "OC"], "y": [1.0, 1.0, 2.0, 3.0, 4.0, 9.0]}
    path = write_csv(tmp_path / "t.csv", {**twice, "split": ["train", "test", "train", "val", "train", "val"]})

    def said(**more: Any) -> list[str]:
        spec, _ = complete(DatasetSpec(path=str(path), **more), PLACES)
        found = load_dataset(spec, tmp_path / "cache", PLACES)
        index = {int(row): i for i, row in enumerate(found.rows)}
        cut = [[index[row] for row in rows if row in index] for rows in ([0, 2, 4], [3, 5], [1])]
        return warnings_of(found, parts(*cut))

    assert all(one.endswith("the table names the parts: correct it there") for one in said(duplicates="merge"))
    write_csv(path, twice)
    assert len(said()) == 2
    assert all("dataset.duplicates=merge leaves one row of each" in one for one in said())
    [left] = said(duplicates="drop_conflicts")
    assert left.endswith("; dataset.duplicates=merge leaves one row of each")
    assert not [one for one in said(duplicates="merge") if "also occur" in one]
