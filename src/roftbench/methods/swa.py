"""Stochastic weight averaging (SWA)."""

import math
from dataclasses import dataclass

from roftbench.errors import check_range
from roftbench.methods.average import Average
from roftbench.methods.base import Method
from roftbench.methods.step_rule import StepRule, Training


class _Mean(Average):
    """Mean over the ends of the epochs from `first_epoch` on; until then the present tensors."""

    def __init__(self, training: Training, start: float) -> None:
        super().__init__(training)
        self.first_epoch = min(math.floor(start * training.epochs) + 1, training.epochs)

    def end_epoch(self, epoch: int) -> None:
        self.add(1 / max(epoch - self.first_epoch + 1, 1))


@dataclass(frozen=True)
class SWA(Method):
    """Full fine-tuning; the mean of the weights at the ends of its last epochs is kept (Izmailov et al., UAI 2018).

    The mean begins after the share `start` of the epochs. It grows by an epoch at a time, and the validation score
    chooses where it ends. The learning rate is constant, and running statistics are averaged as well.
    """

    start: float = 0.75

    def __post_init__(self) -> None:
        check_range("start", self.start, 0, 1)

    def step_rule(self, training: Training) -> StepRule:
        """Return the rule that averages after each of the last epochs."""
        return _Mean(training, self.start)
