"""Larger weights, the same function: what was done to the bundled checkpoints, and its control, `scratch_rescaled`."""

from copy import deepcopy

import pytest
import torch
from command import Command
from graphs import SMILES, batch_of
from lab import Lab

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.models.encoder import Encoder
from roftbench.models.gin import GIN
from roftbench.models.rescaling import INPUT_SCALE, WEIGHT_SCALE, rescale
from roftbench.runner.loading import load_encoder


@pytest.mark.parametrize("num_layers", [1, 3])
def test_rescaling_leaves_the_function_as_it_was(num_layers: int) -> None:
    encoder = GIN(num_layers, dim=32, dropout=0.0).double()
    batch = batch_of(SMILES[:5])
    for norm in encoder.batch_norms:  # the guard against zero variance does not scale along
        norm.eps = 1e-60
    encoder(batch)  # running statistics that are not the initial ones
    larger = deepcopy(encoder)
    rescale(larger)
    assert torch.allclose(larger.gnns[0].mlp[0].weight, 20 * encoder.gnns[0].mlp[0].weight)
    assert torch.allclose(larger.x_embedding1.weight, 10 * encoder.x_embedding1.weight)
    for training in (False, True):
        expected, found = (network.train(training)(batch).out for network in (encoder, larger))
        assert torch.allclose(found, expected, atol=1e-9), training
    rescale(larger, 1 / WEIGHT_SCALE, 1 / INPUT_SCALE)
    assert torch.allclose(larger.gnns[0].mlp[0].weight, encoder.gnns[0].mlp[0].weight)
    assert torch.allclose(larger.eval()(batch).out, encoder.eval()(batch).out, atol=1e-9)


def encoder_of(given: tuple[Job, RunContext]) -> Encoder:
    return load_encoder(*given)


@pytest.mark.parametrize("seed", [0, 1])
def test_rescaled_random_weights_are_those_of_scratch_multiplied(lab: Lab, seed: int) -> None:
    scratch, larger = (encoder_of(lab.job(f"model={name}", f"seed={seed}")) for name in ("scratch", "scratch_rescaled"))
    rescale(scratch)  # type: ignore[arg-type]
    expected, found = scratch.state_dict(), larger.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_any_random_gin_can_be_rescaled(lab: Lab) -> None:
    plain, larger = (encoder_of(lab.job("model=tiny_gin", *more)) for more in ((), ("model.rescale=true",)))
    ratio = larger.state_dict()["gnns.0.mlp.0.weight"] / plain.state_dict()["gnns.0.mlp.0.weight"]
    assert torch.allclose(ratio, torch.tensor(WEIGHT_SCALE))


def test_rescaled_jobs_have_keys_of_their_own_and_others_keep_theirs(lab: Lab) -> None:
    job, larger = (lab.job(f"model={name}")[0] for name in ("scratch", "scratch_rescaled"))
    assert "rescale" not in job.identity()["model"]["params"]
    assert larger.identity()["model"]["params"]["rescale"] is True


def test_a_checkpoint_cannot_be_rescaled(cli: Command) -> None:
    ended = cli("run", "model=gin_masking", "+model.rescale=true", "method=lp", "dataset=esol")
    assert ended.code != 0
    assert "model.rescale=false" in ended.err
    assert "Traceback" not in ended.err
    assert not list(cli.lab.results.rglob("*.json"))
