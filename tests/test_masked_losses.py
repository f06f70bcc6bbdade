"""masked_loss() against torch's own losses on the labels that are there."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from roftbench.metrics import DEFAULT_LOSS, REGRESSION_LOSSES, masked_loss

NAN = float("nan")
REFERENCE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "rmse": lambda p, y: F.mse_loss(p, y).sqrt(),
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
    "bce": lambda p, y: F.binary_cross_entropy(p.sigmoid(), y),
}
LOSSES = list(REFERENCE)


def sample(name: str, shape: tuple[int, int], share_missing: float) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(7)
    outputs = (2 * torch.randn(shape, generator=rng, dtype=torch.float64)).requires_grad_()
    y = 3 * torch.randn(shape, generator=rng, dtype=torch.float64)
    y = (y > 0).double() if name == "bce" else y
    y[torch.rand(shape, generator=rng) < share_missing] = NAN
    return outputs, y


def test_every_loss_of_the_protocol_is_there() -> None:
    assert {*REGRESSION_LOSSES, "bce"} == set(LOSSES)
    assert DEFAULT_LOSS == {"regression": "rmse", "classification": "bce"}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("share_missing", [0.0, 0.4])
def test_value_and_gradient_are_those_of_the_labels_that_are_there(name: str, share_missing: float) -> None:
    outputs, y = sample(name, (32, 3), share_missing)
    there = ~torch.isnan(y)
    assert bool(there.all()) == (share_missing == 0)
    loss = masked_loss(name)(outputs, y)
    (gradient,) = torch.autograd.grad(loss, outputs)
    reference = REFERENCE[name](outputs[there], y[there])
    (expected,) = torch.autograd.grad(reference, outputs)
    torch.testing.assert_close(loss, reference)
    torch.testing.assert_close(gradient, expected)
    assert torch.equal(gradient[~there], torch.zeros(int((~there).sum()), dtype=torch.float64))


def test_rmse_is_one_root_over_the_batch_and_its_tasks() -> None:
    loss = masked_loss("rmse")(torch.tensor([[3.0, 0.0], [0.0, 9.0]]), torch.tensor([[0.0, 0.0], [NAN, NAN]]))
    assert loss.item() == pytest.approx((9 / 2) ** 0.5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_labels_gives_zero_and_a_zero_gradient(name: str) -> None:
    outputs = torch.randn(4, 2, requires_grad=True)
    loss = masked_loss(name)(outputs, torch.full((4, 2), NAN))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(outputs.grad, torch.zeros(4, 2))


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_error_gives_zero_and_a_zero_gradient(name: str, dtype: torch.dtype) -> None:
    y = torch.randn(5, 1, dtype=dtype)
    outputs = y.clone().requires_grad_()
    loss = masked_loss(name)(outputs, y)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(outputs.grad, torch.zeros(5, 1, dtype=dtype))


def test_the_guard_of_rmse_does_not_reach_small_errors() -> None:
    outputs = torch.tensor([[1e-6]], requires_grad=True)
    loss = masked_loss("rmse")(outputs, torch.zeros(1, 1))
    loss.backward()
    assert loss.item() == pytest.approx(1e-6)
    assert outputs.grad.item() == pytest.approx(1.0)


@pytest.mark.parametrize("name", LOSSES)
def test_a_network_that_has_diverged_is_not_taken_for_a_perfect_one(name: str) -> None:
    loss = masked_loss(name)(torch.tensor([[NAN], [0.5]]), torch.tensor([[1.0], [0.0]]))
    assert torch.isnan(loss)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_bce_takes_extreme_logits(logit: float) -> None:
    outputs = torch.tensor([[logit]], requires_grad=True)
    loss = masked_loss("bce")(outputs, torch.tensor([[float(logit < 0)]]))  # as wrong as can be
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    assert abs(outputs.grad.item()) == pytest.approx(1.0)
