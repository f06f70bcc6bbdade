"""States of nodes that do not move: worked out once, and found again for any batch."""

import pytest
import torch
from lab import Lab
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.models.acceleration import shared_layers
from roftbench.runner.frozen_states import NodeStates
from roftbench.runner.network import NetworkExperiment


@pytest.fixture
def experiment(lab: Lab) -> NetworkExperiment:
    return lab.experiment("label_ratio=full")


def features(experiment: NetworkExperiment, batch: Batch) -> Tensor:
    found: Tensor = experiment.start.encoder(batch).features
    return found


def kept(experiment: NetworkExperiment, index: Tensor) -> NodeStates | None:
    layers = shared_layers(experiment.start.encoder)
    return NodeStates.of(experiment.objective, index, lambda batch: features(experiment, batch), layers)


def test_each_batch_gets_the_states_of_its_own_nodes(experiment: NetworkExperiment) -> None:
    index = torch.cat([experiment.objective.val, experiment.objective.train]).flip(0)
    assert len(index) > 512  # more than one batch of evaluation
    states = kept(experiment, index)
    assert states is not None
    assert not states.states.requires_grad
    for group in (index[:1], index[5:300:7], torch.cat([index[-3:], index[-3:], index[600:640]])):
        batch = experiment.objective.graphs.batch(group)
        torch.testing.assert_close(states(batch, group), features(experiment, batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spare", [0, -1])
def test_more_than_memory_should_hold_is_not_kept(
    experiment: NetworkExperiment, monkeypatch: pytest.MonkeyPatch, spare: int
) -> None:
    """Nor is room made for it."""
    index = experiment.objective.train
    num_bytes = int(experiment.objective.graphs.sizes[index.numpy()].sum()) * experiment.start.encoder.dim * 4
    monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", num_bytes + spare)
    made: list[int] = []
    new_empty = Tensor.new_empty
    monkeypatch.setattr(Tensor, "new_empty", lambda self, *given: made.append(1) or new_empty(self, *given))
    found = kept(experiment, index)
    assert (found is None) == (spare < 0)
    assert len(made) == 1 + spare


def test_other_graphs_have_no_states(experiment: NetworkExperiment) -> None:
    states = kept(experiment, experiment.objective.train)
    assert states is not None
    with pytest.raises(IndexError):
        states(experiment.objective.graphs.batch(experiment.objective.val), experiment.objective.val)
