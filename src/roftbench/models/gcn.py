"""GCN with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from roftbench.data.color_refinement import Hop
from roftbench.models.hu import Convolution, HuEncoder, collect, count_bonds


class GCNLayer(Convolution):
    """One convolution: h_i <- Σ_j (d_j d_i)^(-1/2) (W h_j + b + e_ji), j over the bonds that enter i and the self-loop.

    d counts the bonds of an atom and its self-loop. Normalization applies to the bond embedding, W does not.
    """

    linear: nn.Linear

    def __init__(self, dim: int) -> None:
        super().__init__(dim, linear=nn.Linear(dim, dim))

    @staticmethod
    def count(hop: Hop, dtype: torch.dtype) -> Tensor:
        """Return the number of bonds that enter each node, [V, 9], one from node j counted as d_j^(-1/2)."""
        return count_bonds(hop, _scale(hop.degree, dtype))

    def begin(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return new node states [V, d] from h [U, d] and the bond counts [V, 9]."""
        sent = _scale(hop.degree, h.dtype)[:, None] * self.linear(h)
        return _scale(hop.offsets.diff(), h.dtype)[:, None] * collect(sent, self.bond_tables(), hop, counts)


class GCN(HuEncoder):
    """GCN encoder of Hu et al. Its files have the keys and shapes of the GraphSAGE files; only checksums differ."""

    sync_free: ClassVar[bool] = True
    convolution = GCNLayer


def _scale(degree: Tensor, dtype: torch.dtype) -> Tensor:
    """Return d^(-1/2) of each node, self-loop included."""
    return degree.to(dtype).rsqrt()
