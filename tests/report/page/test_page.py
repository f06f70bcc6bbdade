"""The page as a whole: light and dark, on a phone, by keyboard."""

import time
from pathlib import Path

import pytest
from browser import Browser
from selenium.webdriver.common.keys import Keys

VIEWS = ("", "split=random", "splits=one&hide=lp", "regression=spearman&sort-regression=esol:worst")
INK = (
    "body",
    ".lead",
    "h2",
    "#board .where",
    ".note",
    ".cell .sd",
    ".outside th",
    ".counts .bad dd",
    ".key",
    "th.number",
)


def channels(color: str) -> list[float]:
    numbers = [float(text) for text in color.removeprefix("rgba(").removeprefix("rgb(").rstrip(")").split(",")]
    return [x / 255 / 12.92 if x / 255 <= 0.04045 else ((x / 255 + 0.055) / 1.055) ** 2.4 for x in numbers[:3]]


def luminance(color: str) -> float:
    return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), channels(color), strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def style(browser: Browser, selector: str, name: str) -> str:
    return str(
        browser.script("return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name)
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scheme_follows_the_system_and_text_can_be_read(browser: Browser, page: Path, scheme: str) -> None:
    browser.scheme(scheme)
    browser.open(page)
    ground = style(browser, "body", "backgroundColor")
    assert (luminance(ground) > 0.5) == (scheme == "light")
    assert {
        selector: round(contrast(style(browser, selector, "color"), ground), 1)
        for selector in INK
        if contrast(style(browser, selector, "color"), ground) < 4.5
    } == {}  # WCAG 2, level AA


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_can_be_switched_and_is_kept(browser: Browser, page: Path, scheme: str) -> None:
    browser.scheme(scheme)
    browser.open(page)
    before = style(browser, "body", "backgroundColor")
    method = style(browser, "#board .badge .mark", "fill")
    browser.click("#theme")
    after = style(browser, "body", "backgroundColor")
    assert (luminance(after) > 0.5) == (scheme == "dark")
    assert style(browser, "#board .badge .mark", "fill") != method
    for _ in range(50):  # what a page keeps reaches the next one a moment later on a busy machine
        browser.open(page)
        if style(browser, "body", "backgroundColor") == after:
            break
        time.sleep(0.1)
    assert style(browser, "body", "backgroundColor") == after
    browser.click("#theme")
    assert style(browser, "body", "backgroundColor") == before


@pytest.mark.parametrize("view", VIEWS)
def test_phone_does_not_scroll_sideways(browser: Browser, page: Path, view: str) -> None:
    browser.window(360, 740)
    browser.open(page, view)
    assert browser.script("return [document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    browser.click("#board .cell")
    browser.until("return document.querySelectorAll('dialog .figure > svg').length > 0")
    assert browser.script("const d = document.querySelector('dialog'); return [d.scrollWidth, d.clientWidth]") == [
        360,
        360,
    ]
    assert browser.script("return document.documentElement.scrollWidth") == 360


def test_text_on_a_phone_is_not_tiny(browser: Browser, page: Path) -> None:
    browser.window(360, 740)
    browser.open(page)
    sizes = browser.script("""
        const text = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim();
        return [...document.querySelectorAll("header *, main *")]
            .filter((one) => one.getClientRects().length && [...one.childNodes].some(text))
            .map((one) => parseFloat(getComputedStyle(one).fontSize));
    """)
    assert len(sizes) > 100
    assert min(sizes) >= 11


def test_wide_tables_scroll_by_themselves_with_their_names_in_sight(browser: Browser, page: Path) -> None:
    browser.window(360, 740)
    browser.open(page)
    scrolled = """const box = document.querySelector("#scroll-versus"); box.scrollLeft = 9999;
        const name = box.querySelector("tbody th").getBoundingClientRect();
        return [box.scrollLeft > 0, name.left - box.getBoundingClientRect().left]"""
    assert browser.script(scrolled) == [True, 0]


def test_sections_are_reached_without_losing_the_view(browser: Browser, page: Path) -> None:
    browser.open(page, "split=random")
    browser.click("nav.sections a[href='#at=facts']")
    browser.until("return Math.abs(document.querySelector('#facts').getBoundingClientRect().top) < innerHeight / 2")
    assert browser.view == "split=random"
    browser.open(page, "at=curves")
    browser.until("return Math.abs(document.querySelector('#curves').getBoundingClientRect().top) < innerHeight / 2")


def test_keyboard_keeps_its_place(browser: Browser, page: Path) -> None:
    browser.open(page)
    button = browser.one("#sort-regression-esol")
    browser.script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    assert browser.script("return document.activeElement.id") == "sort-regression-esol"
    cell = browser.one("#board .cell")
    place = cell.get_attribute("id")
    cell.send_keys(Keys.ENTER)
    browser.until("return document.querySelector('dialog').open")
    browser.one("#jobs-close").send_keys(Keys.ENTER)
    browser.until("return !document.querySelector('dialog').open")
    assert browser.script("return document.activeElement.id") == place
