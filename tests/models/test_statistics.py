"""Norms in evaluation mode that are differentiable in their running statistics."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from roftbench.models.statistics import DifferentiableStatistics

NORMS: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: nn.BatchNorm1d(5),
    "batch norm of sequences": lambda: nn.BatchNorm1d(5),
    "without weight and bias": lambda: nn.BatchNorm1d(5, affine=False),
    "instance norm": lambda: nn.InstanceNorm1d(5, affine=True, track_running_stats=True),
}


class Direct(nn.BatchNorm1d):
    """A norm that calls the operator beneath PyTorch's function."""

    def forward(self, x: Tensor) -> Tensor:
        values = (self.weight, self.bias, self.running_mean, self.running_var)
        return torch.batch_norm(x, *values, self.training, 0.1, self.eps, False)


class DirectInstance(nn.InstanceNorm1d):
    """The same for an instance norm, whose statistics in training are those of each molecule."""

    def forward(self, x: Tensor) -> Tensor:
        values = (self.weight, self.bias, self.running_mean, self.running_var)
        return torch.instance_norm(x, *values, self.training, 0.1, self.eps, False)


NORMS["the operator itself"] = lambda: Direct(5)
NORMS["the operator itself of an instance norm"] = lambda: DirectInstance(5, affine=True, track_running_stats=True)


def case(name: str) -> tuple[nn.Module, Tensor, dict[str, Tensor]]:
    """Return a norm in evaluation mode, its input, and its tensors with gradients where they are numbers."""
    torch.manual_seed(0)
    norm = NORMS[name]().double()
    x = torch.randn((7, 5, 3) if "sequences" in name or "instance norm" in name else (7, 5), dtype=torch.float64)
    norm.train()(2 * x + 1)
    state = {key: value.detach().clone() for key, value in norm.state_dict().items()}
    for value in state.values():
        value.requires_grad_(value.is_floating_point())
    return norm.eval(), x.requires_grad_(), state


@pytest.mark.parametrize("name", NORMS)
def test_the_output_is_that_of_the_norm(name: str) -> None:
    norm, x, state = case(name)
    with DifferentiableStatistics():
        found = functional_call(norm, state, (x,))
    torch.testing.assert_close(found, norm(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NORMS)
def test_every_gradient_is_that_of_a_central_difference(name: str) -> None:
    norm, x, state = case(name)
    keys = [key for key, value in state.items() if value.requires_grad]
    assert {"running_mean", "running_var"} <= set(keys)

    def output(x: Tensor, *values: Tensor) -> Tensor:
        with DifferentiableStatistics():
            return functional_call(norm, {**state, **dict(zip(keys, values, strict=True))}, (x,))

    assert torch.autograd.gradcheck(output, (x, *(state[key] for key in keys)), rtol=1e-6, atol=1e-8)


def test_other_calls_are_left_alone() -> None:
    """Batch statistics, and running ones without gradient, are PyTorch's own computation to the last bit."""
    torch.manual_seed(0)
    x = torch.randn(8, 5)
    for training in (True, False):
        ours, theirs = nn.BatchNorm1d(5).train(training), nn.BatchNorm1d(5).train(training)
        with DifferentiableStatistics():
            found = ours(x)
        assert torch.equal(found, theirs(x))
        assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))


def test_without_the_context_pytorch_refuses() -> None:
    norm, x, state = case("batch norm")
    with pytest.raises(RuntimeError, match="not differentiable"):
        functional_call(norm, state, (x,))
