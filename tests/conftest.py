from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, missing
from command import Command
from golden import Golden
from hypothesis import settings
from lab import Lab
from omegaconf import DictConfig
from parsing import Parse, parser_of, plain_config

ROOT = Path(__file__).resolve().parents[1]

# The developer's own folders and mirrors change no test; `cli` sets those that it needs.
for _name in ("RESULTS", "CACHE", "CONFIG_DIR", "PLUGINS", "MIRROR", "OFFLINE", "DEBUG"):
    os.environ.pop(f"ROFTBENCH_{_name}", None)

# The same examples in every run; HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the checkout; tests that need it are skipped without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    return folder


@pytest.fixture(scope="session")
def esol32(shared: Path) -> dict[str, Any]:
    """Reference numbers of two random GINs on ESOL's first molecules."""
    content: dict[str, Any] = json.loads((shared / "golden" / "numerics_esol.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of featurized data sets that all test processes share, so that each one is featurized once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def lab(tmp_path: Path, cache: Path) -> Lab:
    """Real jobs with a results folder of the test's own."""
    return Lab(tmp_path / "results", cache)


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Lab:
    """Real jobs with a results folder of all tests of a module, which share fits."""
    return Lab(tmp_path_factory.mktemp("results"), cache)


@pytest.fixture
def cli(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in this process, with the lab's folders and an empty working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", list(sys.argv))  # Hydra reads it, so that `run` sets it
    for name, value in (("RESULTS", lab.results), ("CACHE", lab.cache), ("PARENT", os.getpid())):
        monkeypatch.setenv(f"ROFTBENCH_{name}", str(value))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    return Command(lab, capsys)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flags for the longest tests, and for rewriting tests/golden."""
    parser.addoption("--whole", action="store_true", help="also the largest published files and the longest scripts")
    parser.addoption("--update-golden", action="store_true", help="write what is printed now to tests/golden")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the longest tests out where they are not asked for."""
    if not config.getoption("--whole"):
        left_out = [item for item in items if item.get_closest_marker("whole")]
        items[:] = [item for item in items if not item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def golden(request: pytest.FixtureRequest, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Golden:
    """Compare a text with a file of tests/golden, on a terminal of fixed width."""
    monkeypatch.setenv("COLUMNS", "120")
    return Golden({tmp_path: "TMP", cache: "CACHE"}, request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def plain() -> DictConfig:
    """The tests' default config, composed once: to be copied, never changed."""
    return plain_config()


@pytest.fixture
def parsed(plain: DictConfig) -> Parse:
    """Parse that config with some values replaced."""
    return parser_of(plain)


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write out what is no UTF-8 in captured output: test processes could not send it."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
