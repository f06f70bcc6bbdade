"""The file that `roftbench report` writes; tests/report/page has what a visitor sees and does."""

import json
import re
from pathlib import Path

from browser import Browser
from command import Command
from given_page import changed, data_in
from lab import Lab
from refusals import raises_usage

from roftbench.report.page.html import to_script, words, write_report


def test_equal_records_give_equal_bytes(bench: Lab, page: Path, tmp_path: Path) -> None:
    write_report(bench.results, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_file_names_no_address_and_no_place_of_this_machine(bench: Lab, page: Path) -> None:
    text = page.read_text().replace("http://www.w3.org/2000/svg", "")  # the name of a namespace, which nobody asks for
    assert not re.search(r"https?://|src=|@import|url\(", text)
    assert str(bench.results) not in text


def test_command_writes_beside_the_records_and_says_so(cli: Command, bench: Lab, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "page.html"
    ended = cli("report", f"paths.results={bench.results}", "--out", str(out))
    assert ended.code == 0
    assert ended.out == f"{len(bench.store.load())} records; written: {out} ({out.stat().st_size / 1e6:.1f} MB)\n"


def test_without_jobs_there_is_one_clear_error_and_no_file(cli: Command) -> None:
    cli("report").refused("no finished jobs under", "roftbench run")
    assert cli.files() == []


def test_folder_as_out_is_refused(bench: Lab, tmp_path: Path) -> None:
    with raises_usage(key="--out", got=str(tmp_path)):
        write_report(bench.results, tmp_path)


def test_data_cannot_leave_their_element() -> None:
    hostile = {"name": "</script><script>alert(1)</script><!-- & \u2028"}
    text = to_script(hostile)
    assert not set("<>&") & set(text)
    assert json.loads(text) == hostile


def test_words_say_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("x" * 2_000_000)
    data = {"jobs": [0, 0], "from_scores": False}
    said = {points: words({**data, "points": points}, tmp_path / "page.html") for points in (40, 12, 0)}
    assert said[40].endswith("page.html (2.0 MB)")
    assert said[12].endswith("(2.0 MB; learning curves of at most 12 epochs per stage)")
    assert said[0].endswith("(2.0 MB; no learning curves: too many jobs for one page)")


def test_opens_from_disk_without_errors_or_requests(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.texts("h2") == [
        "Leaderboard", "Comparison", "Label curves", "Jobs without a result", "Reproducibility",
    ]  # fmt: skip
    counts = dict(zip(browser.texts(".counts dt"), browser.texts(".counts dd"), strict=True))
    assert counts == {"jobs": "30", "models": "3", "methods": "5", "data sets": "2", "seeds": "2", "failed": "1"}
    assert browser.console() == []
    assert {address for address in browser.requests() if address != "about:blank"} == {page.as_uri()}


def test_names_cannot_become_markup(browser: Browser, page: Path, tmp_path: Path) -> None:
    data = data_in(page)
    data["datasets"][0]["dataset"] = "<img src=x onerror=document.title='run'>"
    browser.open(changed(page, tmp_path, datasets=data["datasets"]))
    assert "<img src=x" in browser.text("#scroll-regression th.number")
    assert browser.all("img") == []
    assert browser.console() == []
