"""Dropout with cheap masks on CPUs, where torch draws a double-precision number per element."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 1 << 16  # each element takes 16 random bits, a quarter of a draw of the generator


def dropout(h: Tensor, p: float, *, training: bool) -> Tensor:
    """Return h with each element set to 0 with probability p and the others scaled up, like `F.dropout`.

    On a CPU p is rounded to a multiple of 2⁻¹⁶. Random numbers come from torch's generator.
    """
    if not training or p == 0:
        return h
    return h * _mask(h, p) if h.device.type == "cpu" else F.dropout(h, p)


def relu_dropout_(h: Tensor, p: float, *, training: bool) -> Tensor:
    """Return `dropout` of relu(h), computed in place: h is overwritten."""
    if not training or p == 0:
        return F.relu(h, inplace=True)
    if h.device.type != "cpu":
        return F.dropout(F.relu(h, inplace=True), p)
    return _DroppedReLU.apply(h, _mask(h, p), _factor(p))  # type: ignore[no-any-return, no-untyped-call]


class _DroppedReLU(torch.autograd.Function):
    """relu(h · mask) in place; where the result is above 0 the mask is not 0, so the gradient needs no mask."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, mask: Tensor, factor: float) -> Tensor:
        h.mul_(mask).relu_()
        ctx.mark_dirty(h)
        ctx.save_for_backward(h)
        ctx.factor = factor
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (out,) = ctx.saved_tensors
        grad: Tensor = torch.ops.aten.threshold_backward(grads[0], out, 0)
        return grad.mul_(ctx.factor), None, None


def _mask(like: Tensor, p: float) -> Tensor:
    """Return a mask in the shape of a tensor: 0 with probability p, otherwise the factor that preserves the mean."""
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    # In place and in one type: a comparison that returns booleans takes seven times as long.
    return bits.ge_(_dropped(p) - LEVELS // 2).to(like.dtype).mul_(_factor(p))


def _dropped(p: float) -> int:
    """Return how many of the levels are dropped; at least one remains, so that the factor is finite."""
    return min(round(p * LEVELS), LEVELS - 1)


def _factor(p: float) -> float:
    return LEVELS / (LEVELS - _dropped(p))


class Dropout(nn.Module):
    """`dropout` as a module."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, h: Tensor) -> Tensor:
        """Return h with some elements set to 0 in training mode."""
        return dropout(h, self.p, training=self.training)
