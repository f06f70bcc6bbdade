"""Our optimizer against `torch.optim.Adam`, bit for bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from roftbench.methods.adam import Adam


def steps(make: Callable[[list[Tensor]], Adam | torch.optim.Adam]) -> list[Tensor]:
    """Return tensors after twelve steps in which the last one has no gradient every third time."""
    torch.manual_seed(0)
    values = [torch.randn(size, requires_grad=True) for size in ((7, 5), (13,), (), (64, 33))]
    optimizer = make(values)
    for number in range(12):
        optimizer.zero_grad()
        used = values[:-1] if number % 3 == 0 else values
        loss = torch.stack([(value.square() * torch.rand_like(value)).sum() for value in used]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return [value.detach() for value in values]


@pytest.mark.parametrize("fused", [True, None])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_same_bits_as_the_class(fused: bool | None, weight_decay: float) -> None:
    ours = steps(lambda values: Adam(values, 0.05, weight_decay, fused=fused))
    expected = steps(lambda values: torch.optim.Adam(values, lr=0.05, weight_decay=weight_decay, fused=fused))
    assert all(torch.equal(one, other) for one, other in zip(ours, expected, strict=True))


def test_nothing_to_do_without_gradients() -> None:
    value = torch.ones(3, requires_grad=True)
    optimizer = Adam([value], 0.1, fused=True)
    optimizer.zero_grad()
    optimizer.step()
    assert torch.equal(value, torch.ones(3))
