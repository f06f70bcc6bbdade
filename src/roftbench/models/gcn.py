"""The GCN with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from roftbench.data.packed import Batch
from roftbench.models.hu import Convolution, HuEncoder, count_bonds


class GCNLayer(Convolution):
    """One convolution: h_i <- Σ_j (d_j d_i)^(-1/2) (W h_j + b + e_ji), j over the bonds that enter i and the self-loop.

    d counts the bonds of an atom and its self-loop. The bond embedding is normalised with the message, but W does not
    act on it.
    """

    linear: nn.Linear

    def __init__(self, dim: int) -> None:
        super().__init__(dim, linear=nn.Linear(dim, dim))

    @staticmethod
    def count(batch: Batch, dtype: torch.dtype) -> Tensor:
        """Count the bonds that enter each node, [N, 9], one from node j as d_j^(-1/2)."""
        return count_bonds(batch, _scale(batch, dtype))

    def forward(self, h: Tensor, counts: Tensor, batch: Batch) -> Tensor:
        """Return new node states [N, d] from h [N, d] and the bond counts [N, 9]."""
        scale = _scale(batch, h.dtype)[:, None]
        return scale * self.collect(scale * self.linear(h), counts, batch)


class GCN(HuEncoder):
    """GCN encoder of Hu et al. Its files have the keys and shapes of the GraphSAGE files: only the checksum tells."""

    asks_nothing: ClassVar[bool] = True
    convolution = GCNLayer


def _scale(batch: Batch, dtype: torch.dtype) -> Tensor:
    """Return d^(-1/2) of each node, [N]. Bonds run both ways: as many leave a node as enter it."""
    return (batch.edge_ptr.diff() + 1).to(dtype).rsqrt()
