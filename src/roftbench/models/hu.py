"""What the encoders of Hu et al. (ICLR 2020) share: atom and bond tables, sums over neighbours, norms, blocks.

The key names are those of their public files, so that each loads as it is.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.packed import Batch
from roftbench.models.encoder import Encoder, Nodes
from roftbench.models.stack import check_sizes, layer_blocks, run_layers

NUM_ATOM_TYPES = 120  # atomic number - 1; the last row is the mask token of masking pretraining
NUM_CHIRALITIES = 3
NUM_BOND_TYPES = 6  # single, double, triple, aromatic, self-loop, mask
NUM_BOND_DIRECTIONS = 3
MASK_ATOM, SELF_LOOP, MASK_BOND = 119, 4, 5


class _Collect(torch.autograd.Function):
    """h_i + Σ_j h_j + (counts · tables)_i, j over the bonds that enter i: h [N, d], tables [K, d], counts [N, K].

    Bonds run both ways, so the adjacency is symmetric and the gradient is the same sum over the same lists.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, tables: Tensor, counts: Tensor, source: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(counts, source, offsets)
        return F.embedding_bag(source, h, offsets, mode="sum").add_(h).addmm_(counts, tables)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        counts, source, offsets = ctx.saved_tensors
        grad = grads[0].contiguous()
        states, tables, *_ = ctx.needs_input_grad
        return (
            F.embedding_bag(source, grad, offsets, mode="sum").add_(grad) if states else None,
            counts.T @ grad if tables else None,
            None,
            None,
            None,
        )


def as_autocast(*tensors: Tensor) -> list[Tensor]:
    """Return tensors in the type that autocast wants where it is on: it does not see into our own functions."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return list(tensors)
    return [tensor.to(torch.get_autocast_dtype(device)) for tensor in tensors]


class Convolution(nn.Module, ABC):
    """One message passing step with embeddings of bonds; each kind of encoder has its own.

    The bond embeddings do not depend on the node states, so their sum is a count of bonds times two small tables, and
    no [E, d] tensor is needed.
    """

    def __init__(self, width: int, **parts: nn.Module) -> None:
        """Take the modules that transform node states, then make the bond tables, `width` wide."""
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.edge_embedding1 = nn.Embedding(NUM_BOND_TYPES, width)
        self.edge_embedding2 = nn.Embedding(NUM_BOND_DIRECTIONS, width)
        nn.init.xavier_uniform_(self.edge_embedding1.weight)
        nn.init.xavier_uniform_(self.edge_embedding2.weight)

    @abstractmethod
    def forward(self, h: Tensor, counts: Tensor, batch: Batch) -> Tensor:
        """Return new node states [N, d] from h [N, d] and what `count` returned for the batch."""

    @staticmethod
    def count(batch: Batch, dtype: torch.dtype) -> Tensor:
        """Count the bonds that enter each node, [N, 9], once for all layers."""
        return count_bonds(batch, torch.ones(len(batch.x), dtype=dtype, device=batch.x.device))

    def bond_tables(self) -> Tensor:
        """Return the embeddings of types and directions, in the order of `count`'s columns: [9, width]."""
        return torch.cat([self.edge_embedding1.weight, self.edge_embedding2.weight])

    def collect(self, h: Tensor, counts: Tensor, batch: Batch) -> Tensor:
        """Return h_i + e_loop + Σ_j (h_j + e_ji), j over the bonds that enter i: [N, d]."""
        floats = as_autocast(h, self.bond_tables(), counts)
        return _Collect.apply(*floats, batch.edge_index[0], batch.edge_ptr[:-1])  # type: ignore[no-any-return, no-untyped-call]


def bond_kinds(batch: Batch, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the kind of each bond, [E], and for each of the 18 kinds its type and direction as ones, [18, 9]."""
    types, directions = (
        torch.eye(size, dtype=dtype, device=batch.x.device) for size in (NUM_BOND_TYPES, NUM_BOND_DIRECTIONS)
    )
    kinds = [types.repeat_interleave(NUM_BOND_DIRECTIONS, dim=0), directions.repeat(NUM_BOND_TYPES, 1)]
    return batch.edge_attr[:, 0] * NUM_BOND_DIRECTIONS + batch.edge_attr[:, 1], torch.cat(kinds, dim=1)


def count_bonds(batch: Batch, weight: Tensor) -> Tensor:
    """Count the bonds that enter each node by type (6) and by direction (3), the self-loop included: [N, 9].

    A bond that comes from node j counts weight[j], with weight [N].
    """
    kind, kinds = bond_kinds(batch, weight.dtype)
    each = weight[batch.edge_index[0]]
    counts = F.embedding_bag(kind, kinds, batch.edge_ptr[:-1], mode="sum", per_sample_weights=each)
    counts[:, SELF_LOOP] += weight
    counts[:, NUM_BOND_TYPES] += weight
    return counts


class HuEncoder(Encoder):
    """Sum of two atom embeddings, then layers of convolution, batch norm, ReLU (not last), dropout.

    A subclass names its convolution; nothing else distinguishes the four.
    """

    convolution: ClassVar[type[Convolution]]

    def __init__(self, num_layers: int = 5, dim: int = 300, dropout: float = 0.5) -> None:
        super().__init__()
        check_sizes(num_layers, dim, dropout)
        self.dim, self.dropout = dim, dropout
        self.x_embedding1 = nn.Embedding(NUM_ATOM_TYPES, dim)
        self.x_embedding2 = nn.Embedding(NUM_CHIRALITIES, dim)
        nn.init.xavier_uniform_(self.x_embedding1.weight)
        nn.init.xavier_uniform_(self.x_embedding2.weight)
        self.gnns = nn.ModuleList(self.convolution(dim) for _ in range(num_layers))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(dim) for _ in range(num_layers))

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" (both atom tables) and "layer0", … (a convolution with its batch norm)."""
        embed = nn.ModuleList([self.x_embedding1, self.x_embedding2])
        return {"embed": embed, **layer_blocks(self.gnns, self.batch_norms)}

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` is the last convolution's output, before its batch norm."""
        h = self.x_embedding1(batch.x[:, 0]) + self.x_embedding2(batch.x[:, 1])
        counts = self.convolution.count(batch, h.dtype)
        return run_layers(h, self.gnns, self.batch_norms, self.dropout, counts, batch)
