"""Graphs of a data set in a few flat arrays, from which batches are gathered without a loop over molecules."""

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

AT_ONCE = 64  # batches gathered at once, limited by memory


@dataclass(frozen=True)
class Batch:
    """B graphs with N nodes and E edges in all, graph by graph, edges sorted by the node that they enter.

    All tensors are int64 and on one device; x is float32 if the featurizer returns real numbers, and so is
    edge_attr in graphs without SMILES. "hu" graphs, the
    default of an encoder, have F = A = 2.

    Attributes:
        x: features of nodes, [N, F].
        edge_index: source and target of each edge, [2, E].
        edge_attr: features of edges, [E, A].
        node_ptr: the nodes of graph g are node_ptr[g]:node_ptr[g + 1], [B + 1].
        edge_ptr: the edges that enter node i are edge_ptr[i]:edge_ptr[i + 1], [N + 1].
        shared: groups of atoms with equal states in the first layers, for encoders that are `Accelerated`
            (models/acceleration.py).
        layers_done: number of layers whose result is `states`, for such encoders.
        states: node states after these layers, [N, d].
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
    """G graphs in flat tensors of small types, which become int64 or float32 in a batch.

    Edges are sorted by the node that they enter, so targets follow from `degree`.

    Attributes:
        x: features of nodes, [ΣN, F] uint8, int32, float16 or float32.
        source: source of each edge, counted from the first node of its graph, [ΣE] int32.
        edge_attr: features of edges, [ΣE, A] uint8; int32 or float32 in graphs of a data set without SMILES.
        degree: number of edges that enter each node, [ΣN] int32.
        node_ptr: first node of each graph, [G + 1] int64, always on the host.
        edge_ptr: first edge of each graph, [G + 1] int64, always on the host.
    """

    x: Tensor
    source: Tensor
    edge_attr: Tensor
    degree: Tensor
    node_ptr: Tensor
    edge_ptr: Tensor

    @classmethod
    def from_graphs(cls, graphs: Iterable[Graph]) -> Self:
        """Return packed graphs, in order."""
        return cls.from_chunks([pack(list(graphs))])

    @classmethod
    def from_chunks(cls, chunks: Sequence[Mapping[str, NDArray[Any]]]) -> Self:
        """Return packed chunks, at least one, as one, in order."""
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
        """Return the graphs on another device; pointers stay on the host."""
        parts = (getattr(self, field.name) for field in fields(self))
        x, source, edge_attr, degree, *pointers = parts
        return PackedGraphs(*(part.to(device) for part in (x, source, edge_attr, degree)), *pointers)

    def select(self, index: Tensor) -> "PackedGraphs":
        """Return the graphs `index` [B] (int64) in that order."""
        nodes, node_ptr = _ranges(self.node_ptr, index)
        edges, edge_ptr = _ranges(self.edge_ptr, index)
        return PackedGraphs(
            self.x[nodes], self.source[edges], self.edge_attr[edges], self.degree[nodes], node_ptr, edge_ptr
        )

    def batch(self, index: Tensor, shared_layers: int = 0) -> Batch:
        """Return the graphs `index` [B] (int64, on the host) as one batch; see `batches`."""
        return next(self.batches([index], shared_layers))

    def batches(self, groups: Sequence[Tensor], shared_layers: int = 0, layers_done: int = 0) -> Iterator[Batch]:
        """Yield a batch per group of graphs (int64, on the host).

        Many groups are gathered at once, with positions computed on the host, so that the device never synchronizes.
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
                edge_attr[e0:e1].float() if edge_attr.is_floating_point() else edge_attr[e0:e1].long(),
                node_ptr[g0 : g1 + 1] - n0,
                edge_ptr[n0 : n1 + 1] - e0,
                alike,
            )


def _offsets(lengths: Sequence[NDArray[np.int64]]) -> Tensor:
    return torch.from_numpy(np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64))


def _ranges(pointer: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Return positions in the ranges pointer[i]:pointer[i + 1], i in `index`, and offsets of the ranges, [B + 1]."""
    start, length = pointer[index], pointer[index + 1] - pointer[index]
    offsets = torch.nn.functional.pad(length.cumsum(0), (1, 0))
    total = int(offsets[-1])
    position = torch.arange(total)
    return position + torch.repeat_interleave(start - offsets[:-1], length, output_size=total), offsets
