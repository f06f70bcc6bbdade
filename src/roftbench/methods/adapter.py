"""AdapterGNN: two bottlenecks beside each layer, one before and one after its messages are summed."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.errors import SkipJob, check_range
from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import Predictor, Site


class Bottleneck(nn.Module):
    """BN(B·ReLU(A·x + a) + b), 0 at the start, as ReLU(A·x + a) and an affine map of it.

    The statistics of the norm's input follow from those of the few values before it, so that the norm never runs over
    [N, d'].
    """

    def __init__(self, width: int, rank: int, out: int) -> None:
        super().__init__()
        self.down, self.up, self.norm = nn.Linear(width, rank), nn.Linear(rank, out), nn.BatchNorm1d(out)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return low = ReLU(A·x + a) [N, r], and weight [d', r] and bias [d'] with BN(…) = low·weightᵀ + bias."""
        low = F.relu(self.down(x))
        norm: Any = self.norm
        with torch.autocast(low.device.type, enabled=False):  # statistics in float32, as those of torch's norm
            mean, var = self._statistics(low.float()) if self.training else (norm.running_mean, norm.running_var)
            factor = norm.weight * torch.rsqrt(var + norm.eps)
            return low, self.up.weight * factor[:, None], (self.up.bias - mean) * factor + norm.bias

    def _statistics(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the norm's input, [d'], and move its running statistics."""
        center = low.mean(dim=0)
        covariance = (low - center).T @ (low - center) / len(low)
        mean = F.linear(center, self.up.weight, self.up.bias)
        var = ((self.up.weight @ covariance) * self.up.weight).sum(dim=1).clamp_min(0)
        norm: Any = self.norm
        count = len(low)
        with torch.no_grad():
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(var * count / max(count - 1, 1), norm.momentum)
            norm.num_batches_tracked.add_(1)
        return mean, var


class Adapter(nn.Module):
    """y + s₁·A₁(x) + s₂·A₂(a): x [N, d] enters the layer, a [N, k] is its sum of messages, y [N, d'] its output."""

    def __init__(self, site: Site, rank: int, scale: float) -> None:
        super().__init__()
        before, collected, out = site.widths
        self.before, self.after = Bottleneck(before, rank, out), Bottleneck(collected, rank, out)
        self.scale = nn.Parameter(torch.full((2,), scale))
        self._read: dict[str, Tensor] = {}
        site.own.register_forward_pre_hook(partial(self._keep, "x"))
        if site.map is not None:
            site.map.register_forward_pre_hook(partial(self._keep, "a"))
        site.norm.register_forward_hook(self._add)

    def _keep(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._read[name] = args[0]

    def _add(self, module: nn.Module, args: tuple[Any, ...], y: Tensor) -> Tensor:
        x, a = self._read.pop("x"), self._read.pop("a", y)
        (low1, weight1, bias1), (low2, weight2, bias2) = self.before(x), self.after(a)
        first, second = self.scale
        weight = torch.cat([first * weight1, second * weight2], dim=1)
        return torch.addmm(y + (first * bias1 + second * bias2), torch.cat([low1, low2], dim=1), weight.T)


@dataclass(frozen=True)
class AdapterTuning(Method):
    """Training of adapters, norms, biases and the head (AdapterGNN; Li et al., AAAI 2024).

    Trained norms use batch statistics and their running statistics adapt, as those of a block that is fine-tuned.
    """

    rank: int = 15
    scale: float = 0.01

    def __post_init__(self) -> None:
        check_range("rank", self.rank, 1)
        check_range("scale", self.scale, 0)

    def stages(self) -> list[Stage]:
        """Return one stage."""
        return [Stage("ft", parameters=("*norm*", "*.bias"))]

    def extend(self, model: Predictor) -> None:
        """Add an adapter to each layer; raises SkipJob where the encoder does not name its layers."""
        if not (sites := model.encoder.sites()):
            raise SkipJob(f"{type(model.encoder).__name__} names no layers (sites), which adapters need")
        for number, site in enumerate(sites):
            model.added[f"layer{number}"] = Adapter(site, self.rank, self.scale)
