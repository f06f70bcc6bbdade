"""Node states of frozen encoder layers, computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.runner.objective import Objective

MOST_KEPT = 5 * 2**28  # bytes; 300 float32 per node of HIV's training and validation parts are 1.06 GiB
NO_ROW = -(2**40)  # out of range, so that reading it is an error


@dataclass(frozen=True)
class NodeStates:
    """States [M, d] of the nodes of some graphs after `layers` layers; those of graph g begin at row first[g]."""

    states: Tensor
    first: Tensor
    layers: int

    @classmethod
    def of(cls, objective: Objective, index: Tensor, compute: Callable[[Batch], Tensor], layers: int) -> Self | None:
        """Return the states of the graphs `index`, without gradient; None where they exceed `MOST_KEPT` bytes.

        `compute` returns the states [N, d] of a batch of N nodes, whose `layers` layers are shared.
        """
        sizes = torch.from_numpy(objective.graphs.sizes)[index]
        kept, done = torch.empty(0), 0
        with torch.no_grad():
            for batch in objective.eval_batches(index, layers):
                states = compute(batch)
                if done == 0:
                    shape = (int(sizes.sum()), states.shape[1])
                    if shape[0] * shape[1] * states.element_size() > MOST_KEPT:
                        return None
                    kept = states.new_empty(shape)
                kept[done : done + len(states)] = states
                done += len(states)
        first = torch.full((len(objective.y),), NO_ROW)
        first[index] = sizes.cumsum(0) - sizes
        return cls(kept, first.to(objective.device), layers)

    def __call__(self, batch: Batch, index: Tensor) -> Tensor:
        """Return the states [N, d] of a batch of the graphs `index`, on the device, without synchronizing with it."""
        shift = self.first[index] - batch.node_ptr[:-1]
        rows = torch.repeat_interleave(shift, batch.node_ptr.diff(), output_size=len(batch.x))
        return self.states[rows + torch.arange(len(rows), device=rows.device)]
