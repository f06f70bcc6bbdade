"""Selective projection decay (SPD)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from roftbench.errors import check_range
from roftbench.methods.base import Method
from roftbench.methods.step_rule import StepRule, Training


class _Projection(StepRule):
    def __init__(self, training: Training, weight: float) -> None:
        self._weight = weight
        self._pairs = training.encoder_weights()
        with torch.no_grad():
            self._moved = [now - start for now, start in self._pairs]  # before the next step
            self._spare = [torch.empty_like(one) for one in self._moved]  # memory for those after it: new is slow
            self._norms = list(torch._foreach_norm(self._moved))

    @torch.no_grad()
    def after_update(self) -> None:
        inner = [_inner(now.grad, moved) for (now, _), moved in zip(self._pairs, self._moved, strict=True)]
        for (now, start), moved in zip(self._pairs, self._spare, strict=True):
            torch.sub(now, start, out=moved)
        self._moved, self._spare = self._spare, self._moved
        before, self._norms = self._norms, list(torch._foreach_norm(self._moved))
        ratios = 1 - torch.stack(before) / torch.stack(self._norms)
        shares = self._weight * torch.where(torch.stack(inner) > 0, ratios.clamp(0, 1), 0)
        for i, share in enumerate(shares.tolist()):
            if share > 0:
                now, start = self._pairs[i]
                now.sub_(self._moved[i], alpha=share)
                torch.sub(now, start, out=self._moved[i])
                self._norms[i] = self._moved[i].norm()


def _inner(grad: Tensor | None, moved: Tensor) -> Tensor:
    return moved.new_zeros(()) if grad is None else torch.dot(grad.flatten(), moved.flatten())


@dataclass(frozen=True)
class SPD(Method):
    """Adam whose steps away from the start are shortened where the gradient points back to it (arXiv 2411.01713).

    For each encoder tensor with Σ g·(w − w⁰) > 0, the step's result w′ becomes w′ − λ·r·(w′ − w⁰) with
    r = 1 − ‖w − w⁰‖/‖w′ − w⁰‖, at least 0, and λ = weight.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        check_range("weight", self.weight, 0)

    def step_rule(self, training: Training) -> StepRule:
        """Return the rule that shortens steps."""
        return _Projection(training, self.weight)
