"""Folders from configs, overrides and the environment."""

from pathlib import Path

import pytest

from roftbench.config.paths import Paths, paths_of
from roftbench.errors import UsageError


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESULTS", "CACHE", "MIRROR", "OFFLINE"):
        monkeypatch.delenv(f"ROFTBENCH_{name}", raising=False)


def test_defaults_are_those_of_the_config() -> None:
    assert paths_of([]) == Paths()
    places = paths_of([]).places()
    assert places.downloads == Path.home() / ".cache" / "roftbench" / "downloads"
    assert (places.mirror, places.offline) == (None, False)


def test_environment_and_overrides_which_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("RESULTS", "/r"), ("CACHE", "/c"), ("MIRROR", "/m"), ("OFFLINE", "1")):
        monkeypatch.setenv(f"ROFTBENCH_{name}", value)
    assert paths_of([]) == Paths("/r", "/c", "/m", True)
    found = paths_of([f"paths.cache={tmp_path}", "paths.mirror=~/files", "paths.offline=false"])
    assert found.results == "/r"
    assert found.places().downloads == tmp_path / "downloads"
    assert found.places().mirror == Path.home() / "files"
    assert not found.places().offline


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("paths.chache=x", r"unknown key 'paths.chache'\. Did you mean 'paths.cache'\?"),
        ("dataset=esol", r"unknown key 'dataset'"),
        ("paths.cache=", "paths: cache is empty: give a folder"),
        ("paths.offline=perhaps", "paths: .*perhaps"),
    ],
)
def test_what_is_no_path(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        paths_of([override])
