"""Sums over neighbours and over graphs, and their gradients, without scattered additions: the same bits every time."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx


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
