"""Pretraining: tasks are learned; a killed run goes on where it stopped, to the very weights of an undisturbed one."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lab import ROOT
from safetensors.torch import load_file

import roftbench
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.gin import GIN
from scripts.pretraining.corpus import build_corpus, load_corpus, save_corpus
from scripts.pretraining.molecules import ASSETS
from scripts.pretraining.targets import Substructures
from scripts.pretraining.tasks import TASKS
from scripts.pretraining.teacher import add_teacher
from scripts.pretraining.train import SHIFT, SIZE, generator, normalize, num_held_out, representation_size, start_from

TAILS = [f"{a}{b}" for a in ("", "C", "CC", "O", "CO", "N", "CN", "S") for b in ("F", "Cl", "C#N", "C(N)=O", "C1CC1")]
SMILES = [f"c1cc(C{tail})c(CC{other})cc1Br" for tail in TAILS[:8] for other in TAILS]


def command(task: str, corpus: Path, out: Path) -> list[str]:
    sizes = ["--steps", "6", "--every", "2", "--batch-size", "32", "--threads", "1", "--dropout", "0.5"]
    return [
        sys.executable,
        "-m",
        "scripts.pretraining.train",
        "--task",
        task,
        "--corpus",
        str(corpus),
        "--out",
        str(out),
        *sizes,
    ]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    save_corpus(build_corpus(list(SMILES), set(), {}), folder)
    add_teacher(folder, "gin_masking")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.whole
def test_killed_pretraining_goes_on_to_the_same_weights(task: str, corpus: Path, tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with subprocess.Popen(
        command(task, corpus, killed), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if '"step": 4' in line:  # the state of step 2 is saved; that of step 4 is being saved
                process.kill()
    assert '"step": 4' in "".join(lines), lines
    for out in (killed, whole):
        subprocess.run(command(task, corpus, out), cwd=ROOT, check=True, capture_output=True, text=True)

    card = json.loads((whole / "encoder.json").read_text())
    assert card["corpus"]["counts"]["molecules read"] == len(SMILES)
    assert card["steps"] == card["final"]["step"] == 6
    assert f"--task {task}" in card["command"]
    assert "supervised" in card["task"]
    states = [load_file(out / "encoder.safetensors") for out in (killed, whole)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    encoder = GIN()
    load_checkpoint(encoder, str(killed / "encoder.safetensors"), None)
    assert torch.equal(encoder.state_dict()["gnns.4.mlp.0.weight"], states[0]["gnns.4.mlp.0.weight"])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.whole
def test_task_is_learned(task: str, corpus: Path) -> None:
    """A few dozen steps on real molecules halve what a constant prediction leaves, or come near to it."""
    torch.manual_seed(0)
    data = load_corpus(corpus)
    model = TASKS[task](data)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for step in range(30):
        figures = model(data, torch.arange(64) + 64 * (step % 5), generator(0, step))
        optimizer.zero_grad()
        figures[0].backward()
        optimizer.step()
        losses.append(float(figures[0].detach()))
        assert len(figures) == len(model.figures)
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_teacher_is_the_models_embedding_and_goes_on_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["CCO", "CC(=O)Nc1ccc(O)cc1", "c1ccccc1CBr"]
    corpus = build_corpus(list(texts), set(), {}, kinds=[Substructures])
    assert corpus.targets.keys() == {"substructures"}
    save_corpus(replace(corpus, smiles=[*corpus.smiles[:-1], "nonsense"]), tmp_path)
    embed, calls = roftbench.embed, list[list[str]]()

    def interrupted(smiles: list[str], **options: Any) -> Any:
        calls.append(smiles)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return embed(smiles, **options)

    monkeypatch.setattr(roftbench, "embed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        add_teacher(tmp_path, "gin_masking", shard=2)
    assert "teacher" not in load_corpus(tmp_path).targets
    add_teacher(tmp_path, "gin_masking", shard=2)
    found = load_corpus(tmp_path)
    assert [*chain(*calls)] == [*found.smiles[:4], *found.smiles[2:]]  # the first two once, the interrupted two again
    expected = embed(found.smiles, model="gin_masking")
    assert np.isnan(expected[-1]).all()
    assert found.targets["teacher"].numpy() == pytest.approx(expected, abs=1e-3, nan_ok=True)
    assert found.info["teacher"]["model"] == "gin_masking"
    assert len(found.info["teacher"]["sha256"]) == 64
    assert not list(tmp_path.glob("gin_masking*"))


def test_molecules_that_the_teacher_cannot_read_have_no_part_in_its_error(corpus: Path) -> None:
    data = load_corpus(corpus)
    torch.manual_seed(0)
    model = TASKS["distilled"](data).eval()
    index = torch.arange(8)
    expected = model(data, index, generator(0)).detach()
    data.targets["teacher"][8:16] = torch.nan
    both = model(data, torch.arange(16), generator(0)).detach()
    assert float(both[1]) == pytest.approx(float(expected[1]), rel=1e-5)
    assert torch.isfinite(both).all()


@pytest.mark.parametrize(("name", "scale"), [("gin_masking", 20.0), ("gin_sup", 1.0)])
def test_training_starts_at_the_scale_that_the_weights_were_trained_at(name: str, scale: float) -> None:
    file = ASSETS / "checkpoints" / f"{name}.safetensors"
    encoder = GIN()
    start_from(encoder, file)
    key = "gnns.0.mlp.0.weight"
    assert torch.allclose(encoder.state_dict()[key] * scale, load_file(file)[key], rtol=1e-6)


def test_representations_are_scaled_and_shifted_and_keep_their_directions(corpus: Path) -> None:
    data = load_corpus(corpus)
    encoder = GIN(num_layers=2, dim=16)
    batch = data.graphs.batch(torch.arange(num_held_out(data)))
    before = encoder.readout(encoder.eval()(batch).out, batch).detach()
    size = representation_size(encoder, data)
    normalize(encoder, size)
    after = encoder.readout(encoder.eval()(batch).out, batch).detach() - SHIFT
    assert float(after.square().mean().sqrt()) == pytest.approx(SIZE, abs=1e-4)
    assert torch.allclose(after * size / SIZE, before, atol=1e-5)
