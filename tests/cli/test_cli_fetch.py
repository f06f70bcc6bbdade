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
from golden import LONG, Golden

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
    wanted = {spec.file for spec in published.values() if "bundled" not in spec.sources}
    assert {path.name for path in own_cache.iterdir() if path.is_file()} == wanted
    after = presence(cli)
    assert {after[name] for name in ("tox21", "toxcast", "muv", "sider", "malaria", "cep")} == {"cache"}
    assert cli("fetch", "dataset=tox21,sider").code == 0  # without the mirror


def test_what_fails_is_named_and_the_others_are_fetched(
    cli: Command, own_cache: Path, shared: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "sider.csv.gz").write_bytes((shared / "data" / "sider.csv.gz").read_bytes())
    (mirror / "tox21.csv.gz").write_bytes(b"not what it should be")
    ended = cli("fetch", "dataset=tox21,sider", f"paths.mirror={mirror}")
    assert ended.code == 1
    assert ended.out.splitlines()[-1].endswith(": tox21")
    assert [path.name for path in own_cache.iterdir() if path.is_file()] == ["sider.csv.gz"]


def test_all_models_from_a_mirror_that_has_some(cli: Command, own_cache: Path, shared: Path, tmp_path: Path) -> None:
    """What is elsewhere fails with one message each; own checkpoints and random weights are no part of all."""
    here = {"gcn_contextpred", "gcn_supervised", "graphsage_supervised"}
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in here:
        (mirror / f"{name}.pth").symlink_to(shared / "checkpoints" / f"{name}.pth")
    [listed] = json.loads(cli("list", "models", "gcn_supervised", "--json", f"paths.mirror={mirror}").out)
    assert listed["present"] == "mirror"
    ended = cli("fetch", "model=all", f"paths.mirror={mirror}")
    assert ended.code == 1
    said = dict(line.split(maxsplit=1) for line in ended.out.splitlines() if line[:1].isalpha())
    failed = {name for name, text in said.items() if text.startswith("failed: ")}
    published = {name for name, card in model_cards().items() if card.checkpoint == PUBLISHED}
    assert failed == published - here
    assert not said.keys() & {"gin", "gcn", "graphsage", "gat", "scratch", "tiny_gin"}
    bundled = [card for card in model_cards().values() if str(card.checkpoint).startswith("bundled:")]
    assert ended.out.splitlines()[-1].startswith(f"{len(failed)} of {len(published) + len(bundled)} models")
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
    cli: Command, tmp_path: Path, own_models: str, address: str, golden: Golden
) -> None:
    downloads, mirror = tmp_path / "own" / "downloads", tmp_path / "mirror"
    ended = cli("fetch", own_models, "model=absent,small")
    assert ended.code == 1
    assert (downloads / "small.pth").is_file()
    again = cli("fetch", own_models, "model=small")
    mirror.mkdir()
    (downloads / "small.pth").rename(mirror / "small.pth")
    copied = cli("fetch", own_models, "model=small", f"paths.mirror={mirror}")
    assert (again.code, copied.code, (downloads / "small.pth").is_file()) == (0, 0, True)
    (mirror / "small.pth").write_bytes(b"another file")
    (downloads / "small.pth").unlink()
    torch.save(GCN(2, 17).state_dict(), tmp_path / "served" / "small.pth")
    other = cli("fetch", own_models, "model=small", f"paths.mirror={mirror}")
    assert (other.code, (downloads / "small.pth").exists()) == (1, False)
    text = "".join(one.out + one.err for one in (ended, again, copied, other)).replace(address, "http://ADDRESS")
    golden("fetch_download.txt", re.sub(r"\b[0-9a-f]{40}\b|[\d,]+(?= bytes)", "#", text))


def test_the_first_run_fetches_the_checkpoint_before_any_job(cli: Command, tmp_path: Path, own_models: str) -> None:
    words = ["model=small", own_models, "method=lp", "train.epochs=1"]
    ended = cli.run("-m", *words)
    assert ended.code == 0, ended
    assert "downloading" in ended.out.partition("job 1 of 1")[0]
    [record] = cli.lab.store.load()
    model = record.job["model"]
    assert (model["sha256"], model["git_blob"]) == (None, git_blob((tmp_path / "served" / "small.pth").read_bytes()))
    assert "of this note" in record.warnings
    assert "downloading" not in cli.run(*words, "seed=1").out
    refused = cli.run("-m", "model=tiny_gin,absent", *words[1:])
    assert refused.code == 2
    assert refused.err.startswith("roftbench: model absent ")
    assert len(cli.lab.store.load()) == 2


def test_a_damaged_checkpoint_in_the_cache_is_fetched_again_by_the_job(
    cli: Command, tmp_path: Path, own_models: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert cli("fetch", own_models, "model=small").code == 0
    path = tmp_path / "own" / "downloads" / "small.pth"
    path.write_bytes(path.read_bytes()[:1000])
    assert cli.run("model=small", own_models, "method=lp", "train.epochs=1").code == 0
    assert str(path) in caplog.text
    assert path.stat().st_size > 1000


def test_what_cannot_be_fetched(cli: Command, golden: Golden) -> None:
    words = ["", "dataset=tox12", "dataset=csv", "model=gin_msking", "method=lp", "dataset=esol seed=1", "esol"]
    calls = [("fetch", *one.split()) for one in words]
    calls += [("list", kind, "method=lp") for kind in ("models", "datasets")]
    messages = []
    for arguments in calls:
        ended = cli(*arguments)
        ended.refused()
        messages.append(f"$ roftbench {' '.join(arguments)}\n{LONG.sub('Allowed: …', ended.err)}")
    golden("refusals_fetch.txt", "".join(messages))
