"""Kept models that were damaged or made up, and names, links and cells that mean something to someone else."""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from command import Command
from lab import FOREST, Lab, write_csv
from refusals import raises_usage

from roftbench.data.table import stream
from roftbench.data.table import text as texts
from roftbench.errors import UsageError
from roftbench.methods.forest import check_forest
from roftbench.predict.ensemble import load
from roftbench.predict.resumable_output import Output
from roftbench.predict.saved_model import DESCRIPTION, MOLECULES, WEIGHTS
from roftbench.predict.table import harmless
from roftbench.store import gzipped
from roftbench.store.checksums import digest, sha256
from roftbench.store.tensors import load_or_build, read_tensors, write_tensors

Facts = dict[str, Any]


def forged(folder: Path, change: Callable[[Facts, dict[str, torch.Tensor]], object]) -> None:
    """Change a saved model so that all its checksums agree."""
    facts = json.loads((folder / DESCRIPTION).read_text())
    weights, molecules = (read_tensors(folder / name)[0] for name in (WEIGHTS, MOLECULES))
    change(facts, weights)
    if isinstance(facts.get("job"), dict):
        facts["key"] = digest(facts["job"])
    text = json.dumps(facts)
    (folder / DESCRIPTION).write_text(text)
    for name, tensors in ((WEIGHTS, weights), (MOLECULES, molecules)):
        write_tensors(folder / name, tensors, {DESCRIPTION: sha256(text.encode())})


def model(lab: Lab, *overrides: str) -> Path:
    return lab.store.model_path(lab.done(*overrides, "run.keep=true").key)


def turned(weights: dict[str, torch.Tensor]) -> None:
    weights["0.left"][weights["0.left"] >= 0] = 0


FORGERIES: dict[str, Callable[[Facts, dict[str, torch.Tensor]], object]] = {
    "targets": lambda facts, _: facts.update(targets=5),
    "more targets": lambda facts, _: facts["targets"].append("b"),
    "scale": lambda facts, _: facts.update(scale=["x"]),
    "labels": lambda facts, _: facts.update(labels=[[]]),
    "spread of labels": lambda facts, _: facts["labels"][0].update(std="xxx"),
    "offset": lambda facts, _: facts.update(offset=[float("nan")]),
    "job": lambda facts, _: facts.update(job=[]),
    "dataset": lambda facts, _: facts["job"].update(dataset=None),
    "calibration": lambda facts, _: facts.update(calibration={"half_width": ["a"]}),
    "task": lambda facts, _: facts.update(task="ranking"),
    "kind": lambda facts, _: facts.update(kind=["network"]),
    "abstract": lambda facts, _: facts["job"]["method"].update(target="roftbench.methods.estimator.Estimator"),
    "parameters": lambda facts, _: facts["job"]["method"]["params"].update(n_estimators="many"),
    "no weights": lambda _, weights: weights.clear(),
    "circle": lambda _, weights: turned(weights),
}


def small(path: Path) -> tuple[str, ...]:
    """Write a table of 30 molecules and return the overrides of a job on it."""
    write_csv(path, {"smiles": ["C" * n for n in range(1, 31)], "y": [0.37 * n * n for n in range(30)]})
    return "dataset=csv", f"dataset.path={path}", "label_ratio=full", "split=random"


def test_a_forged_forest_is_one_message(lab: Lab, tmp_path: Path) -> None:
    folder = model(lab, *FOREST, "method.n_estimators=3", *small(tmp_path / "own.csv"))
    before = {name: (folder / name).read_bytes() for name in (DESCRIPTION, WEIGHTS, MOLECULES)}
    for change in FORGERIES.values():
        for name, content in before.items():
            (folder / name).write_bytes(content)
        forged(folder, change)
        with pytest.raises(UsageError, match=r"^[^\n]*$"):
            load(folder)


def test_a_forged_network_is_one_message_at_once(lab: Lab, cli: Command, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    folder = model(lab, *small(table), "method=full_ft")
    assert str(tmp_path) not in (folder / DESCRIPTION).read_text()
    forged(folder, lambda facts, _: facts["job"]["model"]["params"].update(num_layers=10_000_000))
    began = time.monotonic()
    cli("predict", f"model_dir={folder}", f"input={table}", "output=a.csv").refused("num_layers=10000000")
    assert time.monotonic() - began < 20


def test_a_forest_that_leads_nowhere_is_none() -> None:
    forest = {name: torch.zeros(2, dtype=torch.int32).numpy() for name in ("root", "feature", "threshold", "value")}
    good = {**forest, "left": torch.tensor([1, 1]).numpy(), "right": torch.tensor([0, 1]).numpy()}
    check_forest(good)
    for bad in (
        {"left": torch.tensor([1, 0]).numpy()},
        {"right": torch.tensor([0, 2]).numpy()},
        {"value": good["left"][:1]},
    ):
        with pytest.raises(ValueError, match="forest"):
            check_forest({**good, **bad})


def test_a_reference_in_a_name_is_a_name(cli: Command) -> None:
    cli("predict", "model_dir=a/${oc.env:HOME}", "input=b", "output=c.csv").refused("a/${oc.env:HOME}")


def test_an_odd_quote_in_a_long_head_takes_no_time() -> None:
    head = b'"' + b"C,1\n" * (texts.HEAD // 4)
    began = time.process_time()
    assert texts._whole_rows(head) == head
    assert texts._whole_rows(b"C,1\n" * 9 + head)[:36] == b"C,1\n" * 9
    assert time.process_time() - began < 2


def test_a_cache_that_takes_nothing_is_gone_without(caplog: pytest.LogCaptureFixture) -> None:
    tensors = {"a": torch.arange(3)}
    found, _ = load_or_build(Path("/proc/none/data/a.safetensors"), lambda: (tensors, {}))
    assert found is tensors
    assert "continuing in memory" in caplog.text


def test_a_log_leads_nowhere_else(lab: Lab, cli: Command, tmp_path: Path) -> None:
    job, _ = lab.job("method=lp")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    log = lab.store.log_path(job.key)
    log.parent.mkdir(parents=True)
    log.symlink_to(victim)
    assert cli.run("method=lp").code == 0
    assert victim.read_text() == "mine"
    assert "lp" in log.read_text()


@pytest.mark.parametrize("ending", [".part", ".part.json", ".part.lock"])
def test_a_part_of_an_output_leads_nowhere_else(tmp_path: Path, ending: str) -> None:
    victim, link = tmp_path / "victim", tmp_path / f"a.csv{ending}"
    victim.write_text("mine")
    link.symlink_to(victim)
    with raises_usage("is a link", key=str(link)):
        Output(tmp_path / "a.csv", {}).__enter__()
    assert victim.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [link.name, "victim"]


def test_a_file_that_unpacks_to_more_than_is_plausible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzipped, "ALWAYS", 1 << 20)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"smiles,y\n" + b"CCO,1\n" * 1_000_000))
    began = time.process_time()
    with raises_usage("1,048,576"):
        stream.open_rows(path, None)
    assert time.process_time() - began < 2
    monkeypatch.setattr(gzipped, "ALWAYS", 1 << 23)
    assert stream.open_rows(path, None).count == 1_000_000


def test_cells_that_a_spreadsheet_would_compute_are_quoted_and_numbers_are_not() -> None:
    cells = ["=1+1", "+cmd", "-x", "@a", "\tb", "-1.5", "+3e-4", "CCO", "", "1-2"]
    assert harmless(cells) == ["'=1+1", "'+cmd", "'-x", "'@a", "'\tb", "-1.5", "+3e-4", "CCO", "", "1-2"]
