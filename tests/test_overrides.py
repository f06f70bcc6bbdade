"""Every text comes back from Hydra's own parser."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from roftbench.overrides import quoted

TEXTS = ["", "a b", "[a,b]", "a$b", "qu'ote", "'", 'dou"ble', r"a\b", r"a\\b", r"a\'b", "end\\", r"x\\'", r"{c}~^\.csv"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back(text: str) -> None:
    assert OverridesParser.create().parse_override(f"key={quoted(text)}").value() == text
