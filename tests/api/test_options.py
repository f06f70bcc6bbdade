from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from refusals import raises_usage

from roftbench.api.options import overrides_of
from roftbench.config.compose import composed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "a b, [c]"),
        ("name", "it's"),
        ("name", "null"),
        ("name", "1e5"),
        ("na_values", ["n.d.", "-999", "true"]),
        ("units", None),
        ("strip_salts", True),
        ("path", "C:\\new folder\\x.csv"),
    ],
)
def test_values_arrive_as_they_are(key: str, value: Any) -> None:
    config = composed(["dataset=csv", *overrides_of({"dataset": {key: value}})], None)
    assert OmegaConf.to_container(config.dataset, throw_on_missing=False)[key] == value


def test_numbers_and_nested_keys() -> None:
    options = {
        "method": "bss",
        "train": {"lr": np.float32(0.5), "epochs": np.int64(3)},
        "split.fractions": (0.8, 0.2, 0),
    }
    words = ["method=bss", "train.lr=0.5", "train.epochs=3", "split.fractions=[0.8,0.2,0]"]
    assert overrides_of(options) == words
    assert overrides_of({"dataset": {"path": Path("a b.csv")}}) == ["dataset.path='a b.csv'"]


@pytest.mark.parametrize("value", [object(), np.zeros(2), {1, 2}])
def test_other_values_are_refused(value: Any) -> None:
    with raises_usage(key="train.lr", got=value):
        overrides_of({"train": {"lr": value}})
