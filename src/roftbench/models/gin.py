"""GIN with bond embeddings of Hu et al. (ICLR 2020), 5 layers of width 300, with the key names of their files."""

from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.color_refinement import Hop
from roftbench.models.encoder import is_hooked
from roftbench.models.hu import Convolution, HuEncoder, collect
from roftbench.models.rescaling import rescale as enlarge

PRODUCT_FIRST = 1.2  # ratio of rows from which the product is cheaper before the sum, which is then twice as wide


class GINLayer(Convolution):
    """One convolution: h_i <- MLP(h_i + e_loop + Σ_j (h_j + e_ji)), j over the bonds that enter i."""

    mlp: nn.Sequential

    def __init__(self, dim: int) -> None:
        super().__init__(dim, mlp=nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)))

    @property
    def after_sum(self) -> nn.Module:
        """The first map of the MLP."""
        return self.mlp[0]

    def begin(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return the output of the MLP's ReLU, [V, 2d], from h [U, d] and the bond counts [V, 9].

        Sum and product commute, so the product is computed where there are fewer rows.
        """
        first: Any = self.mlp[0]
        if PRODUCT_FIRST * len(hop.degree) < len(counts) and not is_hooked(first):
            states, tables = F.linear(h, first.weight), F.linear(self.bond_tables(), first.weight)
            return F.relu(collect(states, tables, hop, counts).add_(first.bias), inplace=True)
        return F.relu(first(collect(h, self.bond_tables(), hop, counts)), inplace=True)

    def finish(self, states: Tensor) -> Tensor:
        """Return new node states [V, d] from the result of `begin`."""
        out: Tensor = self.mlp[2](states)
        return out


class GIN(HuEncoder):
    """GIN encoder of Hu et al.

    Args:
        num_layers: number of convolutions.
        dim: width of the node states.
        dropout: probability of dropout after each layer.
        rescale: enlarge the random weights like those of the bundled checkpoints (`roftbench.models.rescaling`), a
            control for the effect of their size alone. No checkpoint can be loaded then.
    """

    sync_free: ClassVar[bool] = True
    omitted_at_default: ClassVar[tuple[str, ...]] = ("rescale",)
    convolution = GINLayer

    def __init__(self, num_layers: int = 5, dim: int = 300, dropout: float = 0.5, rescale: bool = False) -> None:
        super().__init__(num_layers, dim, dropout)
        if rescale:
            enlarge(self)
            self.random_only = (
                "a checkpoint would replace the random weights that model.rescale=true has enlarged. Allowed:"
                " model.rescale=false with a checkpoint, or model.rescale=true with model.checkpoint=null."
            )
