"""The floor: the matrix products of the GIN layers alone, on the shapes of a job's batches."""

from collections.abc import Sequence

import torch


class Products:
    """The products of `layers` MLPs dim -> 2 dim -> dim on N rows: two forward and four backward in each layer."""

    def __init__(self, dim: int = 300, layers: int = 5) -> None:
        self.layers = layers
        self.up, self.down = torch.randn(dim, 2 * dim), torch.randn(2 * dim, dim)

    def step(self, rows: int) -> None:
        """Do the products of one training step on `rows` nodes."""
        narrow, wide = torch.randn(rows, self.up.shape[0]), torch.randn(rows, self.up.shape[1])
        for _ in range(self.layers):
            _ = narrow @ self.up, wide @ self.down
            _ = narrow @ self.down.T, wide.T @ narrow, wide @ self.up.T, narrow.T @ wide

    def forward(self, rows: int) -> None:
        """Do the products of one forward pass on `rows` nodes."""
        narrow, wide = torch.randn(rows, self.up.shape[0]), torch.randn(rows, self.up.shape[1])
        for _ in range(self.layers):
            _ = narrow @ self.up, wide @ self.down

    def epoch(self, steps: Sequence[int], passes: Sequence[int]) -> None:
        """Do training steps, then forward passes, on so many nodes each."""
        for rows in steps:
            self.step(rows)
        for rows in passes:
            self.forward(rows)
