"""The graph attention network with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.packed import Batch
from roftbench.models.hu import NUM_BOND_TYPES, SELF_LOOP, Convolution, HuEncoder, bond_kinds

HEADS = 2
SLOPE = 0.2  # of the leaky ReLU, where its input is negative


class GATLayer(Convolution):
    """One convolution: h_i <- b + mean over heads of Σ_j α_ij (z_j + e_ji), j over the bonds that enter i and the loop.

    z = W h has a part of d values for each head, and so have the bond embeddings. α_i is the softmax over j of
    LeakyReLU(a · [z_i, z_j + e_ji]). The public code normalises over the first row of the edge list: in the release of
    PyTorch Geometric that it was written for (1.0.3) that row holds the receiving node, which is what is done here.
    """

    weight_linear: nn.Linear

    def __init__(self, dim: int) -> None:
        super().__init__(HEADS * dim, weight_linear=nn.Linear(dim, HEADS * dim))
        self.att = nn.Parameter(torch.empty(1, HEADS, 2 * dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        bound = math.sqrt(6 / (HEADS + 2 * dim))
        nn.init.uniform_(self.att, -bound, bound)

    @staticmethod
    def count(batch: Batch, dtype: torch.dtype) -> Tensor:
        """Return the kind of each bond as ones, [E, 9]: each layer weighs every bond anew."""
        kind, kinds = bond_kinds(batch, dtype)
        return kinds[kind]

    def forward(self, h: Tensor, counts: Tensor, batch: Batch) -> Tensor:
        """Return new node states [N, d] from h [N, d] and the kinds of the bonds [E, 9]."""
        z = self.weight_linear(h).view(len(h), HEADS, -1)
        tables = self.bond_tables()
        tables = tables.view(len(tables), HEADS, -1)
        bonds, loops = self._attention(z, tables, counts, batch)
        heads = [
            _weighted_sum(z[:, k].contiguous(), tables[:, k], counts, bonds[:, k], loops[:, k], batch)
            for k in range(HEADS)
        ]
        return torch.stack(heads).mean(dim=0) + self.bias

    def _attention(self, z: Tensor, tables: Tensor, counts: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return α of every bond, [E, heads], and of every self-loop, [N, heads], from z and tables [·, heads, d].

        A score is a sum of three numbers, one of each end and one of the bond, so that no [E, d] tensor is needed.
        """
        own, other = self.att.chunk(2, dim=-1)
        receives, sends, bond = (z * own).sum(-1), (z * other).sum(-1), (tables * other).sum(-1)
        source, target = batch.edge_index
        bonds = F.leaky_relu(F.embedding(target, receives) + F.embedding(source, sends) + counts @ bond, SLOPE)
        loops = F.leaky_relu(receives + sends + bond[SELF_LOOP] + bond[NUM_BOND_TYPES], SLOPE)
        with torch.no_grad():  # the softmax does not change with it, and exp() of a large score would overflow
            largest = torch.maximum(loops, torch.segment_reduce(bonds, "max", offsets=batch.edge_ptr, axis=0))
        bonds, loops = (bonds - largest[target]).exp(), (loops - largest).exp()
        total = loops + torch.segment_reduce(bonds, "sum", offsets=batch.edge_ptr, axis=0)
        return bonds / F.embedding(target, total), loops / total


def _weighted_sum(z: Tensor, tables: Tensor, counts: Tensor, bonds: Tensor, loops: Tensor, batch: Batch) -> Tensor:
    """Return Σ_j α_ij (z_j + e_ji) of one head, [N, d].

    z [N, d]; tables [9, d]; counts [E, 9], the kinds of the bonds; α of the bonds [E] and of the self-loops [N].
    """
    neighbours = F.embedding_bag(batch.edge_index[0], z, batch.edge_ptr[:-1], mode="sum", per_sample_weights=bonds)
    weights = torch.segment_reduce(counts * bonds[:, None], "sum", offsets=batch.edge_ptr, axis=0)
    loop = z + tables[SELF_LOOP] + tables[NUM_BOND_TYPES]
    return torch.addmm(neighbours + loops[:, None] * loop, weights, tables)


class GAT(HuEncoder):
    """GAT encoder of Hu et al., two heads a layer."""

    asks_nothing: ClassVar[bool] = True
    convolution = GATLayer
