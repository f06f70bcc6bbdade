"""GPF-plus: a mixture of trained vectors, which depends on the atom, is added to the input of the layers."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from roftbench.errors import check_range
from roftbench.methods.gpf import GPF


class Mixture(nn.Module):
    """x + softmax(W·x + b)·P for states x [N, d], with k vectors P [k, d] from Glorot's uniform distribution."""

    def __init__(self, width: int, prompts: int) -> None:
        super().__init__()
        self.p = nn.Parameter(nn.init.xavier_uniform_(torch.empty(prompts, width)))
        self.scores = nn.Linear(width, prompts)

    def forward(self, x: Tensor) -> Tensor:
        """Return the states with their prompts, [N, d]."""
        shift: Tensor = self.scores(x).softmax(dim=1) @ self.p
        return x + shift


@dataclass(frozen=True)
class GPFPlus(GPF):
    """x + softmax(W·x + b)·P with k = `prompts` vectors; see `GPF` (Fang et al., NeurIPS 2023)."""

    prompts: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("prompts", self.prompts, 1)

    def prompt(self, width: int) -> nn.Module:
        """Return the map from states [N, width] to states with prompts."""
        return Mixture(width, self.prompts)
