"""Batch spectral shrinkage (BSS)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from roftbench.errors import check_range
from roftbench.methods.base import Method, Step, head_shrinkage


@dataclass(frozen=True)
class BSS(Method):
    """Penalty on the k smallest singular values of a batch's representations (Chen et al., NeurIPS 2019).

    It adds δ·Σ σ² over the k smallest singular values of z [B, d], and δ·½‖w‖² over the head, δ = weight.
    """

    weight: float = 0.001
    k: int = 1

    def __post_init__(self) -> None:
        check_range("weight", self.weight, 0)
        check_range("k", self.k, 1)

    def penalty(self, step: Step) -> Tensor:
        """Return the weighted penalty on the smallest singular values and the head."""
        tail: Tensor = torch.linalg.svdvals(step.z)[-self.k :].square().sum()
        return self.weight * (tail + head_shrinkage(step.model))
