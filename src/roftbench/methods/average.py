"""Averages of the weights along training."""

import torch

from roftbench.methods.step_rule import StepRule, Training
from roftbench.models.encoder import State


class Average(StepRule):
    """Averages of all tensors that a stage trains, running statistics included; integers are the present ones."""

    def __init__(self, training: Training) -> None:
        state = {key: tensor for key, tensor in training.model.state_dict().items() if key in training.moving}
        self._present = state  # the tensors of the model
        self._keys = [key for key, tensor in state.items() if tensor.is_floating_point()]
        self._now = [state[key] for key in self._keys]
        self._mean = [tensor.clone() for tensor in self._now]

    @torch.no_grad()
    def add(self, share: float) -> None:
        """Move the average toward the present tensors by a share of the distance; with share 1 onto them."""
        torch._foreach_lerp_(self._mean, self._now, share)

    def averaged(self) -> State:
        """Return the averages by key."""
        return {**self._present, **dict(zip(self._keys, self._mean, strict=True))}
