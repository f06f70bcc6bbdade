"""L2-SP: weight decay toward the starting point."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import mse_loss

from roftbench.errors import check_range
from roftbench.methods.base import Method, Step, head_shrinkage


@dataclass(frozen=True)
class L2SP(Method):
    """Penalty δ·½‖θ − θ⁰‖² over the encoder and δ·½‖w‖² over the head, δ = weight (Li et al., ICML 2018)."""

    weight: float = 0.01

    def __post_init__(self) -> None:
        check_range("weight", self.weight, 0)

    def penalty(self, step: Step) -> Tensor:
        """Return the weighted distance of the encoder from its pretrained weights, and that of the head from 0."""
        encoder = step.model.encoder.named_parameters(prefix="encoder")
        distances: list[Tensor] = [mse_loss(now, step.start[key], reduction="sum") for key, now in encoder]
        return self.weight * (0.5 * sum(distances) + head_shrinkage(step.model))
