"""WiSE-FT: one interpolation coefficient for all weights."""

from dataclasses import dataclass

import torch

from roftbench.errors import check_choice, check_range
from roftbench.methods.base import Finished, Fitted, Method
from roftbench.methods.interpolate import BUFFERS, mix


@dataclass(frozen=True)
class WiSEFT(Method):
    """Average pretrained and fine-tuned weights, θ = (1 − α)θ⁰ + αθᶠ, with no training (Wortsman et al., CVPR 2022)."""

    alpha: float = 0.5
    buffers: str = "interpolate"

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)
        check_choice("buffers", self.buffers, BUFFERS)

    def finish(self, fitted: Fitted) -> Finished:
        """Interpolate every block of the encoder with the same share."""
        alpha = torch.tensor(self.alpha, device=fitted.device)
        share = dict.fromkeys(fitted.encoder_blocks, alpha)
        return Finished(mix(fitted, share, self.buffers), {"alpha": dict.fromkeys(share, self.alpha)})
