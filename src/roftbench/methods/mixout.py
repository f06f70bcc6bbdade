"""Mixout: dropout toward the pretrained weights."""

from dataclasses import dataclass

import torch
from torch import Tensor

from roftbench.errors import check_range
from roftbench.methods.base import Method
from roftbench.methods.step_rule import StepRule, Training
from roftbench.models.dropout import dropout


class _Mixing(StepRule):
    def __init__(self, training: Training, p: float) -> None:
        self._p = p
        self._matrices = [pair for pair in training.encoder_weights() if pair[0].dim() > 1 and p > 0]
        self._before: list[tuple[Tensor, Tensor]] = []  # weights and mask

    @torch.no_grad()
    def before_forward(self) -> None:
        self._before = []
        for now, start in self._matrices:
            mask = dropout(torch.ones_like(now), self._p, training=True)
            self._before.append((now.clone(), mask))
            now.copy_(start + mask * (now - start))

    @torch.no_grad()
    def before_update(self) -> None:
        for (now, _), (before, mask) in zip(self._matrices, self._before, strict=True):
            now.copy_(before)
            if now.grad is not None:
                now.grad.mul_(mask)


@dataclass(frozen=True)
class Mixout(Method):
    """Full fine-tuning in which each step replaces weights by pretrained ones at random (Lee et al., ICLR 2020).

    Each element of the encoder's matrices is, with probability p, that of θ⁰ in a step. The others lie
    θ⁰ + (θ − θ⁰)/(1 − p), so that the mean is θ, and their gradients have the same factor. Vectors, such as biases and
    norms, and the head are not mixed; dropout remains as the model has it. Validation uses θ.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        check_range("p", self.p, 0, 0.99)

    def step_rule(self, training: Training) -> StepRule:
        """Return the rule that mixes before each forward pass."""
        return _Mixing(training, self.p)
