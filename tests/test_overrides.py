"""Every text comes back from Hydra's own parser."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from roftbench.overrides import as_written, quoted

TEXTS = ["", "a b", "[a,b]", "a$b", "qu'ote", "'", 'dou"ble', r"a\b", r"a\\b", r"a\'b", "end\\", r"x\\'", r"{c}~^\.csv"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back(text: str) -> None:
    assert OverridesParser.create().parse_override(f"key={quoted(text)}").value() == text


@pytest.mark.parametrize(
    ("read", "name"), [("True", "true"), ("None", "null"), ("100000.0", "1e5"), ("inf", "Inf"), ("nan", "NaN")]
)
def test_names_that_hydra_reads_as_values_are_told_by_the_option_that_gives_them(read: str, name: str) -> None:
    names = ["smiles", name, "infinity", "y"]
    assert as_written(read, names, "dataset.targets").endswith(f"\"dataset.targets=['{name}']\"")
    assert as_written(read, names, "split.column").endswith(f"\"split.column='{name}'\"")
    assert "Did you mean 'y'?" in as_written("Y", names, "dataset.targets")
