"""Where fine-tuning starts, and what its encoder says of the molecules, found once."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from lab import Lab
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.models.acceleration import shared_layers
from roftbench.models.encoder import Nodes
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.objective import EVAL_BATCH


@pytest.fixture
def experiment(lab: Lab) -> NetworkExperiment:
    return lab.experiment("method=lp", "method.search=false")


def counted(experiment: NetworkExperiment, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the molecules that the encoder and its pretrained copy read from now on."""
    seen: list[int] = []

    def counting(forward: Callable[[Batch], Nodes], batch: Batch) -> Nodes:
        seen.append(len(batch.node_ptr) - 1)
        return forward(batch)

    for encoder in (experiment.model.encoder, experiment.start.encoder):
        monkeypatch.setattr(encoder, "forward", partial(counting, encoder.forward))
    return lambda: sum(seen)


def everything(experiment: NetworkExperiment) -> Tensor:
    order = torch.randperm(len(experiment.objective.y), generator=torch.Generator().manual_seed(3))
    assert len(order) > 2 * EVAL_BATCH
    return order


@pytest.mark.parametrize("still", [True, False])
def test_outputs_are_those_of_the_whole_network_bit_for_bit(experiment: NetworkExperiment, *, still: bool) -> None:
    model, order = experiment.model.eval(), everything(experiment)
    with torch.no_grad():
        model.head.weight += 1
        if not still:
            next(model.encoder.parameters()).mul_(2)
    for _ in range(2):
        whole = experiment.objective.outputs(model, order, shared_layers(model.encoder))
        assert torch.equal(experiment.start.outputs(model, order), whole)


def test_an_encoder_that_has_not_moved_reads_a_part_once(
    experiment: NetworkExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, order = experiment.model.eval(), everything(experiment)
    read = counted(experiment, monkeypatch)
    first, second = (experiment.start.representations(model, order) for _ in range(2))
    assert torch.equal(first, second)
    assert read() == len(order)
    experiment.start.representations(model, order[:7])
    assert read() == len(order) + 7


@pytest.mark.parametrize("moves", ["weight", "statistics"])
def test_an_encoder_that_has_moved_is_asked_again(experiment: NetworkExperiment, moves: str) -> None:
    model, part = experiment.model.eval(), experiment.objective.test
    before = experiment.start.representations(model, part).clone()
    named = dict(model.encoder.named_parameters() if moves == "weight" else model.encoder.named_buffers())
    key = next(name for name in named if moves == "weight" or name.endswith("running_var"))
    with torch.no_grad():
        named[key].mul_(2)
    assert not torch.allclose(experiment.start.representations(model, part), before)
    model.load_state_dict(experiment.start.state)
    assert torch.equal(experiment.start.representations(model, part), before)


@pytest.mark.parametrize("most_kept", [2**30, 0], ids=["kept", "too many to keep"])
def test_pretrained_states_of_nodes_are_worked_out_once(
    experiment: NetworkExperiment, monkeypatch: pytest.MonkeyPatch, most_kept: int
) -> None:
    """Also where training has moved the model itself, and where memory does not allow to keep them."""
    monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", most_kept)
    batches = experiment.objective.train.split(32)
    expected = [experiment.model.eval().encoder(experiment.objective.graphs.batch(index)).features for index in batches]
    calls: list[int] = []
    experiment.start.encoder.register_forward_hook(lambda *given: calls.append(given[1][0].num_graphs))
    with torch.no_grad():
        next(experiment.model.encoder.parameters()).mul_(2)
    for _ in range(2):
        for index, features in zip(batches, expected, strict=True):
            found = experiment.start.features(experiment.objective.graphs.batch(index), index)
            assert not found.requires_grad
            torch.testing.assert_close(found, features, rtol=1e-5, atol=1e-6)
    count = len(experiment.objective.train)
    assert sum(calls) == (count if most_kept else 3 * count)  # the first of three finds that they are too many


def test_an_empty_part_has_no_outputs_and_no_score(experiment: NetworkExperiment) -> None:
    nothing = experiment.objective.val[:0]
    outputs = experiment.start.outputs(experiment.model.eval(), nothing)
    assert outputs.shape == (0, 1)
    assert experiment.start.representations(experiment.model, nothing).shape == (0, experiment.model.encoder.dim)
    found = experiment.objective.scores(experiment.objective.to_predictions(outputs), nothing)
    assert found == dict.fromkeys(("rmse", "mae", "r2", "spearman", "pearson", "kendall"))


def test_linear_probing_reads_each_molecule_once(
    experiment: NetworkExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted(experiment, monkeypatch)
    experiment.work()
    assert read() == len(experiment.parts.train) + len(experiment.parts.val) + len(experiment.parts.test)
