"""What `predict` and `embed` take for a list of SMILES."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from refusals import raises_usage

from roftbench.predict.smiles_input import as_list

TEXTS = ["CCO", "N"]


@pytest.mark.parametrize(
    "given",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        pd.Series(TEXTS),
        pd.DataFrame({"smiles": TEXTS, "y": [1, 2]}),
        pd.DataFrame({"y": [1, 2], " SMILES": TEXTS}),
        pd.DataFrame({"only": TEXTS}),
        pa.table({"smiles": TEXTS, "y": [1, 2]}),
    ],
)
def test_lists_and_tables_of_smiles(given: Any) -> None:
    assert as_list(given) == TEXTS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("CCO", r"\['CCO'\]"),
        (pd.DataFrame({"a": TEXTS, "b": TEXTS}), r"columns a, b: .* table\['NAME'\]"),
        (pd.DataFrame({"smiles": TEXTS, "SMILES": TEXTS}), "columns smiles, SMILES"),
        ({"CCO": 1}, "dict"),
        ({"CCO"}, "set"),
        (np.array([TEXTS]), "ndarray"),
        ([1, 2], r"smiles\[0\] is a int, neither a text nor an RDKit molecule: 1"),
        (pd.DataFrame({"only": [1.5, 2.5]}), "neither a text nor"),
    ],
)
def test_what_has_no_order_of_smiles_is_refused(given: Any, message: str) -> None:
    with raises_usage(message, key="smiles"):
        as_list(given)


def test_missing_values_are_empty() -> None:
    assert as_list([None, float("nan"), pd.NA, 5]) == ["", "", "", "5"]
