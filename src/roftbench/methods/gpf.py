"""Graph prompt feature (GPF): a trained vector is added to the input of the frozen encoder's layers."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from roftbench.errors import SkipJob, check_choice
from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import ADDED, HEAD, Predictor

LINEAR, MLP = "linear", "mlp"


class Prompt(nn.Module):
    """x + p for states x [N, d], with one vector p [1, d] from Glorot's uniform distribution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.p = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, width)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the states with the prompt, [N, d]."""
        return x + self.p


@dataclass(frozen=True)
class GPF(Method):
    """x + p after the embedding of the atoms; p and the head are trained (Fang et al., NeurIPS 2023).

    The encoder is frozen, in evaluation mode; the authors' script leaves dropout and batch statistics on.

    Attributes:
        head: "linear", the encoder's own, or "mlp", Linear–ReLU–Linear of the representation's width.
    """

    head: str = LINEAR

    def __post_init__(self) -> None:
        check_choice("head", self.head, (LINEAR, MLP))

    def stages(self) -> list[Stage]:
        """Return one stage that trains the prompt and the head."""
        return [Stage("ft", blocks=(ADDED, HEAD))]

    def prompt(self, width: int) -> nn.Module:
        """Return the map from states [N, width] to states with a prompt."""
        return Prompt(width)

    def extend(self, model: Predictor) -> None:
        """Add the prompt before the first layer; raises SkipJob where the encoder does not name it."""
        if not (sites := model.encoder.sites()):
            raise SkipJob(f"{type(model.encoder).__name__} names no layers (sites), whose input has the prompt")
        prompt = model.added["prompt"] = self.prompt(sites[0].widths[0])

        def prompted(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return prompt(args[0]), *args[1:]

        sites[0].layer.register_forward_pre_hook(prompted)
        if self.head == MLP:
            width = model.encoder.dim
            model.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, model.num_tasks))
