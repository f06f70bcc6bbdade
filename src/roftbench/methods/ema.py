"""Exponential moving average of the weights (EMA)."""

from dataclasses import dataclass

from roftbench.errors import check_range
from roftbench.methods.average import Average
from roftbench.methods.base import Method
from roftbench.methods.step_rule import StepRule, Training


class _Moving(Average):
    def __init__(self, training: Training, decay: float) -> None:
        super().__init__(training)
        self._share = 1 - decay

    def after_update(self) -> None:
        self.add(self._share)


@dataclass(frozen=True)
class EMA(Method):
    """Full fine-tuning of w, of which a ← d·a + (1 − d)·w after each step is validated and kept, d = decay.

    The average begins at the pretrained weights (Polyak and Juditsky, SIAM J. Control Optim. 1992). It includes running
    statistics. With d = 0 it is full fine-tuning.
    """

    decay: float = 0.99

    def __post_init__(self) -> None:
        check_range("decay", self.decay, 0, 1)

    def step_rule(self, training: Training) -> StepRule:
        """Return the rule that averages after each step."""
        return _Moving(training, self.decay)
