"""Sums over directed edges of a batch: what enters an edge's source, apart from its own reverse.

In a directed message-passing network the message of an edge u → v is the sum of the states of the edges w → u, w ≠ v.
Without randomness the state of an edge after t steps depends only on its surroundings within t bonds, so edges of one
color of depth t share it, and it is computed once (`roftbench.data.color_refinement`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from roftbench.data.color_refinement import Integers, by_value, columns_as_numbers, first_of_each, refined
from roftbench.data.featurizers.chemprop import REVERSE
from roftbench.data.packed import Batch


@dataclass(frozen=True)
class Sums:
    """Sums of rows of a table of U rows: sum v is over rows source[offsets[v]:offsets[v + 1]]; all int64.

    Attributes:
        source: row of the table per term, [M].
        offsets: first term of each sum, [V].
        target: sum of each term, terms sorted by source, [M].
        starts: where the terms of each row of the table begin in that order, [U].
    """

    source: Tensor
    offsets: Tensor
    target: Tensor
    starts: Tensor

    @classmethod
    def of(cls, source: Integers, sizes: Integers, rows: int, device: torch.device) -> "Sums":
        """Return the sums of sizes[v] consecutive terms each, from a table of `rows` rows."""
        order, starts = by_value(source, rows)
        offsets = np.cumsum(sizes) - sizes
        target = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))[order]
        parts = (torch.from_numpy(source), torch.from_numpy(offsets), target, starts[:-1])
        return cls(*(part.to(device) for part in parts))

    def __call__(self, table: Tensor) -> Tensor:
        """Return the sums, [V, d], of a table [U, d]; the gradient is deterministic."""
        return _Sums.apply(table, self)  # type: ignore[no-any-return, no-untyped-call]


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, sums: Sums) -> Tensor:
        ctx.sums = sums
        return F.embedding_bag(sums.source, table, sums.offsets, mode="sum")

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        sums = ctx.sums
        return F.embedding_bag(sums.target, grads[0].contiguous(), sums.starts, mode="sum"), None


@dataclass(frozen=True)
class DirectedEdges:
    """The edges of a batch for `depth` steps; edges of one color share a row.

    Attributes:
        first: an edge of each color before the first step, [K].
        initial: row of `first` for each row after a step, in that step's own `Sums` from those K rows.
        messages: per step, sums of the rows before it, for each row after it.
        nodes: a node of each color after the last step, [V].
        entering: sums of the last rows over the edges that enter each of `nodes`.
        every: row of `nodes` for each node, [N], as `Sums`; None where each has its own.
        reverse: reverse of each edge, [E].
    """

    first: Tensor
    initial: tuple[Sums, ...]
    messages: tuple[Sums, ...]
    nodes: Tensor
    entering: Sums
    every: Sums | None
    reverse: Tensor

    @classmethod
    def of(cls, batch: Batch, depth: int, *, share: bool) -> "DirectedEdges":
        """Return the edges of a batch of "chemprop" graphs; with `share`, equal ones have one row, and nodes."""
        device = batch.x.device
        given = (batch.edge_index[0], batch.edge_ptr, batch.edge_attr)
        source, ptr, attr = (part.cpu().numpy() for part in given)
        edges = np.arange(len(source))
        reverse = ptr[source] + attr[:, REVERSE]
        # Edges that enter the source of each edge, without its reverse.
        sizes = np.diff(ptr)[source] - 1
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        owner = np.repeat(edges, sizes)
        before = np.arange(len(owner)) - offsets[owner] + ptr[source][owner]
        before += before >= reverse[owner]
        colors, nodes = [edges] * depth, np.arange(len(ptr) - 1)
        if share:
            atoms = columns_as_numbers(_bits(batch.x.numpy()))
            colors = [columns_as_numbers(np.column_stack([atoms[source], attr[:, :REVERSE]]))]
            nothing = np.zeros(len(owner), np.int64)
            for _ in range(1, depth):
                colors.append(refined(colors[-1], before, owner, nothing, offsets))
            nodes = _node_colors(atoms, colors[-1], ptr)
        firsts = [first_of_each(color) for color in colors]
        initial, messages = [], []
        for old, rows, first in zip(colors[:-1], map(len, firsts[:-1]), firsts[1:], strict=True):
            terms, lengths = _terms(first, offsets, old[before])
            messages.append(Sums.of(terms, lengths, rows, device))
            initial.append(Sums.of(colors[0][first], np.ones(len(first), np.int64), len(firsts[0]), device))
        first_nodes = first_of_each(nodes)
        entering = Sums.of(*_terms(first_nodes, ptr, colors[-1]), len(firsts[-1]), device)
        every = Sums.of(nodes, np.ones(len(nodes), np.int64), len(first_nodes), device) if share else None
        chosen, own, back = (torch.from_numpy(part).to(device) for part in (firsts[0], first_nodes, reverse))
        return cls(chosen, tuple(initial), tuple(messages), own, entering, every, back)


def _node_colors(atoms: Integers, edges: Integers, ptr: Integers) -> Integers:
    """Return numbers of nodes, [N], equal for equal atoms with edges of equal colors that enter them, in any order."""
    degree, size = np.diff(ptr), int(edges.max(initial=0)) + 1
    owner = np.repeat(np.arange(len(degree)), degree)
    table = np.zeros((len(degree), 1 + int(degree.max(initial=0))), np.int64)
    table[:, 0] = atoms
    table[owner, 1 + np.arange(len(owner)) - ptr[owner]] = 1 + np.sort(owner * size + edges) % size
    return columns_as_numbers(table)


def _terms(rows: Integers, offsets: Integers, terms: Integers) -> tuple[Integers, Integers]:
    """Return the terms of some rows, one row after the other, and their number per row."""
    sizes = offsets[rows + 1] - offsets[rows]
    starts = np.cumsum(sizes) - sizes
    return terms[np.arange(sizes.sum()) + np.repeat(offsets[rows] - starts, sizes)], sizes


def _bits(x: "np.ndarray[Any, np.dtype[np.float32]]") -> Integers:
    """Return classes and, as integers with the same bits, masses."""
    return np.column_stack([x[:, :-1].astype(np.int64), np.ascontiguousarray(x[:, -1]).view(np.int32)])
