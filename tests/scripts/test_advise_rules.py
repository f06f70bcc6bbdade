"""Rules of advise compared on draws: which candidates each takes, and what their regret is."""

import numpy as np
import pytest
from lab import Lab

from scripts import advise_rules
from scripts.advise_rules import FOREST, Draw, best, forward, main, report, within_one_error

SIZES = [10] * 5


def given(**errors: np.ndarray) -> Draw:
    """Return a draw whose candidates err by these amounts on 50 labels and on 50 test molecules."""
    y = np.zeros(50)
    losses = {name: np.array([advise_rules.rmse(part) for part in np.split(one, 5)]) for name, one in errors.items()}
    return Draw(losses, errors, errors, y, y, SIZES)


def test_rules_take_what_they_say() -> None:
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=50), rng.normal(size=50)
    errors = {"a": common + own, "b": common - own, "c": common + 9 * own, FOREST: 5 * common}
    found = given(**errors)
    first = found.ranked[0]
    assert best(found) == [first]
    assert set(within_one_error(found)) == {"a", "b"}
    assert set(forward(found)) == {"a", "b"}
    assert found.score(["a", "b"]) == pytest.approx(advise_rules.rmse(common))
    line = next(text for text in report([found]).splitlines() if text.startswith("| mean within"))
    regret = found.score(["a", "b"]) / min(found.score([name]) for name in errors) - 1
    assert f"{100 * regret:+.1f} %" in line


def test_a_real_draw(lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advise_rules, "TREES", 10)
    words = ["--datasets", "freesolv", "--labels", "50", "--seeds", "0", "--features", "ecfp"]
    assert main([*words, f"paths.cache={lab.cache}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| 1 draws")
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(advise_rules.RULES)
    assert lines[-1].endswith("+0.0 % |")  # the forest is not behind itself
