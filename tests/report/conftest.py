"""Real jobs, the page of them, and a browser: each once a session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, missing
from lab import Lab
from page_bench import fill

from roftbench.report.page.html import write_report


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Lab:
    """A results folder with the jobs of `page_bench.fill`; nobody writes into it."""
    lab = Lab(tmp_path_factory.mktemp("bench") / "results", cache)
    fill(lab)
    return lab


@pytest.fixture(scope="session")
def page(bench: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of `bench`."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report(bench.results, out)
    return out


@pytest.fixture(scope="session")
def _browser() -> Iterator[Browser]:
    if lacks := missing():
        if os.environ.get("ROFTBENCH_BROWSER") == "1":
            pytest.fail(f"not found: {lacks}; ROFTBENCH_BROWSER=1 asks for a browser")
        pytest.skip(f"not found: {lacks}")
    browser = Browser.started()
    yield browser
    browser.quit()


@pytest.fixture
def browser(_browser: Browser) -> Browser:
    """Headless Chromium with a desktop's window, the light scheme, an empty storage, and nothing open."""
    _browser.reset()
    return _browser


@pytest.fixture
def shown(browser: Browser, page: Path) -> Browser:
    """The browser with the report of `bench` open."""
    browser.open(page)
    return browser
