"""Feature-map regularization: node states are kept near the pretrained ones."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import mse_loss

from roftbench.errors import check_choice, check_range
from roftbench.methods.base import Method, Step, head_shrinkage


@dataclass(frozen=True)
class FeatureMap(Method):
    """Penalty δ·½‖h(G; θ) − h(G; θ⁰)‖² + δ·½‖w‖², δ = weight (DELTA without attention, Li et al., ICLR 2019).

    h are the node states of the last message passing, w the head. The distance is summed over the nodes and dimensions
    of a batch, as in the RoFt-Mol code; with reduction "mean" it is averaged.
    """

    weight: float = 0.001
    reduction: str = "sum"

    def __post_init__(self) -> None:
        check_range("weight", self.weight, 0)
        check_choice("reduction", self.reduction, ("sum", "mean"))

    def penalty(self, step: Step) -> Tensor:
        """Return the weighted distances of node states [N, d] from the pretrained ones and of the head from 0."""
        distance = mse_loss(step.nodes.features, step.pretrained_features(), reduction=self.reduction)
        return self.weight * (0.5 * distance + head_shrinkage(step.model))
