"""Static pages: the same blocks in HTML and Markdown, nothing that runs, and no name that becomes markup."""

import re
from html import unescape
from pathlib import Path

import pytest
from browser import Browser
from markdown_it import MarkdownIt

from roftbench.report.page.document import (
    Bullets,
    Commands,
    Document,
    Findings,
    Grid,
    Image,
    Paragraph,
    Section,
    to_html,
    to_markdown,
)

MARKUP = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "strong", "pre", "code", "img"}
HOSTILE = "<script>alert(1)</script>\x1b\n# x"


def page(text: str) -> Document:
    blocks = [
        Paragraph(text, soft=True), Bullets([text, "second"]), Findings([("act", "leaks", text)]),
        Grid(["name", "score"], [[text, "0.5"]], text), Grid([], [["a", "b"]]), Commands([text]),
        Image(text, "picture", b"<svg/>"),
    ]  # fmt: skip
    return Document(text, [text], [Section("All of it", blocks), Section("Empty", [])], "roftbench data")


def test_both_forms_hold_every_block_and_no_empty_section() -> None:
    html, markdown = to_html(page("words")), to_markdown(page("words"))
    assert html.count("words") >= 8
    assert markdown.count("words") >= 8
    assert "Empty" not in html + markdown
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in html
    assert "![words](picture.svg)" in markdown
    assert "## All of it" in markdown
    assert '<a href="#all-of-it">' in html


def test_nothing_runs_and_no_name_becomes_markup() -> None:
    html, markdown = to_html(page(HOSTILE)), to_markdown(page(HOSTILE))
    assert "<script" not in html
    assert "default-src 'none'" in html
    assert not re.search(r"""(src|href)="(?!data:image/svg|#)""", html)
    assert "\x1b" not in markdown
    assert [line for line in markdown.splitlines() if line.startswith("# x")] == []


@pytest.mark.parametrize(
    "cell",
    ["[click](http://x.example)", "![a](b.png)", "<b>bold</b>", "C[C@H](N)O", "F/C=C\\F", "`a` *b* _c_ &lt; | d"],
)
def test_markdown_shows_every_text_as_it_is(cell: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(to_markdown(page(cell)))
    assert unescape(re.sub("<[^<>]*>", "", html)).count(cell) == 8
    assert set(re.findall(r"<(\w+)", html)) == MARKUP


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_any_width(browser: Browser, tmp_path: Path, width: int) -> None:
    path = tmp_path / "page.html"
    path.write_text(to_html(page("a long sentence about molecules " * 9)), encoding="utf-8")
    browser.window(width, 900)
    browser.driver.get(path.as_uri())
    assert browser.script("return document.documentElement.scrollWidth") <= width
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith(("file:", "data:", "about:"))] == []
