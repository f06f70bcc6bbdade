"""How molecules are batched for prediction: always at the same places, as the last bits depend on it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from roftbench.data.packed import Batch, PackedGraphs
from roftbench.models.acceleration import shared_layers
from roftbench.models.encoder import Encoder

# Largest batch. Without states shared between atoms it is to fit a processor's cache; with them, the more atoms there
# are, the more of them share a state.
GRAPHS, GRAPHS_THAT_SHARE, ATOMS_THAT_SHARE = 128, 512, 16_384


def batches(graphs: PackedGraphs, encoder: Encoder) -> Iterator[Batch]:
    """Yield graphs in batches of the size that suits an encoder, in order."""
    shared, every = shared_layers(encoder), torch.arange(len(graphs))
    lengths = batch_lengths(graphs.sizes, GRAPHS_THAT_SHARE, ATOMS_THAT_SHARE) if shared else GRAPHS
    yield from graphs.batches(every.split(lengths), shared)


def batch_lengths(sizes: Sequence[int] | NDArray[np.int64], graphs: int, atoms: int) -> list[int]:
    """Return how many consecutive graphs of so many atoms each batch has, limited in graphs and atoms."""
    lengths, total = [0], 0
    for size in sizes:
        if lengths[-1] == graphs or (lengths[-1] and total + size > atoms):
            lengths.append(0)
            total = 0
        lengths[-1] += 1
        total += int(size)
    return lengths
