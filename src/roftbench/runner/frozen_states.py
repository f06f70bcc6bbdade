"""What an encoder, or a part of it, that does not move says of the nodes of some graphs: worked out once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.runner.objective import Objective

MOST_KEPT = 5 * 2**28  # bytes; 300 float32 a node of HIV's training and validation parts are 1.06 GiB
NOWHERE = -(2**40)  # no place in any table: reading there is an error


@dataclass(frozen=True)
class NodeStates:
    """States [M, d] of the nodes of some graphs after so many layers: those of graph g begin at row first[g]."""

    states: Tensor
    first: Tensor
    layers: int

    @classmethod
    def of(cls, objective: Objective, index: Tensor, work_out: Callable[[Batch], Tensor], layers: int) -> Self | None:
        """Return what `work_out` gives, [N, d] for a batch of N nodes, for the graphs `index`, without gradient.

        Its batches share all `layers`. None where the states would take more than `MOST_KEPT` bytes.
        """
        sizes = torch.from_numpy(objective.graphs.sizes)[index]
        kept, done = torch.empty(0), 0
        with torch.no_grad():
            for batch in objective.eval_batches(index, layers):
                states = work_out(batch)
                if done == 0:
                    shape = (int(sizes.sum()), states.shape[1])
                    if shape[0] * shape[1] * states.element_size() > MOST_KEPT:
                        return None
                    kept = states.new_empty(shape)
                kept[done : done + len(states)] = states
                done += len(states)
        first = torch.full((len(objective.y),), NOWHERE)
        first[index] = sizes.cumsum(0) - sizes
        return cls(kept, first.to(objective.device), layers)

    def __call__(self, batch: Batch, index: Tensor) -> Tensor:
        """Return the states [N, d] of a batch of the graphs `index`, on the device, which is asked for nothing."""
        shift = self.first[index] - batch.node_ptr[:-1]
        places = torch.repeat_interleave(shift, batch.node_ptr.diff(), output_size=len(batch.x))
        return self.states[places + torch.arange(len(places), device=places.device)]
