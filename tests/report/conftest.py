"""Real jobs and the page of them, each once a session."""

from pathlib import Path

import pytest
from browser import Browser
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


@pytest.fixture
def shown(browser: Browser, page: Path) -> Browser:
    """The browser with the report of `bench` open."""
    browser.open(page)
    return browser
