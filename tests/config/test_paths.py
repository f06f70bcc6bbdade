"""Folders from configs, overrides and the environment."""

from pathlib import Path

import pytest
from refusals import raises_usage

from roftbench.config.paths import Paths, paths_of


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
    ("override", "key", "part"),
    [
        ("paths.chache=x", "paths.chache", "Did you mean 'paths.cache'"),
        ("dataset=esol", "dataset", "paths.mirror"),
        ("paths.cache=", "paths.cache", "folder"),
        ("paths.offline=perhaps", "paths", "perhaps"),
    ],
)
def test_wrong_path_is_refused(override: str, key: str, part: str) -> None:
    with raises_usage(part, key=key):
        paths_of([override])
