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


def normalized(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return (x − mean) / √(var + eps) · weight + bias, differentiable in every argument.

    x has shape [N, C, …]; mean, var, weight and bias have shape [C].
    """
    scale = torch.rsqrt(var + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return torch.addcmul(shift.view(shape), x, scale.view(shape))
