"""The 5-layer, 300-d GIN with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

from torch import Tensor, nn

from roftbench.data.packed import Batch
from roftbench.models.hu import Convolution, HuEncoder


class GINLayer(Convolution):
    """One convolution: h_i <- MLP(h_i + e_loop + Σ_j (h_j + e_ji)), j over the bonds that enter i."""

    mlp: nn.Sequential

    def __init__(self, dim: int) -> None:
        super().__init__(dim, mlp=nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)))

    def forward(self, h: Tensor, counts: Tensor, batch: Batch) -> Tensor:
        """Return new node states [N, d] from h [N, d] and the bond counts [N, 9]."""
        out: Tensor = self.mlp(self.collect(h, counts, batch))
        return out


class GIN(HuEncoder):
    """GIN encoder of Hu et al."""

    convolution = GINLayer
