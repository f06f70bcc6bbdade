"""Sums over neighbors and over graphs, and their gradients, without scattered additions: the same bits every time."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

from roftbench.data.color_refinement import Shared
from roftbench.data.packed import Batch


class _Take(torch.autograd.Function):
    """Rows index[i] of a table: [N, d] -> [M, d]. `order` and `offsets` say which rows i took table row n."""

    @staticmethod
    def forward(ctx: FunctionCtx, table: Tensor, index: Tensor, order: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(order, offsets)
        return table.index_select(0, index)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        order, offsets = ctx.saved_tensors  # type: ignore[attr-defined]
        return F.embedding_bag(order, grads[0].contiguous(), offsets, mode="sum"), None, None, None


class _MeanOfTaken(torch.autograd.Function):
    """Means over runs of rows index[i] of a table: [V, d] -> [B, d]; run b is pointer[b]:pointer[b + 1]."""

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
    """Sums of consecutive rows: [M, d] -> [N, d]. `owner` [M] is the row of the result that each row goes to."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, owner: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(owner)
        return F.embedding_bag(torch.arange(len(rows), device=rows.device), rows, offsets, mode="sum")

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None]:
        (owner,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grads[0].index_select(0, owner), None, None


def take(table: Tensor, index: Tensor, order: Tensor, offsets: Tensor) -> Tensor:
    """Return table[index], [M, d], of a table [N, d].

    order [M] lists the i by index[i], and offsets [N] say where those of each table row begin; the gradient needs them.
    """
    return _Take.apply(table, index, order, offsets)  # type: ignore[no-any-return, no-untyped-call]


def sum_runs(rows: Tensor, owner: Tensor, offsets: Tensor) -> Tensor:
    """Return the sums, [N, d], of runs of rows [M, d]: run n begins at offsets[n], and owner[i] is the run of row i."""
    return _Sum.apply(rows, owner, offsets)  # type: ignore[no-any-return, no-untyped-call]


def for_nodes(states: Tensor, shared: Shared) -> Tensor:
    """Return the states of N nodes, [N, d], from those of their colors [V, d]."""
    return take(states, shared.color, shared.order, shared.starts[:-1])


def mean_for(states: Tensor, shared: Shared, batch: Batch) -> Tensor:
    """Return the mean over the nodes of each graph, [B, d], of the states of their colors [V, d]."""
    given = (shared.color, batch.node_ptr, shared.order, shared.starts[:-1])
    return _MeanOfTaken.apply(states, *given)  # type: ignore[no-any-return, no-untyped-call]


@dataclass(frozen=True)
class Wiring:
    """What of a batch every layer needs: N nodes in B graphs, E edges sorted by target.

    source, target, by_source (edges sorted by source) [E]; entering (first edge into a node), owner (a node's graph),
    nodes (0 … N - 1) [N]; starts (a graph's first node) [B]; scale (ln n / n for a graph of n nodes) [B, 1].
    A bond runs both ways, so as many edges leave a node as enter it, and `entering` serves by_source too.
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
