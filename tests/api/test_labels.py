import numpy as np
import pandas as pd
import pytest
from refusals import raises_usage

from roftbench.api.labels import label_columns


@pytest.mark.parametrize(
    ("y", "columns"),
    [
        ([1, 2.5], {"y": [1, 2.5]}),
        ((None, "a"), {"y": [None, "a"]}),
        (["", "a"], {"y": [None, "a"]}),
        (np.array([1.0, np.nan]), {"y": [1.0, None]}),
        (np.array([[1.0, np.nan], [0.0, 2.0]]), {"y0": [1.0, 0.0], "y1": [None, 2.0]}),
        (np.array([[1.0], [2.0]]), {"y": [1.0, 2.0]}),
        ([[1, None], [0, 2]], {"y0": [1, 0], "y1": [None, 2]}),
        (pd.Series([1, 2], name="logS", index=[7, 3]), {"logS": [1, 2]}),
        (pd.Series([True, pd.NA], dtype="boolean"), {"y": [True, None]}),
        (pd.DataFrame({"a": [1, 2], 3: ["x", None]}), {"a": [1, 2], "3": ["x", None]}),
        ({"a": [1, 2], "b": [3, 4]}, {"a": [1, 2], "b": [3, 4]}),
    ],
    ids=repr,
)
def test_labels_of_usual_containers(y: object, columns: dict[str, list[object]]) -> None:
    assert label_columns(y, 2) == columns


@pytest.mark.parametrize(
    "y",
    [
        "ab",
        5,
        {1.0, 2.0},
        [1.0],
        [1.0, -np.inf],
        [1.0, [2.0]],
        [1.0, 2j],
        np.zeros((2, 2, 2)),
        pd.DataFrame({"smiles": [1, 2]}),
        pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
        np.zeros((2, 0)),
        [pd.Timestamp("2020-01-01")] * 2,
    ],
    ids=repr,
)
def test_other_labels_are_refused(y: object) -> None:
    with raises_usage(key="y"):
        label_columns(y, 2)


def test_no_molecules_are_named_as_what_is_missing() -> None:
    with raises_usage(key="smiles", got=0):
        label_columns([], 0)
