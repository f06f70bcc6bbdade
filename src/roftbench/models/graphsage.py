"""GraphSAGE with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.color_refinement import Hop
from roftbench.models.hu import Convolution, HuEncoder, collect


class GraphSAGELayer(Convolution):
    """One convolution: h_i <- m_i / ‖m_i‖ with m_i = Σ_j (W h_j + b + e_ji), j over bonds that enter i and its loop.

    The authors take the mean over j instead of the sum; after the division by the length both are equal.
    """

    linear: nn.Linear

    def __init__(self, dim: int) -> None:
        super().__init__(dim, linear=nn.Linear(dim, dim))

    def begin(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return new node states [V, d], each of length 1, from h [U, d] and the bond counts [V, 9]."""
        return F.normalize(collect(self.linear(h), self.bond_tables(), hop, counts), dim=1)


class GraphSAGE(HuEncoder):
    """GraphSAGE encoder of Hu et al. Its files have the keys and shapes of the GCN files; only checksums differ."""

    sync_free: ClassVar[bool] = True
    convolution = GraphSAGELayer
