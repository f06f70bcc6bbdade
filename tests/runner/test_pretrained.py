"""Where fine-tuning starts, and what its encoder says of the molecules, found once."""

from collections.abc import Callable

import pytest
import torch
from lab import Lab
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.models.encoder import Nodes
from roftbench.runner.network import Workbench
from roftbench.runner.objective import EVAL_BATCH


@pytest.fixture
def bench(lab: Lab) -> Workbench:
    return lab.bench("method=lp", "method.search=false")


def counted(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the molecules that the encoder reads from now on."""
    seen = 0
    forward = bench.model.encoder.forward

    def counting(batch: Batch) -> Nodes:
        nonlocal seen
        seen += len(batch.node_ptr) - 1
        nodes: Nodes = forward(batch)
        return nodes

    monkeypatch.setattr(bench.model.encoder, "forward", counting)
    return lambda: seen


def everything(bench: Workbench) -> Tensor:
    order = torch.randperm(len(bench.problem.y), generator=torch.Generator().manual_seed(3))
    assert len(order) > 2 * EVAL_BATCH
    return order


@pytest.mark.parametrize("still", [True, False])
def test_outputs_are_those_of_the_whole_network_bit_for_bit(bench: Workbench, *, still: bool) -> None:
    model, order = bench.model.eval(), everything(bench)
    with torch.no_grad():
        model.head.weight += 1
        if not still:
            next(model.encoder.parameters()).mul_(2)
    for _ in range(2):
        whole = bench.problem.outputs(model, order, model.encoder.shared_layers())
        assert torch.equal(bench.start.outputs(model, order), whole)


def test_an_encoder_that_has_not_moved_reads_a_part_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    model, order = bench.model.eval(), everything(bench)
    read = counted(bench, monkeypatch)
    first, second = (bench.start.representations(model, order) for _ in range(2))
    assert torch.equal(first, second)
    assert read() == len(order)
    bench.start.representations(model, order[:7])
    assert read() == len(order) + 7


@pytest.mark.parametrize("moves", ["weight", "statistics"])
def test_an_encoder_that_has_moved_is_asked_again(bench: Workbench, moves: str) -> None:
    model, part = bench.model.eval(), bench.problem.test
    before = bench.start.representations(model, part).clone()
    named = dict(model.encoder.named_parameters() if moves == "weight" else model.encoder.named_buffers())
    key = next(name for name in named if moves == "weight" or name.endswith("running_var"))
    with torch.no_grad():
        named[key].mul_(2)
    assert not torch.allclose(bench.start.representations(model, part), before)
    model.load_state_dict(bench.start.state)
    assert torch.equal(bench.start.representations(model, part), before)


@pytest.mark.parametrize("most_kept", [2**30, 0], ids=["kept", "too many to keep"])
def test_pretrained_states_of_nodes_are_worked_out_once(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, most_kept: int
) -> None:
    """Also where training has moved the model itself, and where memory does not allow to keep them."""
    monkeypatch.setattr("roftbench.runner.frozen_states.MOST_KEPT", most_kept)
    batches = bench.problem.train.split(32)
    expected = [bench.model.eval().encoder(bench.problem.graphs.batch(index)).features for index in batches]
    calls: list[int] = []
    bench.start.encoder.register_forward_hook(lambda *given: calls.append(given[1][0].num_graphs))
    with torch.no_grad():
        next(bench.model.encoder.parameters()).mul_(2)
    for _ in range(2):
        for index, features in zip(batches, expected, strict=True):
            found = bench.start.features(bench.problem.graphs.batch(index), index)
            assert not found.requires_grad
            torch.testing.assert_close(found, features, rtol=1e-5, atol=1e-6)
    count = len(bench.problem.train)
    assert sum(calls) == (count if most_kept else 3 * count)  # the first of three finds that they are too many


def test_an_empty_part_has_no_outputs_and_no_score(bench: Workbench) -> None:
    nothing = bench.problem.val[:0]
    outputs = bench.start.outputs(bench.model.eval(), nothing)
    assert outputs.shape == (0, 1)
    assert bench.start.representations(bench.model, nothing).shape == (0, bench.model.encoder.dim)
    found = bench.problem.scores(bench.problem.to_predictions(outputs), nothing)
    assert found == dict.fromkeys(("rmse", "mae", "r2", "spearman"))


def test_linear_probing_reads_each_molecule_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    read = counted(bench, monkeypatch)
    bench.work()
    assert read() == len(bench.parts.train) + len(bench.parts.val) + len(bench.parts.test)
