"""Parts of GraphGPS (`roftbench.models.graphgps`): gated graph convolution and attention within each graph."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.packed import Batch
from roftbench.models.dropout import Dropout
from roftbench.models.segment_ops import Wiring, sum_runs, take

GATE_EPS = 1e-6


@dataclass(frozen=True)
class Padding:
    """Positions of the N nodes of B graphs in a padded table [B, M], where M is the size of the largest graph.

    Attributes:
        position: row of each node in the flattened table, [N].
        mask: whether a row holds a node, [B, 1, 1, M].
    """

    position: Tensor
    mask: Tensor

    @classmethod
    def of(cls, batch: Batch, wiring: Wiring) -> "Padding":
        """Return the padding of a batch."""
        size = batch.node_ptr.diff()
        width = int(size.max())
        mask = torch.arange(width, device=size.device) < size[:, None]
        return cls(wiring.owner * width + wiring.nodes - wiring.starts[wiring.owner], mask[:, None, None])

    def spread(self, rows: Tensor) -> Tensor:
        """Return rows [N, d] as a padded table [B, M, d], zero where there is no node."""
        graphs, width = self.mask.shape[0], self.mask.shape[-1]
        table = rows.new_zeros(graphs * width, rows.shape[1]).index_copy(0, self.position, rows)
        return table.view(graphs, width, -1)

    def collect(self, table: Tensor) -> Tensor:
        """Return the rows of the nodes, [N, d], of a padded table [B, M, d]."""
        return table.flatten(0, 1).index_select(0, self.position)


class GatedGCN(nn.Module):
    """Residual gated graph convolution (Bresson and Laurent, arXiv 1711.07553), with the key names of GraphGPS.

    ê_ji = D h_i + E h_j + C e_ji; h_i <- h_i + φ(BN(A h_i + Σ_j σ(ê_ji) B h_j / (Σ_j σ(ê_ji) + 1e-6)));
    e_ji <- e_ji + φ(BN(ê_ji)), φ the activation followed by dropout.
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.A, self.B, self.C, self.D, self.E = (nn.Linear(dim, dim) for _ in range(5))
        self.bn_node_x = nn.BatchNorm1d(dim)
        self.bn_edge_e = nn.BatchNorm1d(dim)
        self.dropout = Dropout(dropout)

    def forward(self, h: Tensor, e: Tensor, wiring: Wiring) -> tuple[Tensor, Tensor]:
        """Return new states of nodes [N, d] and edges [E, d]."""
        edges = torch.arange(len(e), device=e.device)
        gate = take(self.D(h), wiring.target, edges, wiring.entering) + self.C(e)
        gate = gate + take(self.E(h), wiring.source, wiring.by_source, wiring.entering)
        open_ = gate.sigmoid()
        passed = open_ * take(self.B(h), wiring.source, wiring.by_source, wiring.entering)
        total = sum_runs(open_, wiring.target, wiring.entering) + GATE_EPS
        update = self.A(h) + sum_runs(passed, wiring.target, wiring.entering) / total
        h = h + self.dropout(F.gelu(self.bn_node_x(update)))
        if len(e) > 0:  # batch norm fails without rows
            e = e + self.dropout(F.gelu(self.bn_edge_e(gate)))
        return h, e


class SelfAttention(nn.Module):
    """Multi-head attention among the nodes of each graph, with the key names of torch.nn.MultiheadAttention."""

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, h: Tensor, padding: Padding) -> Tensor:
        """Return new node states [N, d] from h [N, d]."""
        packed = padding.spread(F.linear(h, self.in_proj_weight, self.in_proj_bias))
        query, key, value = packed.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=padding.mask, dropout_p=dropout)
        out: Tensor = self.out_proj(padding.collect(mixed.transpose(1, 2).flatten(2)))
        return out


class GPSLayer(nn.Module):
    """Sum of convolution and attention, each with a residual and a batch norm, followed by a feed-forward block."""

    def __init__(self, dim: int, num_heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.local_model = GatedGCN(dim, dropout)
        self.self_attn = SelfAttention(dim, num_heads, attention_dropout)
        self.norm1_local, self.norm1_attn = nn.BatchNorm1d(dim), nn.BatchNorm1d(dim)
        self.ff_linear1, self.ff_linear2 = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        self.norm2 = nn.BatchNorm1d(dim)
        self.dropout = Dropout(dropout)

    def forward(self, h: Tensor, e: Tensor, wiring: Wiring, padding: Padding) -> tuple[Tensor, Tensor]:
        """Return new states of nodes [N, d] and edges [E, d]."""
        local, e = self.local_model(h, e, wiring)
        attended = h + self.dropout(self.self_attn(h, padding))
        h = self.norm1_local(local) + self.norm1_attn(attended)
        inner = self.dropout(F.gelu(self.ff_linear1(h)))
        return self.norm2(h + self.dropout(self.ff_linear2(inner))), e
