"""Parts from a column or a file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given import Given, given
from refusals import raises_usage

from roftbench.data.predefined import ColumnSplit, FileSplit, file_sha256
from roftbench.errors import UsageError


def with_parts(parts: list[str]) -> Given:
    return replace(given([5] * len(parts)), parts=parts)


def file_of(path: Path, content: Any) -> FileSplit:
    path.write_text(json.dumps(content))
    return FileSplit(path=str(path), sha256=file_sha256(str(path)))


def rows(total: int, dropped: tuple[int, ...] = ()) -> Given:
    """Molecules in the rows of a file, some of which have none."""
    kept = np.array([row for row in range(total) if row not in dropped])
    return replace(given([5] * len(kept)), kept=kept, num_rows=total)


def test_a_column_names_the_parts_and_an_empty_cell_none() -> None:
    split = ColumnSplit()(with_parts(["train", "test", "", "val", "train", "test"]))
    assert split.to_dict() == {"train": [0, 4], "val": [3], "test": [1, 5]}


def test_val_rows_are_taken_from_train_where_there_are_none() -> None:
    molecules = with_parts(["train", "test"] * 20)
    split = ColumnSplit()(molecules)
    assert split.test.tolist() == list(range(1, 40, 2))
    assert sorted([*split.train, *split.val]) == list(range(0, 40, 2))
    assert (len(split.train), len(split.val)) == (18, 2)
    assert split.note == "the split column gives no val part: 2 train molecules, drawn by split.seed=42, are val"
    assert ColumnSplit(seed=42)(molecules).sha256 == split.sha256
    assert ColumnSplit(seed=1)(molecules).sha256 != split.sha256
    assert len(ColumnSplit(val_from_train=0.5)(molecules).val) == 10
    with raises_usage("split.val_from_train=0.1", got=(20, 0)):
        ColumnSplit(val_from_train=0)(molecules)


def test_a_column_without_train_or_no_column_at_all() -> None:
    with raises_usage(got=(0, 1)):
        ColumnSplit()(with_parts(["val", "test"]))
    with raises_usage(key="dataset.split_column"):
        ColumnSplit()(given([5, 5]))
    with raises_usage(key="val_from_train", got=2):
        ColumnSplit(val_from_train=2)


@pytest.mark.parametrize(
    "content",
    [
        {"train": [0, 1, 2, 9], "val": [3], "test": [4, 5]},
        {"train": "0-2, 9", "valid": [3], "test": "4-5"},
        [{"train": [0, 1, 2, 9], "val": "3", "test": "4,5"}],
        {"test": [4, 5], "validation": "3-3", "train": [0, 1, 2, 9]},
    ],
)
def test_rows_of_a_file_in_each_form(tmp_path: Path, content: Any) -> None:
    split = file_of(tmp_path / "s.json", content)(rows(10))
    assert split.to_dict() == {"train": [0, 1, 2, 9], "val": [3], "test": [4, 5]}


def test_rows_count_in_the_file_and_dropped_ones_are_passed_over(tmp_path: Path) -> None:
    split = file_of(tmp_path / "s.json", {"train": [0, 5, 2], "val": [3], "test": [4]})(rows(6, dropped=(0, 4)))
    assert split.to_dict() == {"train": [3, 1], "val": [2], "test": []}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": [0, 1], "val": [1], "test": []}, "names row 1 twice"),
        ({"train": [0, 0], "val": [1]}, "names row 0 twice"),
        ({"train": [0], "val": [12]}, r"names row 12, but the table has 10 data rows"),
        ({"train": [0], "val": [-1]}, "val must be a list of row numbers"),
        ({"train": [0.5], "val": [1]}, "train must be a list of row numbers"),
        ({"train": [True], "val": [2]}, "train must be a list of row numbers"),
        ({"train": "5-3", "val": [1]}, "train must be a list of row numbers"),
        ({"train": "0-x", "val": [1]}, "train must be a list of row numbers"),
        ({"train": 5, "val": [1]}, "train must be a list of row numbers"),
        ({"train": [0], "val": [1], "valid": [2]}, "names the part val twice"),
        ({"trian": [0]}, "must be a JSON object with the keys train, val and test"),
        ({}, "must be a JSON object with the keys train, val and test"),
        ([1, 2], "holds 2 splits"),
        ("train", "must be a JSON object"),
        ({"train": [], "val": [], "test": []}, "none of its 0 rows"),
        ({"train": [], "val": [1], "test": [2]}, "gives 0 molecules for train and 1 for val"),
    ],
)
def test_what_is_no_file_of_parts(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        file_of(tmp_path / "s.json", content)(rows(10))


def test_a_file_that_is_missing_changed_or_no_json(tmp_path: Path) -> None:
    with raises_usage(key="split.path"):
        file_sha256("")
    with raises_usage("No such file", key="split.path", got=str(tmp_path / "absent.json")):
        file_sha256(str(tmp_path / "absent.json"))
    splitter = file_of(tmp_path / "s.json", {"train": [0], "val": [1]})
    (tmp_path / "s.json").write_text("{")
    with raises_usage("sha256", key="split.path"):
        splitter(rows(3))
    with raises_usage("JSON", key="split.path"):
        replace(splitter, sha256=None)(rows(3))
