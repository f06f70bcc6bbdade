"""AdapterGNN: two bottlenecks beside each layer, one before and one after its messages are summed."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from roftbench.errors import SkipJob, check_range
from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import Predictor, Site


class Bottleneck(nn.Sequential):
    """Linear, ReLU, Linear and batch norm, 0 at the start."""

    def __init__(self, width: int, rank: int, out: int) -> None:
        last = nn.Linear(rank, out)
        super().__init__(nn.Linear(width, rank), nn.ReLU(), last, nn.BatchNorm1d(out))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)


class Adapter(nn.Module):
    """y + s₁·A₁(x) + s₂·A₂(a): x [N, d] enters the layer, a [N, k] is its sum of messages, y [N, d'] its output."""

    def __init__(self, site: Site, rank: int, scale: float) -> None:
        super().__init__()
        before, collected, out = site.widths
        self.before, self.after = Bottleneck(before, rank, out), Bottleneck(collected, rank, out)
        self.scale = nn.Parameter(torch.full((2,), scale))
        self._read: dict[str, Tensor] = {}
        site.layer.register_forward_pre_hook(partial(self._keep, "x"))
        if site.map is not None:
            site.map.register_forward_pre_hook(partial(self._keep, "a"))
        site.norm.register_forward_hook(self._add)

    def _keep(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._read[name] = args[0]

    def _add(self, module: nn.Module, args: tuple[Any, ...], y: Tensor) -> Tensor:
        x, a = self._read.pop("x"), self._read.pop("a", y)
        shift: Tensor = self.scale[0] * self.before(x) + self.scale[1] * self.after(a)
        return y + shift


@dataclass(frozen=True)
class AdapterTuning(Method):
    """Training of adapters, norms, biases and the head (AdapterGNN; Li et al., AAAI 2024).

    Trained norms use batch statistics and their running statistics adapt, as those of a block that is fine-tuned.
    """

    rank: int = 15
    scale: float = 0.01

    def __post_init__(self) -> None:
        check_range("rank", self.rank, 1)

    def stages(self) -> list[Stage]:
        """Return one stage."""
        return [Stage("ft", parameters=("*norm*", "*.bias"))]

    def extend(self, model: Predictor) -> None:
        """Add an adapter to each layer; raises SkipJob where the encoder does not name its layers."""
        if not (sites := model.encoder.sites()):
            raise SkipJob(f"{type(model.encoder).__name__} names no layers (sites), which adapters need")
        for number, site in enumerate(sites):
            model.added[f"layer{number}"] = Adapter(site, self.rank, self.scale)
