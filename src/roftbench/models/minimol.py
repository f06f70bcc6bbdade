"""MiniMol, a GINE with virtual nodes and positional encodings (Kläser et al., arXiv 2404.14986).

It is a network of graphium (arXiv 2310.04292; `roftbench.models.graphium`) with a virtual node after every layer but
the last, pooled by the maximum. The defaults are the released configuration.
"""

from typing import ClassVar

from roftbench.models.graphium import Graphium


class MiniMol(Graphium):
    """MiniMol, by default as released: positional encoders, input networks, 16 layers, maximum over the nodes."""

    sync_free: ClassVar[bool] = True
    virtual_nodes: ClassVar[bool] = True

    def __init__(
        self,
        num_layers: int = 16,
        dim: int = 512,
        hidden: int = 336,
        node_dim: int = 128,
        edge_dim: int = 168,
        dropout: float = 0.02,
        positional_dropout: float = 0.1,
        flip_eigenvalues: bool = True,
    ) -> None:
        if edge_dim < 1:
            raise ValueError(f"edge_dim must be at least 1, got {edge_dim}")
        super().__init__(
            num_layers, dim, hidden, node_dim, edge_dim, dropout, positional_dropout, flip_eigenvalues, pooling="max"
        )
