"""GTOT: optimal transport between pretrained and tuned node states along the bonds."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from roftbench.data.packed import Batch
from roftbench.errors import check_range
from roftbench.methods.base import Method, Step

TOLERANCE = 1e-3  # largest change of a logarithm of a scaling with which the iterations end


@dataclass(frozen=True)
class GTOT(Method):
    """Penalty δ·½ Σ P·C, the mean over graphs, δ = weight (Zhang et al., IJCAI 2022, arXiv 2203.10453).

    C is the cosine distance between a pretrained and a tuned node state, where `feature_map` takes them. The plan P has
    mass on bonds and self-loops alone, uniform marginals, and entropy with the factor `epsilon`; gradients flow through
    the iterations of Sinkhorn.
    """

    weight: float = 1.0
    epsilon: float = 0.1
    iterations: int = 100

    def __post_init__(self) -> None:
        check_range("weight", self.weight, 0)
        check_range("epsilon", self.epsilon, 0.01)  # below, float32 loses the kernel of a distance of 1
        check_range("iterations", self.iterations, 1)

    def penalty(self, step: Step) -> Tensor:
        """Return the weighted mean cost of transport."""
        source, target = pairs(step.batch)
        before = step.pretrained_features()
        cost = 1 - cosine_similarity(before[source], step.nodes.features[target].to(before.dtype), dim=1)
        sizes = step.batch.node_ptr.diff()
        mass = (1 / sizes.to(cost.dtype)).repeat_interleave(sizes)
        plan = transport(cost, source, target, mass, self.epsilon, self.iterations)
        return self.weight * 0.5 * (plan * cost).sum() / step.batch.num_graphs


def pairs(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the nodes [E + N] between which mass may move: the ends of each bond, and each node with itself."""
    loops = torch.arange(len(batch.x), device=batch.x.device)
    source, target = batch.edge_index
    return torch.cat([source, loops]), torch.cat([target, loops])


def transport(cost: Tensor, source: Tensor, target: Tensor, mass: Tensor, epsilon: float, most: int) -> Tensor:
    """Return the mass [M] moved along pairs of given cost [M], with marginals `mass` [N] (Cuturi, NeurIPS 2013)."""
    kernel = torch.exp(-cost / epsilon)
    left, right = torch.ones_like(mass), torch.ones_like(mass)
    for _ in range(most):
        before = left
        left = mass / torch.zeros_like(mass).index_add(0, source, kernel * right[target])
        right = mass / torch.zeros_like(mass).index_add(0, target, kernel * left[source])
        if (left.detach() / before.detach()).log().abs().max() < TOLERANCE:
            break
    return left[source] * kernel * right[target]
