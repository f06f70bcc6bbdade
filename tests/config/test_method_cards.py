"""Names, order, role and family of methods come from their config files."""

from pathlib import Path

import pytest
from lab import ESTIMATORS, Lab
from lab import METHODS as NINE
from parsing import Parse, refused

from roftbench.config.method_cards import method_cards, proposed
from roftbench.config.registry import conf_dir
from roftbench.methods.config import BASELINE
from roftbench.report.format import BASELINES, METHODS, method_name, method_order


def test_tables_name_and_sort_methods_by_their_configs() -> None:
    cards = method_cards()
    assert list(cards) == [*METHODS, *BASELINES]
    assert set(METHODS) >= set(NINE)
    assert [cards[name].order for name in METHODS] == sorted(cards[name].order for name in METHODS)
    assert method_name("roftmol") == cards["roftmol"].title == "ROFT-MOL"
    assert sorted(cards, key=method_order) == list(cards)
    assert proposed() == "roftmol"
    assert [name for name, card in cards.items() if card.role == BASELINE] == ESTIMATORS


def test_each_shipped_method_states_title_order_role_and_family() -> None:
    for path in (conf_dir() / "method").glob("*.yaml"):
        keys = {line.partition(":")[0] for line in Path(path).read_text(encoding="utf-8").splitlines()}
        assert keys >= {"title", "order", "role", "family"}, path.name


@pytest.mark.parametrize("key", ["role", "family"])
def test_unknown_role_or_family_is_refused(parsed: Parse, key: str) -> None:
    error = refused(parsed, "l2_sp", **{f"method.{key}": "none"})
    assert (error.key, error.got) == (f"method.{key}", "none")


def test_display_keys_are_no_part_of_a_job(lab: Lab) -> None:
    plain, _ = lab.job("method=bss")
    named, _ = lab.job("method=bss", "method.title=Mine", "method.order=3", "method.family=other")
    assert named.key == plain.key
