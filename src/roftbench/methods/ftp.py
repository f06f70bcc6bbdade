"""Fast trainable projection (FTP)."""

from dataclasses import dataclass

import torch

from roftbench.errors import check_range
from roftbench.methods.adam import Adam
from roftbench.methods.base import Method
from roftbench.methods.step_rule import StepRule, Training

LR = 0.01  # of the radius
LEAST = 1e-8  # radius of the first step; also keeps norms from zero


class _Projection(StepRule):
    def __init__(self, training: Training, k: float) -> None:
        self._pairs, self._k = training.encoder_weights(), k
        self._radii = [now.new_tensor(LEAST) for now, _ in self._pairs]
        self._units = [torch.zeros_like(now) for now, _ in self._pairs]  # moves of the last step over their norms
        self._adam = Adam(self._radii, LR)

    @torch.no_grad()
    def after_update(self) -> None:
        for (now, _), radius, unit in zip(self._pairs, self._radii, self._units, strict=True):
            grad = torch.zeros_like(radius) if now.grad is None else (now.grad * unit).sum()
            radius.grad = torch.where(grad > 0, self._k * grad, grad)
        self._adam.step()  # the first gradient is 0, and counts as a step
        for i, (now, start) in enumerate(self._pairs):
            rows = (now - start).reshape(len(now) if now.dim() > 1 else 1, -1)
            norms = rows.abs().sum(dim=1, keepdim=True) + LEAST
            self._radii[i].clamp_(norms.new_tensor(LEAST), norms.max())
            self._units[i] = (rows / norms).view_as(now)
            now.copy_(start + ((self._radii[i] / norms).clamp(0, 1) * rows).view_as(now))


@dataclass(frozen=True)
class FTP(Method):
    """Full fine-tuning with each encoder tensor projected near its start (Tian et al., NeurIPS 2023, arXiv 2310.19182).

    After a step to w̃, each row of a matrix, and each vector, is w⁰ + min(1, γ/‖w̃ − w⁰‖₁)·(w̃ − w⁰). Adam learns a γ per
    tensor during training, from the gradient Σ g·(w̃ − w⁰)/‖w̃ − w⁰‖₁ with w̃ of the step before, multiplied by `k` where
    γ would shrink.
    """

    k: float = 1.0

    def __post_init__(self) -> None:
        check_range("k", self.k, 0, 1)

    def step_rule(self, training: Training) -> StepRule:
        """Return the rule that projects after each step."""
        return _Projection(training, self.k)
