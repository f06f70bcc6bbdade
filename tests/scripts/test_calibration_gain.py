from pathlib import Path

import numpy as np
import pytest

import scripts.calibration_gain as script


def test_changes_are_zero_where_the_rule_does_not_calibrate(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("ROFTBENCH_CACHE", str(cache))
    bits, y = script.loaded("bbbp")
    assert bits.shape == (len(y), 2048)
    draw = np.random.default_rng(0)
    found = [
        script.changes(bits, y, draw.permutation(len(y)), held, script.METHODS[method])
        for method, held in (("ridge", 30), ("ridge", 100), ("gp", 200))
    ]
    assert {applied for _, _, applied in found} == {False, True}
    for always, rule, applied in found:
        assert rule == (always if applied else 0)
        assert always != 0
    few = np.argsort(y, kind="stable")  # held-out labels of one class
    assert script.changes(bits, y, few, 30, script.METHODS["ridge"]) is None
