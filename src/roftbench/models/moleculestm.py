"""The graph encoder of MoleculeSTM (Liu et al., Nature Machine Intelligence 2023, arXiv 2212.10789).

It is a GIN of 5 layers of width 300 on the features of OGB, an independent implementation of the network of the
authors' training script. Issue 5 of chao1224/MoleculeSTM quotes a key name of the public file and the 4 rows of its
table of chiralities; the other names follow from the published class.
"""

from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.packed import Batch
from roftbench.models.encoder import Encoder, Nodes, Site, State
from roftbench.models.layers import check_sizes, layer_blocks, run_layers
from roftbench.models.ogb_embeddings import AtomEncoder, BondEncoder
from roftbench.models.segment_ops import Wiring, sum_runs, take

PREFIX = "molecule_node_model."  # prefix of the encoder's keys in the published file
UNUSED = "graph_pred_linear."  # head that was not pretrained


class STMLayer(nn.Module):
    """One convolution, h_i <- MLP((1 + eps) h_i + Σ_j ReLU(h_j + e_ji)), with a batch norm inside the MLP."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.BatchNorm1d(2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.eps = nn.Parameter(torch.zeros(1))
        self.bond_encoder = BondEncoder(dim)

    def forward(self, h: Tensor, edge_attr: Tensor, wiring: Wiring) -> Tensor:
        """Return new node states [N, d] from h [N, d] and bond classes [E, 3]."""
        neighbors = take(h, wiring.source, wiring.by_source, wiring.entering)
        messages = F.relu(neighbors + self.bond_encoder(edge_attr))
        out: Tensor = self.mlp((1 + self.eps) * h + sum_runs(messages, wiring.target, wiring.entering))
        return out


class MoleculeSTM(Encoder):
    """Atom embeddings, layers of convolution, batch norm, ReLU (except the last) and dropout; mean over the nodes."""

    featurizer: ClassVar[str] = "ogb"

    def __init__(self, num_layers: int = 5, dim: int = 300, dropout: float = 0.5) -> None:
        super().__init__()
        check_sizes(num_layers, dim, dropout)
        self.dim, self.dropout = dim, dropout
        self.atom_encoder = AtomEncoder(dim)
        self.gnns = nn.ModuleList(STMLayer(dim) for _ in range(num_layers))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(dim) for _ in range(num_layers))

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" (the atom tables) and "layer0", … (a convolution with its batch norms and bond tables)."""
        return {"embed": self.atom_encoder, **layer_blocks(self.gnns, self.batch_norms)}

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` is the last convolution's output, before its batch norm."""
        h, wiring = self.atom_encoder(batch.x), Wiring.of(batch)
        layers = [partial(layer, edge_attr=batch.edge_attr, wiring=wiring) for layer in self.gnns]
        return run_layers(h, layers, self.batch_norms, self.dropout)

    def sites(self) -> list[Site]:
        """Return each convolution with its MLP and batch norm."""
        widths = (self.dim, self.dim, self.dim)
        pairs: list[tuple[Any, nn.Module]] = list(zip(self.gnns, self.batch_norms, strict=True))
        return [Site(layer, layer, layer.mlp, norm, widths) for layer, norm in pairs]

    def atom_inputs(self) -> list[nn.Module]:
        """Return the atom tables."""
        return [self.atom_encoder]

    def translate(self, state: State) -> State:
        """Return the tensors of the published file under this encoder's names, without the untrained head."""
        return {key.removeprefix(PREFIX): tensor for key, tensor in state.items() if not key.startswith(UNUSED)}
