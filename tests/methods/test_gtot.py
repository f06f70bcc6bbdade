"""GTOT: its plan against Sinkhorn on dense matrices, graph by graph, and against a linear program."""

from typing import Any

import numpy as np
import pytest
import torch
from encoders import SMALL, SMILES, batch_for
from lab import Lab
from refusals import raises_usage
from scipy.optimize import linprog
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.methods.base import Step
from roftbench.methods.gtot import GTOT, pairs, transport
from roftbench.models.encoder import Nodes, Predictor, copy_state

EPSILON = 0.1


def graphs_of(batch: Batch) -> list[tuple[slice, Tensor]]:
    """Return the nodes of each graph and its adjacency with self-loops, [n, n]."""
    found = []
    for first, end in zip(batch.node_ptr[:-1].tolist(), batch.node_ptr[1:].tolist(), strict=True):
        inside = (batch.edge_index[0] >= first) & (batch.edge_index[0] < end)
        adjacency = torch.eye(end - first, dtype=torch.float64)
        adjacency[tuple(batch.edge_index[:, inside] - first)] = 1
        found.append((slice(first, end), adjacency))
    return found


def dense(before: Tensor, after: Tensor, adjacency: Tensor, iterations: int) -> Tensor:
    """Return ½ Σ P·C of a graph, by the loop of Cuturi on dense matrices."""
    n = len(before)
    unit = [one / one.norm(dim=1, keepdim=True) for one in (before, after)]
    cost = (1 - unit[0] @ unit[1].T) * adjacency
    kernel = torch.exp(-cost / EPSILON) * adjacency
    u, v, mass = torch.ones(n).double(), torch.ones(n).double(), torch.full((n,), 1 / n).double()
    for _ in range(iterations):
        u = mass / (kernel @ v)
        v = mass / (kernel.T @ u)
    return 0.5 * (u[:, None] * kernel * v * cost).sum()


@pytest.fixture
def step() -> Step:
    """Small molecules, single atoms and salts among them, with node states before and after a move, in float64."""
    torch.manual_seed(0)
    encoder = SMALL["gin"]()
    batch = batch_for(encoder, SMILES)
    before = torch.randn(len(batch.x), 6, dtype=torch.float64)
    after = (before + 0.7 * torch.randn_like(before)).requires_grad_()
    model = Predictor(encoder, 1)
    return Step(model, copy_state(model), batch, Nodes(after, after), after, lambda: before)


def test_penalty_and_gradient_are_those_of_dense_sinkhorn(step: Step) -> None:
    penalty = GTOT(weight=3.0).penalty(step)
    costs = [
        dense(step.pretrained_features()[nodes], step.nodes.features[nodes], adjacency, 200)
        for nodes, adjacency in graphs_of(step.batch)
    ]
    expected = 3.0 * torch.stack(costs).mean()
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-3)
    ours, theirs = (torch.autograd.grad(one, step.nodes.features)[0] for one in (penalty, expected))
    assert float((ours - theirs).norm() / theirs.norm()) < 5e-3


def test_plan_has_uniform_marginals_and_comes_near_the_linear_program(step: Step) -> None:
    """With little entropy the cost is that of the best plan, which HiGHS finds."""
    batch = step.batch
    source, target = pairs(batch)
    sizes = batch.node_ptr.diff()
    mass = (1 / sizes.double()).repeat_interleave(sizes)
    before, after = step.pretrained_features(), step.nodes.features.detach()
    cost = 1 - torch.cosine_similarity(before[source], after[target], dim=1)
    plan = transport(cost, source, target, mass, 0.01, 2000)
    sums = [torch.zeros_like(mass).index_add(0, ends, plan) for ends in (source, target)]
    torch.testing.assert_close(sums[1], mass)
    torch.testing.assert_close(sums[0], mass, rtol=5e-3, atol=0)
    rows = np.zeros((2 * len(mass), len(cost)))
    for offset, ends in ((0, source), (len(mass), target)):
        rows[offset + ends.numpy(), np.arange(len(cost))] = 1
    best = linprog(cost.numpy(), A_eq=rows, b_eq=np.tile(mass.numpy(), 2)).fun
    assert float((plan * cost).sum()) == pytest.approx(best, rel=0.02)
    assert best < float((mass * (cost[-len(mass) :])).sum())  # not every atom stays


def test_only_bonds_and_atoms_themselves_carry_mass(step: Step) -> None:
    source, target = pairs(step.batch)
    assert len(source) == step.batch.edge_index.shape[1] + len(step.batch.x)
    assert len(set(zip(source.tolist(), target.tolist(), strict=True))) == len(source)


def test_penalty_of_equal_states_is_near_zero(step: Step) -> None:
    """Entropy moves a little mass along bonds between unlike atoms."""
    before = step.pretrained_features()
    same = Step(step.model, step.start, step.batch, Nodes(before, before), before, lambda: before)
    assert 0 <= GTOT().penalty(same).item() < 0.2 * GTOT().penalty(step).item()


def test_job_with_weight_zero_has_the_numbers_of_full_fine_tuning(lab: Lab) -> None:
    full, zero, other = (
        lab.done(*given) for given in (["method=full_ft"], ["method=gtot", "method.weight=0"], ["method=gtot"])
    )
    assert [row.train_loss for row in zero.history] == pytest.approx([row.train_loss for row in full.history], rel=1e-5)
    assert other.history[-1].train_loss > full.history[-1].train_loss


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"epsilon": 0.0}, {"iterations": 0}])
def test_impossible_value_is_refused(wrong: Any) -> None:
    with raises_usage(key=next(iter(wrong))):
        GTOT(**wrong)
