"""Interpolation between pretrained and fine-tuned weights, block by block."""

from collections.abc import Mapping

import torch
from torch import Tensor

from roftbench.methods.base import Fitted
from roftbench.models.encoder import HEAD, State

VARIANCE = "running_var"  # how PyTorch's norms call it
BUFFERS = ("interpolate", "finetuned")


def mix(fitted: Fitted, share: Mapping[str, Tensor], buffers: str) -> State:
    """Return (1 − α)·θ⁰ + α·θᶠ with the scalar α = share[block]; the head stays as it was tuned.

    Floating-point buffers (running statistics) get the same α, without gradient, or stay those of θᶠ
    (`buffers: finetuned`). Integer buffers stay those of θᶠ. At α = 0 and 1 the ends come back bit for bit. Outside of
    [0, 1] a running variance stays at least 0: below, a batch norm would give NaN.
    """
    state: State = {}
    # In the model's order: a file has another one, and the last bits of a coefficient's gradient follow from the order.
    for key, block in fitted.block_of.items():
        tuned, is_buffer = fitted.tuned[key], key in fitted.buffers
        if block == HEAD or not tuned.is_floating_point() or (is_buffer and buffers == "finetuned"):
            state[key] = tuned
        else:
            alpha = (share[block].detach() if is_buffer else share[block]).to(tuned.device)
            mixed = torch.lerp(fitted.start[key], tuned, alpha)
            state[key] = mixed.clamp_min(0) if is_buffer and key.endswith(VARIANCE) else mixed
    return state
