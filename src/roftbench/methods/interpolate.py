"""Interpolation between pretrained and fine-tuned weights, block by block."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from roftbench.methods.base import Fitted
from roftbench.models.encoder import HEAD, State

VARIANCE = "running_var"  # the name that PyTorch's norms give it
BUFFERS = ("interpolate", "finetuned")


class _Mixed(torch.autograd.Function):
    """start + α·(end − start), which is `moved`: its gradient for α needs one product of all elements."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, start: Tensor, end: Tensor, moved: Tensor) -> Tensor:
        ctx.save_for_backward(moved)
        return torch.lerp(start, end, alpha)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (moved,) = ctx.saved_tensors
        return (grads[0] * moved).sum(), None, None, None


def mix(fitted: Fitted, share: Mapping[str, Tensor], buffers: str) -> State:
    """Return (1 − α)·θ⁰ + α·θᶠ with the scalar α = share[block]; the head keeps its fine-tuned weights.

    Floating-point buffers (running statistics) are interpolated with the same α, and the gradient for α flows through
    them as well, or they stay those of θᶠ (`buffers: finetuned`). Integer buffers stay those of θᶠ. At α = 0 and 1 the
    ends come back bit for bit. Outside of [0, 1] a running variance stays at least 0: below, a batch norm would give
    NaN. A network is to be run on a state with gradients within `DifferentiableStatistics`.
    """
    state: State = {}
    # In the model's order: a file has another one, and the last bits of a coefficient's gradient follow from the order.
    for key, block in fitted.block_of.items():
        tuned, is_buffer = fitted.tuned[key], key in fitted.buffers
        fixed = is_buffer and (buffers == "finetuned" or key not in fitted.moved_buffers)
        if block == HEAD or fixed or not tuned.is_floating_point():
            state[key] = tuned
        else:
            alpha = share[block].to(tuned.device)
            mixed: Tensor = _Mixed.apply(alpha, fitted.start[key], tuned, fitted.moved[key])  # type: ignore[no-untyped-call]
            state[key] = mixed.clamp_min(0) if is_buffer and key.endswith(VARIANCE) else mixed
    return state
