"""`roftbench fetch`, what `roftbench list` then shows, and runs that fetch what they need."""

import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command import Command

from roftbench.config.dataset_specs import dataset_specs
from roftbench.config.model_cards import model_cards
from roftbench.models.config import PUBLISHED
from roftbench.models.gcn import GCN
from roftbench.store import downloads as sources
from roftbench.store.checksums import git_blob
from roftbench.store.wheels import is_package


@pytest.fixture
def own_cache(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without downloads; no network."""
    monkeypatch.setenv("ROFTBENCH_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("ROFTBENCH_OFFLINE", "1")
    return tmp_path / "own" / "downloads"


def presence(cli: Command, kind: str = "datasets") -> dict[str, str | None]:
    return {row["name"]: row["present"] for row in json.loads(cli("list", kind, "--json").out)}


def test_everything_from_a_mirror(cli: Command, own_cache: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = presence(cli)
    assert (before["esol"], before["tox21"], before["csv"]) == ("bundled", None, None)
    published = {name: spec for name, spec in dataset_specs().items() if spec and not is_package(spec.sources[-1])}
    words = [f"dataset={','.join(published)}", "model=gin_masking,scratch,gin"]
    ended = cli("fetch", *words, f"paths.mirror={shared / 'data'}")
    assert (ended.code, ended.err) == (0, "")
    said = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    assert said["tox21"] == "copied from the mirror"
    assert said["esol"] == said["gin_masking"] == "bundled, nothing to fetch"
    assert said["scratch"] == "random weights, nothing to fetch"
    assert said["gin"] == "a file of yours (model.checkpoint=FILE), nothing to fetch"
    wanted = {spec.file for spec in published.values() if "bundled" not in spec.sources}
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


def test_all_models_from_a_mirror_that_has_some(cli: Command, own_cache: Path, shared: Path, tmp_path: Path) -> None:
    """What is elsewhere fails with one message each; own checkpoints and random weights are no part of all."""
    here = {"gcn_contextpred", "gcn_supervised", "graphsage_supervised"}
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in here:
        (mirror / f"{name}.pth").symlink_to(shared / "checkpoints" / f"{name}.pth")
    ended = cli("fetch", "model=all", f"paths.mirror={mirror}")
    assert ended.code == 1
    said = dict(line.split(maxsplit=1) for line in ended.out.splitlines() if line[:1].isalpha())
    assert {name for name, text in said.items() if text == "copied from the mirror"} == here
    failed = {name for name, text in said.items() if text.startswith("failed: ")}
    published = {name for name, card in model_cards().items() if card.checkpoint == PUBLISHED}
    assert failed == published - here
    assert said["gin_masking"] == "bundled, nothing to fetch"
    assert not said.keys() & {"gin", "gcn", "graphsage", "gat", "scratch", "tiny_gin"}
    assert f"{len(failed)} of {len(published) + 2} models could not be fetched: admet_ai, " in ended.out
    assert "Run `roftbench fetch model=mole_bert` on a machine with network" in ended.out
    assert "Mole-BERT.pth (git blob id of its unpacked content: 1f8de843feb5b51e73488a95096283028820583e)" in ended.out
    after = presence(cli, "models")
    assert {name for name, place in after.items() if place == "cache"} == here
    assert (after["gin_masking"], after["gin"], after["mole_bert"]) == ("bundled", None, None)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A local address that serves the files of the folder `served`."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the overridden method's name)
            pass

    (tmp_path / "served").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "served")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def own_models(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A config folder with the published models `small` and `absent`, of which an address has the first."""
    monkeypatch.setenv("ROFTBENCH_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(sources, "WAITS", ())
    torch.save(GCN(2, 16).state_dict(), tmp_path / "served" / "small.pth")
    card = {
        "_target_": "roftbench.models.gcn.GCN", "num_layers": 2, "dim": 16, "dropout": 0.1, "checkpoint": "published",
        "pretraining": "both", "pretraining_data": "my data", "note": "of this note", "verified": False,
        "git_blob": git_blob((tmp_path / "served" / "small.pth").read_bytes()),
    }  # fmt: skip
    (tmp_path / "conf" / "model").mkdir(parents=True)
    for name in ("small", "absent"):
        places = ["cache", "mirror", f"{address}/{name}.pth"]
        own = {**card, "name": name, "summary": f"the {name} one", "file": f"{name}.pth", "sources": places}
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(yaml.safe_dump(own))
    return f"--config-dir={tmp_path / 'conf'}"


def test_a_checkpoint_is_downloaded_and_verified_by_its_git_blob_id(
    cli: Command, tmp_path: Path, own_models: str
) -> None:
    ended = cli("fetch", own_models, "model=absent,small")
    assert ended.code == 1
    assert "bytes, git blob id verified" in ended.out
    assert "small           downloaded" in ended.out
    assert "404 File not found" in ended.out
    assert "1 of 2 models could not be fetched: absent" in ended.out
    assert (tmp_path / "own" / "downloads" / "small.pth").is_file()
    assert cli("fetch", own_models, "model=small").out == "small           was in the cache\n"


def test_another_file_under_the_address_is_refused(cli: Command, tmp_path: Path, own_models: str) -> None:
    torch.save(GCN(2, 17).state_dict(), tmp_path / "served" / "small.pth")
    ended = cli("fetch", own_models, "model=small")
    assert ended.code == 1
    assert "its git blob id is" in ended.out
    assert not (tmp_path / "own" / "downloads" / "small.pth").exists()


def test_the_first_run_fetches_the_checkpoint_before_any_job(cli: Command, tmp_path: Path, own_models: str) -> None:
    words = ["model=small", own_models, "method=lp", "train.epochs=1"]
    ended = cli.run("-m", *words)
    assert ended.code == 0, ended
    assert "downloading model small from http://127.0.0.1" in ended.out.partition("job 1 of 1")[0]
    assert "model  small (pretraining: self-supervised and supervised)\n" in ended.out
    assert "warning  model small: not verified on the real file" in ended.out
    assert "warning  of this note" in ended.out
    [record] = cli.lab.store.load()
    model = record.job["model"]
    assert (model["sha256"], model["git_blob"]) == (None, git_blob((tmp_path / "served" / "small.pth").read_bytes()))
    assert "of this note" in record.warnings
    assert "downloading" not in cli.run(*words, "seed=1").out
    refused = cli.run("-m", "model=tiny_gin,absent", *words[1:])
    assert refused.code == 2
    assert refused.err.startswith("roftbench: model absent was not found:")
    assert len(cli.lab.store.load()) == 2


def test_a_damaged_checkpoint_in_the_cache_is_fetched_again_by_the_job(
    cli: Command, tmp_path: Path, own_models: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert cli("fetch", own_models, "model=small").code == 0
    path = tmp_path / "own" / "downloads" / "small.pth"
    path.write_bytes(path.read_bytes()[:1000])
    assert cli.run("model=small", own_models, "method=lp", "train.epochs=1").code == 0
    assert f"{path} is damaged or another file: its git blob id is" in caplog.text
    assert path.stat().st_size > 1000


def test_the_list_of_models_says_size_pretraining_license_where_and_verified(
    cli: Command, own_cache: Path, shared: Path, own_models: str
) -> None:
    words = (own_models, f"paths.mirror={shared / 'checkpoints'}")
    names = ("gcn_contextpred", "gin_attrmasking", "scratch", "mole_bert", "small")
    short = cli("list", "models", *words).out
    assert re.search(r"^gcn_contextpred +504,900  mirror +5-layer", short, re.MULTILINE)
    assert "\nnot here: downloaded by the first run that needs it, or ahead of time by roftbench fetch" in short
    text = " ".join(cli("list", "models", *names, *words).out.split())
    for part in (
        "504,900 parameters self-supervised pretraining: ZINC15 (2 million molecules) mirror",
        "benchmark labels seen in pretraining: none license: MIT (snap-",
        "license: MIT (snap-stanford/pretrain-gnns) verified",
        "license: MIT (snap-stanford/pretrain-gnns) not verified on the real file",
        "1,857,900 parameters no pretraining random weights",
        "git blob id of supervised_masking.pth",
        "self-supervised and supervised pretraining: my data not here",
        "benchmark labels seen in pretraining: unknown not verified on the real file of this note",
    ):
        assert part in text
    cli("list", "models", "method=lp").refused("unknown key 'method'")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["nothing to fetch is given", "dataset=all"]),
        (["dataset=tox12"], ["unknown dataset 'tox12'", "Did you mean 'tox21'?"]),
        (["dataset=csv"], ["unknown dataset 'csv'"]),
        (["model=gin_msking"], ["unknown model", "Did you mean 'gin_masking'?"]),
        (["method=lp"], ["nothing to fetch is given"]),
        (["dataset=esol", "seed=1"], ["unknown key 'seed'"]),
        (["esol"], ["unknown argument 'esol'"]),
    ],
)
def test_what_cannot_be_fetched(cli: Command, arguments: list[str], parts: list[str]) -> None:
    cli("fetch", *arguments).refused(*parts)


def test_the_list_says_size_tasks_metric_license_and_where(cli: Command, own_cache: Path) -> None:
    text = cli("list", "datasets").out
    assert "1,128 rows  1 regression task  rmse (log mol/L)  bundled  license: MIT (molmap 4.1)" in text
    assert "8,597 rows  617 classification tasks  roc_auc  not here  license: not stated" in text
    assert "not here: downloaded by the first run that needs it, or ahead of time by roftbench fetch" in text
    cli("list", "datasets", "method=lp").refused("unknown key 'method'")
