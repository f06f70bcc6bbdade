"""What a record warns of."""

from pathlib import Path
from typing import Any

import numpy as np
from golden import Golden
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
    assert found.startswith("1 of 2 test ")


def test_one_class_or_no_label_in_a_part(tmp_path: Path, golden: Golden) -> None:
    one = dataset(tmp_path, y=Y)
    both = dataset(tmp_path, a=Y, b=[0, 1, 0, None, None, 1, None, None], c=[1, 1, None, None, None, 0, None, None])
    other = dataset(tmp_path, task="regression", a=[1.5, 2, 3, None, None, 1, None, None])
    cases: list[tuple[MoleculeDataset, list[int], list[int], list[int]]] = [
        (one, [0, 2], [1, 6], [5, 7]),
        (both, [0, 1, 5], [3, 2], [6, 7]),
        (both, [2, 4], [5, 1], [0, 3]),
        (other, [0, 1], [2, 5], [6, 7]),
        (other, [0, 1], [2, 5], []),
        (other, [0, 1, 3, 4, 6], [2], [5]),
    ]
    texts = [f"{cut}\n" + "\n".join(warnings_of(given, parts(*cut))) for given, *cut in cases]
    golden("warnings_of_parts.txt", "\n\n".join(texts))


def test_what_is_advised_helps(tmp_path: Path) -> None:
    twice = {"smiles": ["CCO", "OCC", "CC", "CCC", "CO", "OC"], "y": [1.0, 1.0, 2.0, 3.0, 4.0, 9.0]}
    path = write_csv(tmp_path / "t.csv", {**twice, "split": ["train", "test", "train", "val", "train", "val"]})

    def said(**more: Any) -> list[str]:
        spec, _ = complete(DatasetSpec(path=str(path), **more), PLACES)
        found = load_dataset(spec, tmp_path / "cache", PLACES)
        index = {int(row): i for i, row in enumerate(found.rows)}
        cut = [[index[row] for row in rows if row in index] for rows in ([0, 2, 4], [3, 5], [1])]
        return warnings_of(found, parts(*cut))

    assert all("merge" not in one for one in said(duplicates="merge"))  # the table names the parts
    write_csv(path, twice)
    assert len(said()) == 2
    assert all("dataset.duplicates=merge" in one for one in said())
    [left] = said(duplicates="drop_conflicts")
    assert "dataset.duplicates=merge" in left
    assert not [one for one in said(duplicates="merge") if "also occur" in one]
