"""The jobs behind a cell: their keys, learning curves, what was tried, and what decided them."""

from pathlib import Path
from typing import Any

from browser import Browser
from given_page import behind, changed, data_in, rows
from lab import Lab
from page_bench import ALPHAS
from selenium.webdriver.common.keys import Keys

from roftbench.report.page.jobs import short
from roftbench.store.record_schema import plain

NAMES = {"model": "tiny_gin", "dataset": "esol", "label_ratio": "n50", "split": "scaffold"}
OPEN = "return document.querySelector('dialog').open"


def cell(method: str, dataset: str = "esol") -> str:
    return f"#board button[aria-label^='{method} on {dataset}']"


def test_a_cell_opens_the_jobs_behind_it(shown: Browser, bench: Lab) -> None:
    shown.click(cell("ROFT-MOL"))
    shown.until(OPEN)
    records = behind(bench, method="roftmol", **NAMES)
    assert len(records) == 2
    assert shown.text("#jobs-title") == "ROFT-MOL on esol"
    [_, *written] = rows(shown, "#scroll-jobs")
    for line, record in zip(written, records, strict=True):
        # The page holds six digits of a job's score, and shows three decimals of these.
        scores = [f"{short(getattr(record.scores, part)['rmse']):.3f}" for part in ("val", "test")]
        assert line[:4] == [f"Seed {record.job['seed']}", *scores, str(record.best_epoch)]
        assert line[5] == record.key
    assert f"runs/{records[0].key}.json" in shown.text("#jobs")
    shown.one("body").send_keys(Keys.ESCAPE)
    shown.until("return !document.querySelector('dialog').open")
    assert shown.view == ""


def test_learning_curves_are_those_of_the_record(shown: Browser, bench: Lab) -> None:
    shown.click(cell("ROFT-MOL"))
    shown.until("return document.querySelectorAll('dialog .figure > svg').length === 4")
    assert shown.texts("#jobs .stage h4") == ["Fine-tuning", "Interpolation coefficients"]
    [record, other] = behind(bench, method="roftmol", **NAMES)
    assert walked(shown, 1, len(record.history)) == points([plain(one) for one in record.history])
    learned = record.details["history"]
    assert walked(shown, 3, len(learned)) == points(learned)
    assert len(shown.all(".figure .kept")) == 2  # the epoch that was fine-tuned to, and that of the coefficients
    shown.click(".pick[aria-pressed='false']")
    shown.until(f"return location.hash.includes('{other.key}')")
    shown.until("return document.querySelectorAll('dialog .figure > svg').length === 4")
    assert walked(shown, 1, len(other.history)) == points([plain(one) for one in other.history])


def points(history: list[dict[str, Any]]) -> list[str]:
    return [f"Epoch {one['epoch']} Val RMSE ↓ {float(format(one['val_score'], '.4g')):g}" for one in history]


def walked(browser: Browser, figure: int, count: int) -> list[str]:
    """What the arrow keys say of a figure's points."""
    picture = browser.all("dialog .figure > svg")[figure]
    browser.script("arguments[0].focus()", picture)
    found = []
    for _ in range(count):
        picture.send_keys(Keys.ARROW_RIGHT)
        found.append(" ".join(browser.text("#tip").splitlines()))
    return found


def test_axes_of_loss_and_score_are_equal(shown: Browser) -> None:
    shown.click(cell("ROFT-MOL"))
    shown.until("return document.querySelectorAll('dialog .figure > svg').length === 4")
    ends = """return [...document.querySelectorAll("dialog .figure")].slice(2).map((figure) =>
        [...figure.querySelectorAll(".stub")].map((stub) => stub.getAttribute("x1") + stub.nextSibling.textContent))"""
    [loss, score] = shown.script(ends)  # the score has an epoch more: that before the first step
    assert len(loss) > 1
    assert loss == score


