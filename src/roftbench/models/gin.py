"""The 5-layer, 300-d GIN with bond embeddings of Hu et al. (ICLR 2020), with the key names of their files."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from roftbench.data.packed import Batch
from roftbench.models.encoder import Encoder, Nodes

NUM_ATOM_TYPES = 120  # atomic number - 1; the last row is the mask token of masking pretraining
NUM_CHIRALITIES = 3
NUM_BOND_TYPES = 6  # single, double, triple, aromatic, self-loop, mask
NUM_BOND_DIRECTIONS = 3
MASK_ATOM, SELF_LOOP, MASK_BOND = 119, 4, 5


class _NeighbourSum(torch.autograd.Function):
    """Sum the states of each node's neighbours: [N, d] -> [N, d].

    Bonds run both ways, so the adjacency is symmetric and the gradient is the same sum over the same lists.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, h: Tensor, source: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(source, offsets)
        return F.embedding_bag(source, h, offsets, mode="sum")

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None]:
        source, offsets = ctx.saved_tensors  # type: ignore[attr-defined]
        return F.embedding_bag(source, grads[0].contiguous(), offsets, mode="sum"), None, None


class GINLayer(nn.Module):
    """One convolution: h_i <- MLP(h_i + e_loop + Σ_j (h_j + e_ji)), j over the bonds that enter i.

    The bond embeddings do not depend on the node states, so their sum is a count of bond types times two small
    tables, and no [E, d] tensor is needed.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.edge_embedding1 = nn.Embedding(NUM_BOND_TYPES, dim)
        self.edge_embedding2 = nn.Embedding(NUM_BOND_DIRECTIONS, dim)
        nn.init.xavier_uniform_(self.edge_embedding1.weight)
        nn.init.xavier_uniform_(self.edge_embedding2.weight)

    def forward(self, h: Tensor, bond_counts: Tensor, batch: Batch) -> Tensor:
        """Return new node states [N, d] from h [N, d] and the counts of `count_bonds`."""
        tables = torch.cat([self.edge_embedding1.weight, self.edge_embedding2.weight])
        neighbours: Tensor = _NeighbourSum.apply(h, batch.edge_index[0], batch.edge_ptr[:-1])  # type: ignore[no-untyped-call]
        out: Tensor = self.mlp(torch.addmm(h + neighbours, bond_counts, tables))
        return out


class GIN(Encoder):
    """GIN encoder: sum of two atom embeddings, then layers of convolution, batch norm, ReLU (not last), dropout."""

    def __init__(self, num_layers: int = 5, dim: int = 300, dropout: float = 0.5) -> None:
        super().__init__()
        if num_layers < 1 or dim < 1 or not 0 <= dropout < 1:
            raise ValueError(f"num_layers ≥ 1, dim ≥ 1, 0 ≤ dropout < 1; got {num_layers}, {dim}, {dropout}")
        self.dim, self.dropout = dim, dropout
        self.x_embedding1 = nn.Embedding(NUM_ATOM_TYPES, dim)
        self.x_embedding2 = nn.Embedding(NUM_CHIRALITIES, dim)
        nn.init.xavier_uniform_(self.x_embedding1.weight)
        nn.init.xavier_uniform_(self.x_embedding2.weight)
        self.gnns = nn.ModuleList(GINLayer(dim) for _ in range(num_layers))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(dim) for _ in range(num_layers))

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" (both atom tables) and "layer0", … (a convolution with its batch norm)."""
        layers = zip(self.gnns, self.batch_norms, strict=True)
        return {
            "embed": nn.ModuleList([self.x_embedding1, self.x_embedding2]),
            **{f"layer{i}": nn.ModuleList(pair) for i, pair in enumerate(layers)},
        }

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` is the last convolution's output, before its batch norm."""
        h = self.x_embedding1(batch.x[:, 0]) + self.x_embedding2(batch.x[:, 1])
        features, bond_counts = h, count_bonds(batch, h.dtype)
        last = len(self.gnns) - 1
        for i, (conv, norm) in enumerate(zip(self.gnns, self.batch_norms, strict=True)):
            features = conv(h, bond_counts, batch)
            h = norm(features)
            # Each layer's mode decides its dropout, so that a frozen layer is silent while its neighbours train.
            h = F.dropout(h if i == last else F.relu(h), self.dropout, training=norm.training)
        return Nodes(out=h, features=features)


def count_bonds(batch: Batch, dtype: torch.dtype) -> Tensor:
    """Count the bonds that enter each node by type (6) and by direction (3), the self-loop included: [N, 9]."""
    num_nodes, target = len(batch.x), batch.edge_index[1]

    def count(index: Tensor, size: int) -> Tensor:
        return torch.bincount(target * size + index, minlength=num_nodes * size).view(num_nodes, size)

    counts = torch.cat(
        [count(batch.edge_attr[:, 0], NUM_BOND_TYPES), count(batch.edge_attr[:, 1], NUM_BOND_DIRECTIONS)],
        dim=1,
    )
    counts[:, SELF_LOOP] += 1
    counts[:, NUM_BOND_TYPES] += 1
    return counts.to(dtype)
