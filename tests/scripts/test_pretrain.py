"""Pretraining: a killed run goes on where it stopped and ends with the very weights of an undisturbed one."""

import json
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file

from roftbench.data.featurize import smiles_to_graph
from roftbench.data.packed import PackedGraphs
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.gin import GIN

TAILS = [f"{a}{b}" for a in ("", "C", "CC", "O", "CO", "N", "CN", "S") for b in ("F", "Cl", "C#N", "C(N)=O", "C1CC1")]
# Real, easily made molecules that no benchmark holds, and one (phenol) that several hold.
SMILES = [f"c1cc(C{tail})c(CC{other})cc1Br" for tail in TAILS[:16] for other in TAILS] + ["Oc1ccccc1"]


def command(out: Path, smiles: Path) -> list[str]:
    script = ROOT / "scripts" / "pretrain.py"
    sizes = ["--steps", "6", "--every", "2", "--batch-size", "32", "--threads", "1", "--dropout", "0.5"]
    return [sys.executable, str(script), "--out", str(out), "--smiles", str(smiles), *sizes]


@pytest.mark.slow
def test_killed_pretraining_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    smiles = tmp_path / "smiles.txt"
    smiles.write_text("\n".join(SMILES))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with subprocess.Popen(
        command(killed, smiles), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if '"step": 4' in line:  # the state of step 2 is saved; that of step 4 is being saved
                process.kill()
    assert '"step": 4' in "".join(lines), lines
    whole.mkdir()
    for name in ("corpus.json", "corpus.safetensors"):
        shutil.copy(killed / name, whole / name)
    for out in (killed, whole):
        subprocess.run(command(out, smiles), check=True, capture_output=True, text=True)

    card = json.loads((whole / "encoder.json").read_text())
    counts = card["molecules"]
    assert counts["read"] == len(SMILES)
    assert counts["in a benchmark, left out"] >= 1  # phenol, and small fragments
    assert counts["kept, with fragments"] > len(SMILES)
    assert card["steps"] == 6
    assert card["final"]["step"] == 6
    states = [load_file(out / "encoder.safetensors") for out in (killed, whole)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    encoder = GIN()
    load_checkpoint(encoder, str(killed / "encoder.safetensors"), None)
    assert torch.equal(encoder.state_dict()["gnns.4.mlp.0.weight"], states[0]["gnns.4.mlp.0.weight"])


def test_rescaling_leaves_the_function_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from pretrain import rescale

    encoder = GIN(num_layers=3, dim=32, dropout=0.0).double()
    batch = PackedGraphs.from_graphs(map(smiles_to_graph, ("CCO", "Oc1ccccc1", "CC(=O)Nc1ccc(Cl)cc1"))).batch(
        torch.arange(3)
    )
    for norm in encoder.batch_norms:  # the guard against zero variance does not scale along
        norm.eps = 1e-60
    encoder(batch)  # running statistics that are not the initial ones
    larger = deepcopy(encoder)
    rescale(larger)
    assert torch.allclose(larger.gnns[1].mlp[0].weight, 20 * encoder.gnns[1].mlp[0].weight)
    for training in (False, True):
        expected, found = (network.train(training)(batch).out for network in (encoder, larger))
        assert torch.allclose(found, expected, atol=1e-9), training
