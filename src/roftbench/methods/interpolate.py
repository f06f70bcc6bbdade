"""Interpolation between pretrained and fine-tuned weights, block by block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from roftbench.errors import check_choice, check_range
from roftbench.methods.base import Fitted, Method
from roftbench.models.encoder import ADDED, HEAD, State

VARIANCE = "running_var"  # name in PyTorch's norms
BUFFERS = ("interpolate", "finetuned")


@dataclass(frozen=True)
class Interpolation(Method):
    """Base of methods whose coefficients are set by one number.

    Attributes:
        alpha: share of the fine-tuned weights, in [0, 1].
        buffers: how running statistics are interpolated; see `mix`.
    """

    alpha: float = 0.5
    buffers: str = "interpolate"

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)
        check_choice("buffers", self.buffers, BUFFERS)


class _Mixed(torch.autograd.Function):
    """start + α·moved with moved = end − start; the gradient of α is one product over all elements."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, start: Tensor, end: Tensor, moved: Tensor) -> Tensor:
        ctx.save_for_backward(moved)
        return torch.lerp(start, end, alpha)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (moved,) = ctx.saved_tensors
        return (grads[0] * moved).sum(), None, None, None


def is_mixed(fitted: Fitted, key: str, buffers: str) -> bool:
    """Return whether `mix` interpolates the tensor of a key."""
    is_buffer = key in fitted.buffers
    fixed = is_buffer and (buffers == "finetuned" or key not in fitted.moved_buffers)
    return not (fitted.block_of[key] in (HEAD, ADDED) or fixed) and fitted.tuned[key].is_floating_point()


def mix(fitted: Fitted, share: Mapping[str, Tensor], buffers: str) -> State:
    """Return the weights (1 − α)·θ⁰ + α·θᶠ, with a scalar α per block.

    The head, and what a method has added, keep their fine-tuned weights.

    At α = 0 and 1 the result equals θ⁰ and θᶠ bit for bit. Running variances are clamped at 0, because α outside of
    [0, 1] could make them negative, and a batch norm would then return NaN. Run a network on a state with gradients
    within `DifferentiableStatistics`.

    Args:
        fitted: weights before and after fine-tuning, θ⁰ and θᶠ.
        share: α by block, or by key, which comes first.
        buffers: "interpolate" for running statistics with the same α and with gradient, "finetuned" for those of θᶠ.
            Integer buffers are always those of θᶠ.
    """
    state: State = {}
    # In the order of the model, not of a file: the last bits of a coefficient's gradient depend on it.
    for key, block in fitted.block_of.items():
        tuned, is_buffer = fitted.tuned[key], key in fitted.buffers
        if not is_mixed(fitted, key, buffers):
            state[key] = tuned
        else:
            alpha = share[key if key in share else block].to(tuned.device)
            mixed: Tensor = _Mixed.apply(alpha, fitted.start[key], tuned, fitted.moved[key])  # type: ignore[no-untyped-call]
            state[key] = mixed.clamp_min(0) if is_buffer and key.endswith(VARIANCE) else mixed
    return state
