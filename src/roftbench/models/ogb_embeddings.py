"""Embeddings of the Open Graph Benchmark's atom and bond features: one table per feature, summed.

Key names are those of the ogb package and of public checkpoints.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from roftbench.data.featurizers.ogb import ATOM_CLASSES, BOND_CLASSES


class AtomEncoder(nn.Module):
    """Map from atom classes [N, 9] to states [N, dim]."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.atom_embedding_list = _tables(ATOM_CLASSES, dim)

    def forward(self, classes: Tensor) -> Tensor:
        """Return the sum of the embeddings of each atom's features."""
        return _sum(self.atom_embedding_list, classes)


class BondEncoder(nn.Module):
    """Map from bond classes [E, 3] to states [E, dim]."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.bond_embedding_list = _tables(BOND_CLASSES, dim)

    def forward(self, classes: Tensor) -> Tensor:
        """Return the sum of the embeddings of each bond's features."""
        return _sum(self.bond_embedding_list, classes)


def _tables(sizes: Sequence[int], dim: int) -> nn.ModuleList:
    tables = [nn.Embedding(size, dim) for size in sizes]
    for table in tables:
        nn.init.xavier_uniform_(table.weight)
    return nn.ModuleList(tables)


def _sum(tables: nn.ModuleList, classes: Tensor) -> Tensor:
    return torch.stack([table(column) for table, column in zip(tables, classes.T, strict=True)]).sum(dim=0)
