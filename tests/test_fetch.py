"""`roftbench fetch` and what `roftbench list datasets` then shows."""

import json
from pathlib import Path

import pytest
from command import Command

from roftbench.data.spec import dataset_specs


@pytest.fixture
def own_cache(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without downloads; no network."""
    monkeypatch.setenv("ROFTBENCH_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("ROFTBENCH_OFFLINE", "1")
    return tmp_path / "own" / "downloads"


def presence(cli: Command) -> dict[str, str | None]:
    return {row["name"]: row["present"] for row in json.loads(cli("list", "datasets", "--json").out)}


def test_everything_from_a_mirror(cli: Command, own_cache: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = presence(cli)
    assert (before["esol"], before["tox21"], before[None]) == ("bundled", None, None)  # type: ignore[index]
    ended = cli("fetch", "dataset=all", "model=all", f"paths.mirror={shared / 'data'}")
    assert (ended.code, ended.err) == (0, "")
    said = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    assert said["tox21"] == "copied from the mirror"
    assert said["esol"] == said["gin_masking"] == "bundled, nothing to fetch"
    assert said["scratch"] == "random weights, nothing to fetch"
    wanted = {spec.file for spec in dataset_specs().values() if spec is not None and "bundled" not in spec.sources}
    assert {path.name for path in own_cache.iterdir() if path.is_file()} == wanted
    after = presence(cli)
    assert {after[name] for name in ("tox21", "toxcast", "muv", "sider", "malaria", "cep")} == {"cache"}
    assert cli("fetch", "dataset=tox21,sider").out.count("was in the cache") == 2


def test_what_fails_is_named_and_the_others_are_fetched(
    cli: Command, own_cache: Path, shared: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "sider.csv.gz").write_bytes((shared / "data" / "sider.csv.gz").read_bytes())
    (mirror / "tox21.csv.gz").write_bytes(b"not what it should be")
    ended = cli("fetch", "dataset=tox21,sider", f"paths.mirror={mirror}")
    assert ended.code == 1
    assert "sider           copied from the mirror" in ended.out
    assert "tox21           failed: data set tox21 was not found" in ended.out
    assert "1 of 2 data sets could not be fetched: tox21" in ended.out
    assert [path.name for path in own_cache.iterdir() if path.is_file()] == ["sider.csv.gz"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["say what to fetch", "dataset=all"]),
        (["dataset=tox12"], ["unknown dataset 'tox12'", "Did you mean 'tox21'?"]),
        (["dataset=csv"], ["unknown dataset 'csv'"]),
        (["model=gin_msking"], ["unknown model", "Did you mean 'gin_masking'?"]),
        (["method=lp"], ["say what to fetch"]),
        (["dataset=esol", "seed=1"], ["unknown key 'seed'"]),
        (["esol"], ["unknown argument 'esol'"]),
    ],
)
def test_what_cannot_be_fetched(cli: Command, arguments: list[str], parts: list[str]) -> None:
    cli("fetch", *arguments).refused(*parts)


def test_the_list_says_size_tasks_metric_licence_and_where(cli: Command, own_cache: Path) -> None:
    text = cli("list", "datasets").out
    assert "1,128 rows  1 regression task  rmse (log mol/L)  bundled  licence: MIT (molmap 4.1)" in text
    assert "8,597 rows  617 classification tasks  roc_auc  not here  licence: not stated" in text
    assert "not here: downloaded by the first run that needs it, or ahead of time by roftbench fetch" in text
    cli("list", "datasets", "method=lp").refused("unknown key 'method'")
