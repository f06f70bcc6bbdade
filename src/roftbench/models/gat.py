"""Graph attention network with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.color_refinement import Hop
from roftbench.models.hu import Convolution, HuEncoder, bond_kinds

HEADS = 2
SLOPE = 0.2  # of the leaky ReLU for negative input


class GATLayer(Convolution):
    """One convolution: h_i <- b + mean over heads of Σ_j α_ij (z_j + e_ji), j over the bonds that enter i and the loop.

    z = W h and the bond embeddings have d values per head. α_i is the softmax over j of LeakyReLU(a · [z_i, z_j +
    e_ji]). The public code normalizes over the first row of the edge list, which holds the receiving node in the
    release of PyTorch Geometric that it was written for (1.0.3).
    """

    weight_linear: nn.Linear

    def __init__(self, dim: int) -> None:
        super().__init__(HEADS * dim, weight_linear=nn.Linear(dim, HEADS * dim))
        self.att = nn.Parameter(torch.empty(1, HEADS, 2 * dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        bound = math.sqrt(6 / (HEADS + 2 * dim))
        nn.init.uniform_(self.att, -bound, bound)

    @staticmethod
    def count(hop: Hop, dtype: torch.dtype) -> Tensor:
        """Return type and direction of each message's bond, one-hot, [M, 9]; each layer weights every bond."""
        kind, kinds = bond_kinds(hop, dtype)
        return kinds[kind]

    def begin(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return new node states [V, d] from h [U, d] and the kinds of the bonds [M, 9]."""
        z = self.weight_linear(h).view(len(h), HEADS, -1)
        tables = self.bond_tables()
        tables = tables.view(len(tables), HEADS, -1)
        weights = self._attention(z, tables, counts, hop)
        heads = [
            _weighted_sum(z[:, k].contiguous(), tables[:, k], counts, weights[:, k].contiguous(), hop)
            for k in range(HEADS)
        ]
        return torch.stack(heads).mean(dim=0) + self.bias

    def _attention(self, z: Tensor, tables: Tensor, counts: Tensor, hop: Hop) -> Tensor:
        """Return α of every message, [M, heads], from z and tables [·, heads, d].

        A score is the sum of a number per end and one per bond, so no [M, d] tensor is needed.
        """
        own, other = self.att.chunk(2, dim=-1)
        receives, sends, bond = (z * own).sum(-1), (z * other).sum(-1), (tables * other).sum(-1)
        entered = torch.repeat_interleave(hop.offsets.diff(), output_size=len(hop.source))
        before = hop.source[hop.offsets[:-1]][entered]  # state of the receiving node, whose own message comes first
        scores = F.leaky_relu(F.embedding(before, receives) + F.embedding(hop.source, sends) + counts @ bond, SLOPE)
        with torch.no_grad():  # leaves the softmax as it is, and keeps exp() from overflowing
            largest = torch.segment_reduce(scores, "max", offsets=hop.offsets, axis=0)
        powers = (scores - largest[entered]).exp()
        return powers / F.embedding(entered, torch.segment_reduce(powers, "sum", offsets=hop.offsets, axis=0))


def _weighted_sum(z: Tensor, tables: Tensor, counts: Tensor, weights: Tensor, hop: Hop) -> Tensor:
    """Return Σ_j α_ij (z_j + e_ji) of one head, [V, d].

    z [U, d]; tables [9, d]; counts [M, 9], the kinds of the bonds; weights [M], α of the messages.
    """
    neighbors = F.embedding_bag(hop.source, z, hop.offsets[:-1], mode="sum", per_sample_weights=weights)
    bonds = torch.segment_reduce(counts * weights[:, None], "sum", offsets=hop.offsets, axis=0)
    return torch.addmm(neighbors, bonds, tables)


class GAT(HuEncoder):
    """GAT encoder of Hu et al., with two heads per layer."""

    sync_free: ClassVar[bool] = True
    convolution = GATLayer
