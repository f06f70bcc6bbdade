"""Parts of the networks of graphium (`roftbench.models.graphium`), including MiniMol."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.models.dropout import Dropout
from roftbench.models.segment_ops import Wiring, sum_runs, take

POSITIONAL = 32  # width of the positional encoding
MUP = 0.5  # factor of a virtual node's projection: width of the base model over width (muP)


class FC(nn.Sequential):
    """Linear map followed by optional layer norm, dropout and activation."""

    def __init__(
        self, in_dim: int, out_dim: int, *, norm: bool = True, dropout: float = 0.0, activation: nn.Module | None = None
    ) -> None:
        parts: dict[str, nn.Module] = {"linear": nn.Linear(in_dim, out_dim)}
        if norm:
            parts["normalization"] = nn.LayerNorm(out_dim)
        if dropout:
            parts["dropout"] = Dropout(dropout)
        if activation is not None:
            parts["activation"] = activation
        super().__init__(OrderedDict(parts))


class LaplacianEncoder(nn.Module):
    """Map from a set of (eigenvalue, eigenvector entry) pairs to a vector, [N, 8, 2] -> [N, 32]; zeros are padding."""

    def __init__(self, dropout: float, flip: bool) -> None:
        super().__init__()
        self.flip = flip
        self.linear_in = FC(2, 64, norm=False)
        self.pe_encoder = nn.Sequential(
            FC(64, 64, norm=False, dropout=dropout, activation=nn.ReLU()), FC(64, 64, norm=False)
        )
        self.post_mlp = nn.Sequential(FC(64, POSITIONAL, norm=False))

    def forward(self, vectors: Tensor, values: Tensor) -> Tensor:
        """Return encodings [N, 32] of eigenvectors and eigenvalues [N, 8]; training flips signs of eigenvalues."""
        if self.flip and self.training:
            values = values * (2 * torch.randint(2, (values.shape[1],), device=values.device) - 1)
        pairs = torch.stack([values, vectors], dim=2)
        encoded: Tensor = self.post_mlp(self.pe_encoder(self.linear_in(pairs)).sum(dim=1))
        return encoded


class VirtualNode(nn.Module):
    """One state per graph, updated from all of its nodes and added to each of them."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.fc_layer = FC(dim, dim, dropout=dropout, activation=nn.GELU())
        self.node_projection = nn.Linear(dim, dim)

    def forward(self, h: Tensor, state: Tensor, wiring: Wiring) -> tuple[Tensor, Tensor]:
        """Return new node states [N, d] and virtual nodes [B, d]; pooling is the mean times the log of the size."""
        pooled = sum_runs(h, wiring.owner, wiring.starts) * wiring.scale
        state = state + self.fc_layer(state + pooled)
        shift = self.node_projection(state * MUP)
        return h + take(shift, wiring.owner, wiring.nodes, wiring.starts), state


class Layer(nn.Module):
    """GINE convolution, h_i <- GELU(LN(MLP((1 + eps) h_i + Σ_j ReLU(h_j + W e_ji)))), and its virtual node.

    With edge_dim = 0 it is a GIN convolution without features of bonds and without ReLU: Σ_j h_j.
    """

    eps: Tensor

    def __init__(self, in_dim: int, out_dim: int, edge_dim: int, dropout: float, *, virtual_node: bool) -> None:
        super().__init__()
        self.widths = (in_dim, in_dim, out_dim)  # of the input, of the sum over neighbors, and of the output
        self.register_buffer("eps", torch.zeros(1))
        self.lin = nn.Linear(edge_dim, in_dim) if edge_dim else None
        self.nn = nn.Sequential(FC(in_dim, in_dim, activation=nn.GELU()), FC(in_dim, out_dim, norm=False))
        self.norm_layer = nn.LayerNorm(out_dim)
        self.dropout = Dropout(dropout)
        self.virtual_node = VirtualNode(out_dim, dropout) if virtual_node else None

    def forward(self, h: Tensor, edges: Tensor | None, kind: Tensor | None, wiring: Wiring) -> Tensor:
        """Return node states before dropout, [N, out_dim].

        Args:
            h: node states, [N, in_dim].
            edges: states of all edges, [E, d], or with `kind` those of each kind of edge, [K, d].
            kind: kind of each edge, [E].
            wiring: indices of the batch.
        """
        messages = take(h, wiring.source, wiring.by_source, wiring.entering)
        if self.lin is not None:
            bonds = self.lin(edges)
            messages = F.relu(messages + (bonds if kind is None else F.embedding(kind, bonds)))
        z = (1 + self.eps) * h + sum_runs(messages, wiring.target, wiring.entering)
        return F.gelu(self.norm_layer(self.nn(z)))
