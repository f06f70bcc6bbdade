"""Names, order, role and family of methods come from their config files."""

from pathlib import Path

import pytest
from lab import ESTIMATORS, Lab
from lab import METHODS as NINE
from parsing import Parse, refused

from roftbench.config.method_cards import method_cards, proposed
from roftbench.config.registry import VARIABLE, conf_dir
from roftbench.errors import UsageError
from roftbench.methods.config import BASELINE
from roftbench.report.figures.style import Appearance, appearance
from roftbench.report.format import baselines, method_name, method_order, methods


def test_tables_name_and_sort_methods_by_their_configs() -> None:
    cards = method_cards()
    assert list(cards) == [*methods(), *baselines()]
    assert set(methods()) >= set(NINE)
    assert [cards[name].order for name in methods()] == sorted(cards[name].order for name in methods())
    assert method_name("roftmol") == cards["roftmol"].title == "ROFT-MOL"
    assert sorted(cards, key=method_order) == list(cards)
    assert proposed() == "roftmol"
    assert [name for name, card in cards.items() if card.role == BASELINE] == ESTIMATORS


def test_each_shipped_method_states_title_order_role_and_family() -> None:
    for path in (conf_dir() / "method").glob("*.yaml"):
        keys = {line.partition(":")[0] for line in Path(path).read_text(encoding="utf-8").splitlines()}
        assert keys >= {"title", "order", "role", "family"}, path.name


OWN = """
name: outside
_target_: my_code.Outside
title: Out & About
order: 0
color: "#123456"
marker: h
"""


def test_own_method_is_named_sorted_and_drawn_by_its_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nine = [appearance(name) for name in NINE]
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "outside.yaml").write_text(OWN, encoding="utf-8")
    assert method_name("outside (weight=2)") == "outside (weight=2)"
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert method_name("outside (weight=2)") == "Out & About (weight=2)"
    assert methods()[:2] == ["outside", "full_ft"]
    assert appearance("outside") == Appearance("#123456", "h", "-", 1.2)
    assert [appearance(name) for name in NINE] == nine


@pytest.mark.parametrize("line", ["color: red", 'color: "#12345"', "marker: x", "marker: oo"])
def test_impossible_color_or_marker_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "outside.yaml").write_text(f"name: outside\n_target_: my_code.Outside\n{line}\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match=r"method/outside\.yaml: .*(#rrggbb|Allowed: )"):
        methods()


@pytest.mark.parametrize("key", ["role", "family"])
def test_unknown_role_or_family_is_refused(parsed: Parse, key: str) -> None:
    error = refused(parsed, "l2_sp", **{f"method.{key}": "none"})
    assert (error.key, error.got) == (f"method.{key}", "none")


def test_display_keys_are_no_part_of_a_job(lab: Lab) -> None:
    plain, _ = lab.job("method=bss")
    named, _ = lab.job("method=bss", "method.title=Mine", "method.order=3", "method.family=other", "method.marker=h")
    assert named.key == plain.key
