"""What the page says beside the numbers: jobs that did not end well, label budgets, which metric counts, n."""

from pathlib import Path
from typing import Any

import pytest
from boards import changed as altered
from boards import computed, ended, forests, part, runs
from browser import Browser
from given_page import changed, data_in, rows

from roftbench.report.aggregate import long_table
from roftbench.report.page.data import page_data
from roftbench.report.page.html import render
from roftbench.store.record_schema import Record
from roftbench.store.results import Store


def opened(browser: Browser, folder: Path, records: list[Record], failures: list[Record]) -> None:
    data = page_data(Store(folder / "results"), records, failures, long_table(records))
    (folder / "page.html").write_text(render(data), encoding="utf-8")
    browser.open(folder / "page.html")


@pytest.fixture
def partly() -> tuple[list[Record], list[Record]]:
    """LP and ROFT-MOL on esol, of which lipo, all classification, BSS and a forest failed or were skipped."""
    records = [*runs("lp", "esol", [1.0, 1.0]), *runs("roftmol", "esol", [2.0, 2.0]), *forests("esol", [0.5, 0.5])]
    failures = [
        *ended(runs("lp", "lipo", [0.0, 0.0])),
        *ended(runs("roftmol", "lipo", [0.0, 0.0]), "skipped", "it makes no sense"),
        *ended(runs("bss", "esol", [0.0])),
        *ended(forests("lipo", [0.0])),
        *ended(runs("lp", "bace", [0.0, 0.0])),
    ]
    return records, failures


def test_jobs_without_a_result_are_marked_as_in_the_tables(
    browser: Browser, tmp_path: Path, partly: tuple[list[Record], list[Record]]
) -> None:
    records, failures = partly
    opened(browser, tmp_path, records, failures)
    tables = {
        layout.title.partition("· paper training · ")[2]: layout
        for layout in computed(records, failures=failures).tables
    }
    for task, metric in (("regression", "RMSE ↓"), ("classification", "ROC-AUC ↑")):
        layout = tables[metric]
        assert rows(browser, f"#scroll-{task}") == [
            layout.header,
            *([cell.plain for cell in row] for row in layout.rows),
        ]
    assert browser.texts("#scroll-regression .gap.failed") == ["failed"] * 3
    assert browser.texts("#scroll-regression .gap.skipped") == ["n/a"]
    legend = browser.text("#board .content > .note:last-child")
    for text in (
        "failed: no job of the cell ended well.",
        "n/a: ",
        "--: no job.",
        "“Jobs without a result”",
        "†: ",
        "‡: ",
    ):
        assert text in legend


def test_label_budgets_are_those_of_the_tables(
    browser: Browser, tmp_path: Path, partly: tuple[list[Record], list[Record]]
) -> None:
    opened(browser, tmp_path, *partly)
    [heading, *lines] = browser.text("#board .task:first-child .budget").splitlines()
    assert heading == "Label budget (labels for weights / selection / interpolation coefficients)"
    assert lines == ["LP, Random forest · ecfp: esol 90/10/0.", "ROFT-MOL ‡: esol 90/10/10."]


def test_a_method_alone_is_neither_marked_nor_ranked(browser: Browser, tmp_path: Path) -> None:
    records = runs("lp", "esol", [1.0, 1.0])
    opened(browser, tmp_path, records, ended(runs("bss", "esol", [1.0])))
    assert rows(browser, "#scroll-regression") == [["Method", "esol"], ["LP", "1.000 ± 0.000 (2)"], ["BSS", "failed"]]
    assert browser.all("#board .best") == browser.all("#board .second") == []


def test_comparison_and_curves_say_that_another_metric_is_not_theirs(shown: Browser) -> None:
    assert shown.all(".metric") == []
    shown.choose("metric-regression", "mae")
    said = "By each data set’s own metric (RMSE, ROC-AUC), not by the MAE ↓ that the leaderboard shows."
    assert [shown.text(f"#{part} .notice.metric") for part in ("versus", "curves")] == [said, said]
    shown.choose("metric-regression", "rmse")
    assert shown.all(".metric") == []


def test_numbers_of_pairs_what_is_not_corrected_and_no_sign_of_nothing(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    scopes: list[dict[str, Any]] = data_in(page)["scopes"]
    for scope in scopes:
        for compared in scope["compare"].values():
            for row in compared:
                row |= {"n": 17, "p": 0.02, "p_holm": 0.04, "improvement": 0.04, "low": -0.04, "high": 0.06}
    browser.open(changed(page, tmp_path, scopes=scopes))
    [head, *lines] = rows(browser, "#scroll-versus")
    assert head[:2] == ["Against", "n"]
    assert {line[1] for line in lines} == {"17"}
    assert {line[3] for line in lines} == {"0.0 % 0.0 % to +0.1 %"}
    holm = {line[0]: line[head.index("Holm p")] for line in lines}
    assert holm.pop("mean of the others") == "0.0400 not corrected"
    assert set(holm.values()) == {"0.0400"}


def test_labels_that_pretraining_saw_are_marked_as_in_the_tables(browser: Browser, tmp_path: Path) -> None:
    found = [*runs("lp", "esol", [0.9, 0.9]), *runs("lp", "bace", [0.8, 0.8])]
    names = {"admet_ai_regression": "esol, freesolv, lipo", "gin_masking": "none", "minimol": "unknown"}
    records = [altered(one, f"{one.key}-{name}", model=part("model", name)) for name in names for one in found]
    opened(browser, tmp_path, records, [])
    assert {row[0]: row[2] for row in rows(browser, "#scroll-models")[1:]} == names
    for model, seen in names.items():
        browser.choose("filter-model", model)
        layouts = [layout for layout in computed(records).tables if layout.title.startswith(f"{model} ")]
        for task, layout in zip(("classification", "regression"), layouts, strict=True):
            assert rows(browser, f"#scroll-{task}")[1:] == [[cell.plain for cell in row] for row in layout.rows]
        assert (rows(browser, "#scroll-regression")[1][1] == "0.900 ± 0.000 (2) ‡‡") == (model == "admet_ai_regression")
        legend = browser.text("#board .content > .note:last-child")
        assert ("‡‡: the model’s pretraining saw labels" in legend) == (model == "admet_ai_regression")
        assert (f"Whether the pretraining of {model} saw labels of these" in legend) == (seen == "unknown")