def test_values_far_away_do_not_hide_the_others(browser: Browser, page: Path, tmp_path: Path) -> None:
    data = data_in(page)
    epochs = [*data["epochs"], list(range(1, 21))]
    scores = [1.0 + 0.01 * (i % 5) for i in range(18)] + [4000.0, 6000.0]
    jobs = [{**job, "curves": [["ft", len(epochs) - 1, scores, scores]]} for job in data["jobs"]]
    browser.open(changed(page, tmp_path, jobs=jobs, epochs=epochs))
    browser.click(cell("Full FT"))
    browser.until("return document.querySelectorAll('dialog .figure svg svg').length === 2")
    assert browser.texts("#jobs .axis-title")[1] == "Val RMSE ↓, the highest values cut off"
    ticks = browser.texts("dialog .figure .tick text[text-anchor='end']")
    assert max(float(text) for text in ticks) < 1.2
    picture = browser.all("dialog .figure > svg")[1]
    browser.script("arguments[0].focus()", picture)
    picture.send_keys(Keys.ARROW_LEFT)
    assert browser.text("#tip").splitlines() == ["Epoch 20", "Val RMSE ↓ 6000"]


def test_what_was_tried_is_listed_with_what_was_selected(shown: Browser, bench: Lab) -> None:
    shown.choose("filter-split", "random")
    shown.click(cell("WiSE-FT"))
    [_, *written] = rows(shown, "#scroll-tried")
    records = behind(bench, method="wise_ft", **{**NAMES, "split": "random"})
    means = {}
    for alpha in ALPHAS:
        tried = [one for record in records for one in record.candidates if one.params["alpha"] == alpha]
        means[alpha] = [sum(getattr(one, part)["rmse"] for one in tried) / len(tried) for part in ("val", "test")]
    chosen = min(means, key=lambda alpha: means[alpha][0])
    assert written[0][0] == f"alpha = {chosen} (selected)"
    assert {line[0].removesuffix(" (selected)") for line in written} == {"alpha = 0.1", "alpha = 0.9"}
    for line in written:
        val, test = means[float(line[0].split()[2])]
        assert line[1:] == ["2", f"{val:.3f}", f"{test:.3f}"]


def test_a_gap_shows_the_seeds_that_are_there(shown: Browser, bench: Lab) -> None:
    shown.choose("filter-split", "random")
    shown.click(cell("Full FT"))
    assert "1 seed of 2" in shown.text("#jobs .result")
    [record] = behind(bench, method="full_ft", **{**NAMES, "split": "random"})
    assert [line[5] for line in rows(shown, "#scroll-jobs")[1:]] == [record.key]


def test_a_job_can_be_linked(browser: Browser, page: Path, bench: Lab) -> None:
    [record] = behind(bench, method="full_ft", **{**NAMES, "split": "random"})
    browser.open(page, f"job={record.key}")
    assert browser.script(OPEN)
    assert browser.text("#board .where").startswith("tiny_gin · random split")  # the cell's own table lies behind
    facts = dict(zip(browser.texts("#jobs dt"), browser.texts("#jobs dd"), strict=True))
    graphs = record.count.graphs
    assert facts["Molecules"] == f"train {graphs.train}, val {graphs.val}, test {graphs.test}"
    assert f"roftbench {record.env['roftbench']}" in facts["Ran on"]
    browser.open(page, "job=0123456789abcdef")
    assert not browser.script(OPEN)


def test_a_method_without_epochs_says_so(shown: Browser) -> None:
    shown.click(cell("Random forest · ecfp"))
    assert "not trained in epochs" in shown.text("#jobs")
    assert shown.all("dialog .figure") == []


def test_curves_left_out_of_a_large_page_are_told(browser: Browser, page: Path, tmp_path: Path) -> None:
    jobs = [{**job, "curves": []} for job in data_in(page)["jobs"]]
    browser.open(changed(page, tmp_path, jobs=jobs, points=0))
    browser.click(cell("Full FT"))
    assert "too many jobs for one page" in browser.text("#jobs")
    assert browser.console() == []
