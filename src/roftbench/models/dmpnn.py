"""Directed message passing of chemprop 2 (Yang et al. 2019; Heid et al. 2024), with the key names of its files.

Independent implementation, after the source of chemprop 2.3 (`nn/message_passing/base.py`, `nn/agg.py`). States belong
to directed edges:

    h⁰(u → v) = τ(W_i [x_u, e_uv])
    hᵗ(u → v) = τ(W_i [x_u, e_uv] + W_h Σ_w hᵗ⁻¹(w → u)), w ≠ v
    h(v) = τ(W_o [x_v, Σ_u hᵀ⁻¹(u → v)])

W_h is applied before the sum. Equal edges are one row, and so are equal nodes in W_o. W_i and W_o are applied to joined
vectors: a slice of a weight would cost a copy of the whole weight in the backward pass.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.packed import Batch
from roftbench.errors import check_choice
from roftbench.models.acceleration import Accelerated
from roftbench.models.chemprop_file import ACTIVATIONS, AGGREGATIONS, read_model
from roftbench.models.directed_edges import DirectedEdges
from roftbench.models.encoder import Nodes, Weights, is_hooked
from roftbench.models.multi_hot import KINDS, MultiHot, bond_kind

DEEPEST = 100  # steps; chemprop's own search ends at 6, and no weight of a file bounds what it states


class DMPNN(Accelerated):
    """Encoder of chemprop: directed message passing, aggregation and, if the file has one, its batch norm.

    Args:
        dim: width of the states, chemprop's `d_h`.
        depth: number of steps, 1 to 100, the first of them without messages.
        features: kind of atom and bond vectors: v1, v2, organic or rigr.
        bias: whether W_i and W_h have a bias.
        undirected: average the states of both directions of a bond before each step.
        dropout: probability of dropout after each activation.
        activation: relu, leakyrelu, leakyrelu0.01, prelu, tanh, elu, selu, gelu or silu.
        aggregation: mean, sum, or norm: the sum over `norm`.
        norm: divisor of the aggregation "norm".
        batch_norm: batch norm of the graph representations.
    """

    featurizer: ClassVar[str] = "chemprop"

    def __init__(
        self,
        dim: int = 300,
        depth: int = 3,
        features: str = "v2",
        bias: bool = False,
        undirected: bool = False,
        dropout: float = 0.0,
        activation: str = "relu",
        aggregation: str = "mean",
        norm: float = 100.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        if dim < 1 or not 1 <= depth <= DEEPEST or not 0 <= dropout < 1 or norm <= 0:
            allowed = f"dim ≥ 1, 1 ≤ depth ≤ {DEEPEST}, 0 ≤ dropout < 1, norm > 0"
            raise ValueError(f"{allowed}; got {dim}, {depth}, {dropout}, {norm}")
        check_choice("features", features, KINDS)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("aggregation", aggregation, AGGREGATIONS.values())
        self.dim, self.depth, self.features, self.bias = dim, depth, features, bias
        self.undirected, self.dropout, self.activation = undirected, dropout, activation
        self.aggregation, self.norm, self.batch_norm = aggregation, norm, batch_norm
        self.vectors = MultiHot(features)
        self.W_i = nn.Linear(self.vectors.num_atom + self.vectors.num_bond, dim, bias)
        self.W_h = nn.Linear(dim, dim, bias)
        self.W_o = nn.Linear(self.vectors.num_atom + dim, dim)
        self.tau = ACTIVATIONS[activation]()
        self.bn = nn.BatchNorm1d(dim) if batch_norm else None

    def blocks(self) -> dict[str, nn.Module]:
        """Return "W_i", "W_h" (shared by all steps), "W_o" (with the parameter of prelu) and "bn" if there is one."""
        last = nn.ModuleList([self.W_o, self.tau])
        return {"W_i": self.W_i, "W_h": self.W_h, "W_o": last, **({} if self.bn is None else {"bn": self.bn})}

    def atom_inputs(self) -> list[nn.Module]:
        """Return the module that makes the atoms' vectors."""
        return [self.vectors]

    @classmethod
    def read(cls, content: bytes, what: str) -> Weights | None:
        """Return the weights of a chemprop file and its hyperparameters; raises as `read_model` does."""
        return read_model(content, what)

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` is the same before the last dropout."""
        drops = self.dropout > 0 and (self.W_i.training or self.W_h.training)
        # A hook on the vectors may tell equal atoms apart.
        share = batch.x.device.type == "cpu" and not (self.undirected or drops or is_hooked(self.vectors))
        edges = DirectedEdges.of(batch, self.depth, share=share)
        atoms = self.vectors(batch.x).to(self.W_o.weight.dtype)
        initial = self._initial(atoms, batch, edges.first)
        states = self._activate(initial.clone(), self.W_i)
        for again, messages in zip(edges.initial, edges.messages, strict=True):
            if self.undirected:
                states = (states + states[edges.reverse]) / 2
            sums = messages(F.linear(states, self.W_h.weight))
            if self.W_h.bias is not None:
                sums = sums + self.W_h.bias
            states = self._activate(sums + again(initial), self.W_h)
        features = self.tau(self.W_o(torch.cat([atoms[edges.nodes], edges.entering(states)], dim=1)))
        if edges.every is not None:
            features = edges.every(features)
        return Nodes(out=F.dropout(features, self.dropout, self.W_o.training), features=features)

    def _initial(self, atoms: Tensor, batch: Batch, rows: Tensor) -> Tensor:
        """Return W_i of the vectors of some edges, [K, dim]."""
        sources, kinds = batch.edge_index[0][rows], bond_kind(batch.edge_attr[rows])
        vectors: Tensor = self.W_i(torch.cat([atoms[sources], self.vectors.bonds[kinds].to(atoms.dtype)], dim=1))
        return vectors

    def _activate(self, states: Tensor, block: nn.Module) -> Tensor:
        return F.dropout(self.tau(states), self.dropout, block.training)

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Return graph representations, [B, dim]: aggregated node states, after the batch norm if there is one."""
        how = "mean" if self.aggregation == "mean" else "sum"
        pooled = torch.segment_reduce(out, how, offsets=batch.node_ptr, axis=0)
        if self.aggregation == "norm":
            pooled = pooled / self.norm
        return pooled if self.bn is None else self.bn(pooled)
