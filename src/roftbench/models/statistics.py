"""Gradients of the running statistics of norms in evaluation mode, which PyTorch does not provide."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class DifferentiableStatistics(TorchFunctionMode):
    """Context in which batch and instance norms are differentiable in their running statistics as well.

    In evaluation mode such a norm is an affine map of its input with coefficients that follow from the running mean and
    variance. PyTorch's function raises an error if one of these requires a gradient. In this context `normalized`
    replaces every such call, in any network; other calls are not affected.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Return the result of a function, or that of `normalized` for a norm whose statistics require a gradient."""
        kwargs = kwargs or {}
        if func in _NORMS:
            given = {**_DEFAULTS, **dict(zip(_NORMS[func], args, strict=False)), **kwargs}
            mean, var = given["running_mean"], given["running_var"]
            learned = mean is not None and (mean.requires_grad or var.requires_grad)
            if learned and not given[_BATCH_STATISTICS[func]]:
                return normalized(given["input"], mean, var, given["weight"], given["bias"], given["eps"])
        return func(*args, **kwargs)


_STATISTICS, _AFFINE = ("running_mean", "running_var"), ("weight", "bias")
_NORMS: dict[Callable[..., Any], tuple[str, ...]] = {  # order of arguments
    F.batch_norm: ("input", *_STATISTICS, *_AFFINE, "training", "momentum", "eps"),
    torch.batch_norm: ("input", *_AFFINE, *_STATISTICS, "training", "momentum", "eps"),
    F.instance_norm: ("input", *_STATISTICS, *_AFFINE, "use_input_stats", "momentum", "eps"),
    torch.instance_norm: ("input", *_AFFINE, *_STATISTICS, "use_input_stats", "momentum", "eps"),
}
_BATCH_STATISTICS = {  # argument that selects the statistics of the input instead of the running ones
    F.batch_norm: "training",
    torch.batch_norm: "training",
    F.instance_norm: "use_input_stats",
    torch.instance_norm: "use_input_stats",
}
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys((*_STATISTICS, *_AFFINE)), "training": False, "use_input_stats": True, "eps": 1e-5,
}  # fmt: skip


class _Normalized(torch.autograd.Function):
    """PyTorch's batch norm in evaluation mode; the gradients of the statistics follow from those of weight and bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, mean, var, weight)
        ctx.eps = eps
        return F.batch_norm(x, mean, var, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, var, weight = ctx.saved_tensors
        found = torch.ops.aten.native_batch_norm_backward(
            grads[0].contiguous(), x, weight, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        of_x, of_weight, of_bias = found
        scale = torch.rsqrt(var + ctx.eps)
        # of_bias is the sum of the gradients, of_weight that of the gradients times the normalized input.
        return of_x, -of_bias * weight * scale, -0.5 * of_weight * weight * scale.square(), of_weight, of_bias, None


def normalized(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return (x − mean) / √(var + eps) · weight + bias, differentiable once in every argument.

    x has shape [N, C, …]; mean, var, weight and bias have shape [C].
    """
    weight = torch.ones_like(mean) if weight is None else weight
    bias = torch.zeros_like(mean) if bias is None else bias
    result: Tensor = _Normalized.apply(x, mean, var, weight, bias, eps)  # type: ignore[no-untyped-call]
    return result
