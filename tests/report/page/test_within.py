"""Rows compared inside each data set, on the page."""

from pathlib import Path

import pytest
from boards import changed, computed, forests, runs
from browser import Browser
from folds import cross_validated, three
from given_page import rows
from refusals import raises_usage

from roftbench.report.aggregate import long_table
from roftbench.report.page.data import page_data
from roftbench.report.page.html import render
from roftbench.report.query import Request
from roftbench.report.statistics.inside import against
from roftbench.store.record_schema import RecordSummary


def opened(browser: Browser, folder: Path, records: list[RecordSummary], *words: str) -> None:
    data = page_data(None, records, [], long_table(records), Request.parse(words)[0])
    (folder / "page.html").write_text(render(data), encoding="utf-8")
    browser.open(folder / "page.html")


@pytest.fixture
def records() -> list[RecordSummary]:
    """Three methods and a forest on the same ten folds."""
    forest = forests("esol", [0.9, 1.0, 1.1, 0.9, 0.8, 1.0, 1.1, 0.9, 1.0, 1.1])
    return [*three(), *cross_validated(forest)]


def test_tests_and_marks_are_those_of_the_tables(
    browser: Browser, tmp_path: Path, records: list[RecordSummary]
) -> None:
    opened(browser, tmp_path, records, "delta=0.1", "reference=bss")
    [one] = computed(records).contests
    bold = {one.rows[i].label for i in one.best_set}
    assert bold == {"LP", "BSS", "Random forest · ecfp †"}
    lines = zip(rows(browser, "#scroll-regression")[1:], _bold(browser), strict=True)
    assert {line[0] for line, is_bold in lines if is_bold} == bold
    [head, line] = rows(browser, "#scroll-within")
    assert dict(zip(head, line, strict=True)) == {
        "Data set": "esol",
        "Over": "10 folds",
        "F": f"{one.anova.f:.1f}",
        "p": "< 0.0001",
        "Ratio of variances": f"{one.variance_ratio:.1f}",
        "Test": "Tukey HSD",
        "Cannot be told from the best": ", ".join(one.rows[i].label for i in sorted(one.best_set)),
    }
    browser.click("details.within summary")
    [head, *lines] = rows(browser, "#scroll-within-regression-0")
    _, found = against(one, "bss", {"rmse": 0.1})
    assert "Equal within 0.1" in head
    assert [line[0] for line in lines] == [one.rows[i].label for i in found]
    assert [line[-1] for line in lines] == [f"{v.verdict}, equal" if v.equal else v.verdict for v in found.values()]


def _bold(browser: Browser) -> list[bool]:
    lines = "[...document.querySelectorAll('#scroll-regression tbody tr')]"
    found: list[bool] = browser.script(f"return {lines}.map((line) => line.querySelector('.best') !== null)")
    return found


def test_baselines_alone_are_compared_inside_data_sets(browser: Browser, tmp_path: Path) -> None:
    trees, others = forests("esol", [0.5, 0.6, 0.7, 0.5]), forests("esol", [0.8, 0.9, 0.9, 0.7])
    ridge = [changed(one, f"{one.key}-ridge", method={**one.job["method"], "name": "ridge"}) for one in others]
    opened(browser, tmp_path, [*trees, *ridge])
    assert "One split: this says how training varies" in browser.text("#versus .content")
    assert len(rows(browser, "#scroll-within")) == 2


def test_one_seed_has_nothing_inside(browser: Browser, tmp_path: Path) -> None:
    opened(browser, tmp_path, [*runs("lp", "esol", [1.0]), *runs("bss", "esol", [2.0])])
    assert browser.all("#board .best") == []
    assert "Inside each data set" not in browser.text("#versus")


def test_reference_without_records_is_refused(records: list[RecordSummary]) -> None:
    with raises_usage(key="reference", got="l2_sp"):
        page_data(None, records, [], long_table(records), Request(reference="l2_sp"))
