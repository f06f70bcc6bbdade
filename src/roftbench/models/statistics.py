"""Gradients for the running statistics of norms in evaluation mode, which PyTorch does not provide."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class DifferentiableStatistics(TorchFunctionMode):
    """Within this context, batch and instance norms with running statistics are differentiable in these as well.

    In evaluation mode such a norm is an affine map of its input whose coefficients follow from the running mean and
    variance. PyTorch's own function raises an error where one of them requires a gradient; every call with such
    statistics is computed by `normalized` instead, whatever the network, and all other calls are left alone.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Replace a norm with running statistics that require a gradient; call every other function."""
        kwargs = kwargs or {}
        if func in (F.batch_norm, F.instance_norm):
            call = _BATCH_NORM if func is F.batch_norm else _INSTANCE_NORM
            given = {**call, **dict(zip(call, args, strict=False)), **kwargs}
            mean, var = given["running_mean"], given["running_var"]
            learned = mean is not None and (mean.requires_grad or var.requires_grad)
            if learned and not given.get("training") and not given.get("use_input_stats"):
                return normalized(given["input"], mean, var, given["weight"], given["bias"], given["eps"])
        return func(*args, **kwargs)


# Parameters in the order in which the two functions take them, with their defaults.
_BATCH_NORM: dict[str, Any] = {
    "input": None, "running_mean": None, "running_var": None, "weight": None, "bias": None,
    "training": False, "momentum": 0.1, "eps": 1e-5,
}  # fmt: skip
_INSTANCE_NORM: dict[str, Any] = {
    "input": None, "running_mean": None, "running_var": None, "weight": None, "bias": None,
    "use_input_stats": True, "momentum": 0.1, "eps": 1e-5,
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
