"""Sums over neighbors and graphs and their gradients, bit for bit reproducible: no scattered additions."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

from roftbench.data.color_refinement import Shared
from roftbench.data.packed import Batch


class _Take(torch.autograd.Function):
    """Rows index[i] of a table, [N, d] -> [M, d]; `order` and `offsets` list the i by table row."""

    @staticmethod
    def forward(ctx: FunctionCtx, table: Tensor, index: Tensor, order: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(order, offsets)
        return table.index_select(0, index)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        order, offsets = ctx.saved_tensors  # type: ignore[attr-defined]
        return F.embedding_bag(order, grads[0].contiguous(), offsets, mode="sum"), None, None, None


class _MeanOfTaken(torch.autograd.Function):
    """Means over runs of rows index[i] of a table, [V, d] -> [B, d]; run b is pointer[b]:pointer[b + 1]."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, table: Tensor, index: Tensor, pointer: Tensor, order: Tensor, offsets: Tensor
    ) -> Tensor:
        ctx.save_for_backward(pointer, order, offsets)
        return F.embedding_bag(index, table, pointer[:-1], mode="mean")

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        pointer, order, offsets = ctx.saved_tensors  # type: ignore[attr-defined]
        size = pointer.diff()
        owner = torch.repeat_interleave(size, output_size=len(order))
        each = grads[0] / size[:, None]
        return F.embedding_bag(owner[order], each, offsets, mode="sum"), None, None, None, None


class _Sum(torch.autograd.Function):
    """Sums over runs of rows, [M, d] -> [N, d]; `owner` [M] is the run of each row."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, owner: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(owner)
        return F.embedding_bag(torch.arange(len(rows), device=rows.device), rows, offsets, mode="sum")

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None]:
        (owner,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grads[0].index_select(0, owner), None, None


def take(table: Tensor, index: Tensor, order: Tensor, offsets: Tensor) -> Tensor:
    """Return table[index], [M, d].

    Args:
        table: rows, [N, d].
        index: row to take for each i, [M].
        order: the i sorted by index[i], [M], for the gradient.
        offsets: where the i of each table row begin in `order`, [N].
    """
    return _Take.apply(table, index, order, offsets)  # type: ignore[no-any-return, no-untyped-call]


def sum_runs(rows: Tensor, owner: Tensor, offsets: Tensor) -> Tensor:
    """Return the sums [N, d] over runs of rows [M, d]; run n begins at offsets[n], and owner[i] is the run of row i."""
    return _Sum.apply(rows, owner, offsets)  # type: ignore[no-any-return, no-untyped-call]


def for_nodes(states: Tensor, shared: Shared) -> Tensor:
    """Return the states of N nodes, [N, d], from those of their colors, [V, d]."""
    return take(states, shared.color, shared.order, shared.starts[:-1])


def mean_for(states: Tensor, shared: Shared, batch: Batch) -> Tensor:
    """Return the mean over the nodes of each graph, [B, d], from the states of their colors, [V, d]."""
    given = (shared.color, batch.node_ptr, shared.order, shared.starts[:-1])
    return _MeanOfTaken.apply(states, *given)  # type: ignore[no-any-return, no-untyped-call]


@dataclass(frozen=True)
class Wiring:
    """Indices of a batch that all layers use: N nodes in B graphs, E edges sorted by target.

    As many edges leave a node as enter it, because each bond has both directions, so `entering` also holds where the
    edges of a node begin in `by_source`.

    Attributes:
        source: node that each edge leaves, [E].
        target: node that each edge enters, [E].
        by_source: edges sorted by source, [E].
        entering: first edge that enters each node, [N].
        owner: graph of each node, [N].
        nodes: 0 … N - 1.
        starts: first node of each graph, [B].
        scale: ln n / n for a graph of n nodes, [B, 1].
    """

    source: Tensor
    target: Tensor
    by_source: Tensor
    entering: Tensor
    owner: Tensor
    nodes: Tensor
    starts: Tensor
    scale: Tensor

    @classmethod
    def of(cls, batch: Batch) -> "Wiring":
        """Return the wiring of a batch."""
        source, target = batch.edge_index
        size = batch.node_ptr.diff()
        nodes = torch.arange(len(batch.x), device=size.device)
        owner = torch.repeat_interleave(size, output_size=len(nodes))
        scale = (size.log() / size)[:, None]
        by_source = torch.argsort(source, stable=True)
        return cls(source, target, by_source, batch.edge_ptr[:-1], owner, nodes, batch.node_ptr[:-1], scale)


def segment_max(rows: Tensor, offsets: Tensor) -> Tensor:
    """Return the maximum over runs of rows, [N, d] -> [B, d]; run b is offsets[b]:offsets[b + 1].

    Rows that share a maximum, such as those of atoms that are equivalent by symmetry, share its gradient.
    `torch.segment_reduce(…, "max")` of torch 2.13 divides positive gradients alone: each row gets a negative one whole.
    """
    owner = torch.repeat_interleave(offsets.diff(), output_size=len(rows))
    index = owner[:, None].expand_as(rows)
    return rows.new_full((len(offsets) - 1, rows.shape[1]), -torch.inf).scatter_reduce(0, index, rows, "amax")
