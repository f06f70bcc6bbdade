"""Uniform soup: the mean of the weights of several fits."""

from collections.abc import Sequence
from dataclasses import dataclass

from roftbench.methods.base import Finished, Fitted
from roftbench.methods.ingredients import Ingredients
from roftbench.models.encoder import State


def mean_state(states: Sequence[State]) -> State:
    """Return the mean of state dicts, running statistics included; integers are those of the first."""
    first, *others = states
    return {
        key: sum((other[key] for other in others), start) / len(states) if start.is_floating_point() else start
        for key, start in first.items()
    }


@dataclass(frozen=True)
class UniformSoup(Ingredients):
    """Mean of the weights of all fits, head and running statistics included (Wortsman et al., ICML 2022)."""

    def combine(self, fits: Sequence[Fitted]) -> Finished:
        """Return the mean."""
        return Finished(mean_state([one.tuned for one in fits]))
