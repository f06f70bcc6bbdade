"""The page of scores.csv: the same numbers as that of the records, and no learning curves."""

from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from command import Command
from given_page import data_in, rows
from lab import Lab

from roftbench.report.records import read_records
from roftbench.report.scores import write_scores


@pytest.fixture
def scores(bench: Lab, tmp_path: Path) -> Path:
    return write_scores(*read_records(bench.store), tmp_path / "scores")[0]


def test_it_has_the_numbers_of_the_records_page(
    browser: Browser, cli: Command, page: Path, scores: Path, tmp_path: Path
) -> None:
    ended = cli("report", "--from", str(scores))
    assert (ended.code, "; no learning curves, which scores.csv does not hold)" in ended.out) == (0, True), ended
    made = scores.with_name("report.html")
    same = ("cells", "tables", "scopes", "label_curves", "settings", "methods", "failures", "unfinished")
    ours, theirs = data_in(made), data_in(page)
    assert [part for part in same if ours[part] != theirs[part]] == []
    browser.open(made)
    assert "made from scores.csv" in browser.text("#facts .notice")
    assert "jobs of scores.csv" in browser.text("footer")
    assert [chosen(one, ours) for one in ours["jobs"]] == [chosen(one, theirs) for one in theirs["jobs"]]
    browser.click("#board button[aria-label^='ROFT-MOL on esol']")
    browser.until("return document.querySelector('dialog').open")
    assert len(rows(browser, "#scroll-jobs")) == 3
    assert "made from scores.csv, which holds no learning curves." in browser.text("#jobs")
    assert "runs/" not in browser.text("#jobs")
    assert browser.console() == []


@pytest.mark.whole
def test_several_files_are_joined_and_need_a_place(cli: Command, scores: Path, tmp_path: Path) -> None:
    twice = ("report", "--from", str(scores), "--from", str(scores))
    cli(*twice).refused("--from is given several times", "--out FILE")
    one, other = tmp_path / "one.html", tmp_path / "other.html"
    assert cli(*twice, "--out", str(one)).code == cli("report", "--from", str(scores), "--out", str(other)).code == 0
    assert one.read_bytes() == other.read_bytes()
    cli("report", "--from", "nothing.csv").refused("--from nothing.csv", "No such file")


def chosen(job: dict[str, Any], page: dict[str, Any]) -> Any:
    """The hyperparameters that a job chose."""
    return page["params"][job["chosen"]]
