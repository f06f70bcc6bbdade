"""GCN of MolCLR (Wang et al., Nature Machine Intelligence 2022), with the key names of its public file.

It has the atom and bond codes of Hu et al., one atom row and one bond row fewer, and scalar embeddings of bonds.
MolCLR's code computes the degree normalization of a GCN without using it, and so its file has none. The representation
is that of its fine-tuning code, a linear map `feat_lin` of the mean over the atoms. The projection head of the
pretraining is left out.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.color_refinement import Hop
from roftbench.data.packed import Batch
from roftbench.models.encoder import State
from roftbench.models.hu import NUM_BOND_TYPES, Convolution, HuEncoder, collect

NUM_ATOM_TYPES = 119  # atomic number - 1; the last row is the mask
PROJECTION = "out_lin."  # head of the contrastive pretraining


class MolCLRLayer(Convolution):
    """One convolution: h_i <- b + Σ_j (W h_j + e_ji · 1), j over the bonds that enter i and the self-loop.

    The embedding e_ji of a bond is one number, added to all dimensions.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(1)
        self.edge_embedding1 = nn.Embedding(NUM_BOND_TYPES - 1, 1)  # no row for masked bonds
        self.weight = nn.Parameter(torch.empty(dim, dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        nn.init.xavier_uniform_(self.weight)
        nn.init.xavier_uniform_(self.edge_embedding1.weight)

    def bond_tables(self) -> Tensor:
        """Return the embeddings of bond types and directions, [9, dim]; that of the masked bond is 0."""
        types = F.pad(self.edge_embedding1.weight, (0, 0, 0, 1))
        return torch.cat([types, self.edge_embedding2.weight]).expand(-1, len(self.bias)).contiguous()

    def begin(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return new node states [V, d] from h [U, d] and the bond counts [V, 9]."""
        return collect(h @ self.weight, self.bond_tables(), hop, counts) + self.bias


class MolCLRGCN(HuEncoder):
    """GCN encoder of MolCLR.

    Args:
        num_layers: number of convolutions.
        dim: width of the representations, the output of `feat_lin`.
        hidden: width of the node states.
        dropout: probability of dropout after each layer.
    """

    sync_free: ClassVar[bool] = True
    convolution = MolCLRLayer

    def __init__(self, num_layers: int = 5, dim: int = 512, hidden: int = 300, dropout: float = 0.0) -> None:
        super().__init__(num_layers, hidden, dropout)
        self.x_embedding1 = nn.Embedding(NUM_ATOM_TYPES, hidden)
        nn.init.xavier_uniform_(self.x_embedding1.weight)
        self.feat_lin = nn.Linear(hidden, dim)
        self.dim = dim

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed", "layer0", … and "feat_lin"."""
        return {**super().blocks(), "feat_lin": self.feat_lin}

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Return `feat_lin` of the mean over the atoms, [B, dim]."""
        z: Tensor = self.feat_lin(super().readout(out, batch))
        return z

    def translate(self, state: State) -> State:
        """Return the tensors of MolCLR's file without the projection head."""
        return {key: one for key, one in state.items() if not key.startswith(PROJECTION)}
