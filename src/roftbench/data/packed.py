"""All graphs of a data set in a few flat arrays; a batch is a gather, with no Python per molecule."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, pairwise, repeat
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.data.color_refinement import Shared, share
from roftbench.data.featurizers.base import Graph, pack

AT_ONCE = 64  # batches gathered in one go: few enough for memory


@dataclass(frozen=True)
class Batch:
    """B graphs as one: N nodes of graph 0, then of graph 1, …; edges sorted by the node they enter.

    x [N, F]; edge_index [2, E] (row 0 the source, row 1 the target); edge_attr [E, A]; node_ptr [B + 1], the nodes of
    graph g being node_ptr[g]:node_ptr[g + 1]; edge_ptr [N + 1], the edges that enter node i being
    edge_ptr[i]:edge_ptr[i + 1]. All int64 (x float32 where the featurizer gives real numbers), on one device.
    "hu" graphs, the default of an encoder, have F = A = 2.

    Encoders that are `Accelerated` (models/acceleration.py) also read: `shared`, the groups of atoms with equal states
    in the first layers; `states` [N, d], node states after the first `layers_done` layers.
    """

    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor
    node_ptr: Tensor
    edge_ptr: Tensor
    shared: Shared | None = None
    layers_done: int = 0
    states: Tensor | None = None

    @property
    def num_graphs(self) -> int:
        """Number of graphs, B."""
        return len(self.node_ptr) - 1

    def with_states(self, states: Tensor, layers_done: int) -> "Batch":
        """Return the batch with node states [N, d] after its first layers, which `shared` must not cover."""
        return replace(self, states=states, layers_done=layers_done)


@dataclass(frozen=True)
class PackedGraphs:
    """G graphs in flat tensors: small numbers on disk and in memory, int64 (or float32) only in a batch.

    x [ΣN, F] uint8, float16 or float32; source [ΣE] int32, counted from the first node of its own graph; edge_attr
    [ΣE, A] uint8; degree [ΣN] int32, the edges entering each node; node_ptr and edge_ptr [G + 1] int64, on the host
    wherever the rest is. Edges are sorted by the node they enter, so the target of an edge follows from `degree`.
    """

    x: Tensor
    source: Tensor
    edge_attr: Tensor
    degree: Tensor
    node_ptr: Tensor
    edge_ptr: Tensor

    @classmethod
    def from_graphs(cls, graphs: Iterable[Graph]) -> Self:
        """Pack graphs, in their order."""
        return cls.from_chunks([pack(list(graphs))])

    @classmethod
    def from_chunks(cls, chunks: Sequence[Mapping[str, NDArray[Any]]]) -> Self:
        """Join packed chunks (at least one), in their order."""
        flat = (np.concatenate([chunk[name] for chunk in chunks]) for name in ("x", "source", "edge_attr", "degree"))
        pointers = (_offsets([chunk[name] for chunk in chunks]) for name in ("num_nodes", "num_edges"))
        return cls(*map(torch.from_numpy, flat), *pointers)

    def __len__(self) -> int:
        return len(self.node_ptr) - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of atoms of each graph, [G]."""
        return np.diff(self.node_ptr.numpy())

    def to(self, device: torch.device) -> "PackedGraphs":
        """Return the same graphs with what they consist of on another device; the pointers stay on the host."""
        parts = (getattr(self, field.name) for field in fields(self))
        x, source, edge_attr, degree, *pointers = parts
        return PackedGraphs(*(part.to(device) for part in (x, source, edge_attr, degree)), *pointers)

    def select(self, index: Tensor) -> "PackedGraphs":
        """Return the graphs `index` [B] (int64), packed, in that order."""
        nodes, node_ptr = _ranges(self.node_ptr, index)
        edges, edge_ptr = _ranges(self.edge_ptr, index)
        return PackedGraphs(
            self.x[nodes], self.source[edges], self.edge_attr[edges], self.degree[nodes], node_ptr, edge_ptr
        )

    def batch(self, index: Tensor, shared_layers: int = 0) -> Batch:
        """Gather the graphs `index` [B] (int64, on the host) into one batch; see `batches`."""
        return next(self.batches([index], shared_layers))

    def batches(self, groups: Sequence[Tensor], shared_layers: int = 0, layers_done: int = 0) -> Iterator[Batch]:
        """Gather a batch for each group of graphs (int64, on the host), many groups in one go.

        The host knows where everything lies, so that nothing is asked of the device, which would have to stop for it.
        With `shared_layers` (`Accelerated.shared_layers`) a batch on a CPU has `Batch.shared` for so many layers. A
        GPU waits for launches rather than sums, so there it is None. The first `layers_done` of these layers are left
        out, for batches that get their states by `Batch.with_states`.
        """
        for first in range(0, len(groups), AT_ONCE):
            yield from self._gathered(groups[first : first + AT_ONCE], shared_layers, layers_done)

    def _gathered(self, groups: Sequence[Tensor], shared_layers: int, layers_done: int) -> Iterator[Batch]:
        index = torch.cat(list(groups))
        nodes, node_ptr = _ranges(self.node_ptr, index)
        edges, edge_count = _ranges(self.edge_ptr, index)
        shift = torch.repeat_interleave(node_ptr[:-1], edge_count.diff(), output_size=len(edges))
        graph_cuts = [0, *accumulate(map(len, groups))]
        node_cuts, edge_cuts = node_ptr[graph_cuts].tolist(), edge_count[graph_cuts].tolist()

        nodes, edges, node_ptr, shift = (part.to(self.x.device) for part in (nodes, edges, node_ptr, shift))
        x, edge_attr, degree = self.x[nodes], self.edge_attr[edges], self.degree[nodes].long()
        target = torch.repeat_interleave(torch.arange(len(nodes), device=x.device), degree, output_size=len(edges))
        edge_index = torch.stack([self.source[edges].long() + shift, target])
        edge_ptr = torch.nn.functional.pad(degree.cumsum(0), (1, 0))
        wide = torch.float32 if x.is_floating_point() else torch.int64
        shared: Iterable[Shared | None] = repeat(None, len(groups))
        if shared_layers > layers_done and x.device.type == "cpu":
            shared = share(x, edge_index, edge_attr, edge_ptr, node_cuts, shared_layers, layers_done)
        for (g0, g1), (n0, n1), (e0, e1), alike in zip(
            pairwise(graph_cuts), pairwise(node_cuts), pairwise(edge_cuts), shared, strict=True
        ):
            yield Batch(
                x[n0:n1].to(wide, copy=True),
                edge_index[:, e0:e1] - n0,
                edge_attr[e0:e1].long(),
                node_ptr[g0 : g1 + 1] - n0,
                edge_ptr[n0 : n1 + 1] - e0,
                alike,
            )


def _offsets(lengths: Sequence[NDArray[np.int64]]) -> Tensor:
    return torch.from_numpy(np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64))


def _ranges(pointer: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Concatenate the ranges pointer[i]:pointer[i + 1] for i in `index`; returns positions and new offsets [B + 1]."""
    start, length = pointer[index], pointer[index + 1] - pointer[index]
    offsets = torch.nn.functional.pad(length.cumsum(0), (1, 0))
    total = int(offsets[-1])
    position = torch.arange(total)
    return position + torch.repeat_interleave(start - offsets[:-1], length, output_size=total), offsets
