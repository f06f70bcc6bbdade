"""Label curves: a panel a data set, the points behind it, and the methods that are shown."""

from pathlib import Path

import pytest
from browser import Browser
from given_page import data_in
from selenium.webdriver.common.keys import Keys


def lines(browser: Browser) -> int:
    return len(browser.all("#panel-0 .series"))


@pytest.mark.whole
def test_a_panel_a_data_set_and_a_line_a_method(shown: Browser) -> None:
    shown.until("return document.querySelectorAll('#curves .figure svg').length === 2")
    assert shown.texts("#curves h4") == ["esol test RMSE ↓", "bbbp test ROC-AUC ↑"]
    assert shown.texts("#curves .key") == ["Full FT", "LP", "ROFT-MOL", "Random forest"]
    assert lines(shown) == 4
    assert shown.texts("#panel-0 .tick text")[-2:] == ["100", "50"]
    assert len(shown.all("#panel-1 .series")) == 3  # the baseline has one of the data sets


def test_a_method_can_be_hidden_and_shown_again(shown: Browser) -> None:
    shown.until("return document.querySelectorAll('#panel-0 .series').length === 4")
    shown.click("#curves .key")
    shown.until("return document.querySelectorAll('#panel-0 .series').length === 3")
    assert shown.one("#curves .key").get_attribute("aria-pressed") == "false"
    assert shown.view == "hide=full_ft"
    shown.click("#curves .key")
    shown.until("return document.querySelectorAll('#panel-0 .series').length === 4")


def test_arrow_keys_walk_through_the_points(shown: Browser, page: Path) -> None:
    shown.until("return document.querySelector('#panel-0 svg') !== null")
    data = data_in(page)
    shown.script("document.querySelector('#panel-0 svg').focus()")
    shown.one("#panel-0 svg").send_keys(Keys.ARROW_RIGHT)
    name, labels, score, interval = shown.text("#tip").splitlines()
    points = [p for p in data["label_curves"] if data["methods"][p[2]]["name"] == name and p[1] == 0 and p[8]]
    said = {f"RMSE {mean:.3f}, 2 seeds": (low, high) for _, _, _, _, mean, low, high, *_ in points}
    low, high = said[score]
    assert labels in {"50 labels (50)", "100 labels (100)"}
    assert interval == f"95 % interval {low:.3f} to {high:.3f}"
    shown.one("#panel-0 svg").send_keys(Keys.ESCAPE)
    assert not shown.one("#tip").is_displayed()


def test_one_number_of_labels_gives_a_note(shown: Browser) -> None:
    shown.choose("filter-split", "random")
    assert shown.all("#curves svg") == []
    assert "two or more numbers of labels" in shown.text("#curves .note")
