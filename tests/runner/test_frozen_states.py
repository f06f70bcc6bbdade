"""States of nodes that do not move: worked out once, and found again for any batch."""

import pytest
import torch
from lab import Lab
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.runner.frozen_states import NodeStates
from roftbench.runner.network import Workbench


@pytest.fixture
def bench(lab: Lab) -> Workbench:
    return lab.bench("label_ratio=full")


def features(bench: Workbench, batch: Batch) -> Tensor:
    found: Tensor = bench.start.encoder(batch).features
    return found


def kept(bench: Workbench, index: Tensor) -> NodeStates | None:
    layers = bench.start.encoder.shared_layers()
    return NodeStates.of(bench.problem, index, lambda batch: features(bench, batch), layers)


def test_each_batch_gets_the_states_of_its_own_nodes(bench: Workbench) -> None:
    index = torch.cat([bench.problem.val, bench.problem.train]).flip(0)
    assert len(index) > 512  # more than one batch of evaluation
    states = kept(bench, index)
    assert states is not None
    assert not states.states.requires_grad
    for group in (index[:1], index[5:300:7], torch.cat([index[-3:], index[-3:], index[600:640]])):
        batch = bench.problem.graphs.batch(group)
        torch.testing.assert_close(states(batch, group), features(bench, batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spare", [0, -1])
def test_more_than_memory_should_hold_is_not_kept(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, spare: int
) -> None:
    """Nor is room made for it."""
    index = bench.problem.train
    num_bytes = int(bench.problem.graphs.sizes[index.numpy()].sum()) * bench.start.encoder.dim * 4
    monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", num_bytes + spare)
    made: list[int] = []
    new_empty = Tensor.new_empty
    monkeypatch.setattr(Tensor, "new_empty", lambda self, *given: made.append(1) or new_empty(self, *given))
    found = kept(bench, index)
    assert (found is None) == (spare < 0)
    assert len(made) == 1 + spare


def test_other_graphs_have_no_states(bench: Workbench) -> None:
    states = kept(bench, bench.problem.train)
    assert states is not None
    with pytest.raises(IndexError):
        states(bench.problem.graphs.batch(bench.problem.val), bench.problem.val)
