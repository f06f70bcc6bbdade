"""The comparison with the reference method, and the critical difference diagram."""

from pathlib import Path

import pytest
from browser import Browser
from given_page import rows
from lab import Lab

from roftbench.report.aggregate import cells, long_table
from roftbench.report.format import method_name
from roftbench.report.statistics.paired import Friedman, compare, friedman, improvements

# The gaps are in the random split: with it, nothing can be ranked.
ONE = "split=scaffold&label_ratio=n50&splits=one"


def test_wins_and_verdicts_are_those_of_the_statistics(shown: Browser, bench: Lab) -> None:
    table = cells(long_table(bench.store.load()))
    frame = compare(table[(table["model"] == "tiny_gin") & ~table["baseline"].astype(bool)])
    written = {row[0]: row for row in rows(shown, "#scroll-versus")}
    assert {method_name(name) for name in frame["method"]} <= written.keys()
    for row in frame.to_dict("records"):
        line = written[method_name(row["method"])]
        assert line[1:3] == [str(row["n"]), f"{row['wins']} / {row['ties']} / {row['losses']}"]
        assert line[-1] == row["verdict"]


def test_each_data_set_has_its_improvement_and_blocks_have_no_verdict(shown: Browser, bench: Lab) -> None:
    table = cells(long_table(bench.store.load()))
    each = improvements(table[(table["model"] == "tiny_gin") & ~table["baseline"].astype(bool)])
    [_, *datasets], *lines = rows(shown, "#scroll-each")
    written = {row[0]: row[1:] for row in lines}
    assert set(written) == {method_name(name) for name in each["method"]}
    assert datasets == sorted(each["dataset"].unique())
    for row in each.to_dict("records"):
        cell = written[method_name(row["method"])][datasets.index(row["dataset"])]
        assert cell.endswith(f"{row['ahead']}/{row['blocks']}")
    compared = compare(table[(table["model"] == "tiny_gin") & ~table["baseline"].astype(bool)])
    assert [len(row) for row in rows(shown, "#scroll-blocks")] == [6] * (len(compared) + 1)
    assert "no evidence" in shown.text("#versus .content")


def test_scope_narrows_what_is_compared(shown: Browser) -> None:
    def blocks() -> int:
        line = next(row for row in rows(shown, "#scroll-blocks") if row[0] == "Full FT")
        return sum(int(n) for n in line[2].split(" / "))

    assert blocks() == 4  # two data sets at 50 and 100 labels
    shown.choose("scope-labels", "one")
    assert blocks() == 2
    shown.choose("scope-task", "regression")
    assert blocks() == 1
    assert shown.text("#versus .where") == ("tiny_gin · all splits · 50 labels · regression only · smoke training")


def test_ranks_that_cannot_be_say_why(shown: Browser) -> None:
    assert shown.all("#ranks svg") == []
    assert "No ranks for this choice" in shown.text("#versus .content > .note:last-child")


@pytest.mark.parametrize("width", [1280, 360])
def test_critical_difference_diagram_shows_the_friedman_ranks(
    browser: Browser, page: Path, bench: Lab, width: int
) -> None:
    browser.window(width, 900)
    browser.open(page, ONE)
    table = cells(long_table(bench.store.load()))
    own = table[(table["model"] == "tiny_gin") & (table["split"] == "scaffold")]
    found = friedman(own)
    assert isinstance(found, Friedman)
    browser.until("return document.querySelector('#ranks svg') !== null")
    said = browser.one("#ranks svg").get_attribute("aria-label")
    names = [f"{method_name(method)} {rank:.2f}" for method, rank in found.ranks.items()]
    assert said == f"Critical difference diagram. Mean ranks, best first: {', '.join(names)}"
    drawn = browser.script("return [...document.querySelectorAll('#ranks g.series text')].map((t) => t.textContent)")
    for method, rank in found.ranks.items():
        assert any(method_name(method) in text and f"{rank:.2f}" in text for text in drawn)
    assert f"critical difference {found.critical_difference:.2f}" in browser.texts("#ranks .label")
    inside = """const box = document.querySelector("#ranks").getBoundingClientRect();
        return [...document.querySelectorAll("#ranks text")].map((text) => text.getBoundingClientRect())
            .every((text) => text.left >= box.left && text.right <= box.right && text.bottom <= box.bottom + 1)"""
    assert browser.script(inside)
