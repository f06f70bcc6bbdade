"""WiSE-FT: interpolation of all weights with one coefficient."""

from dataclasses import dataclass

import torch

from roftbench.errors import check_choice, check_range
from roftbench.methods.base import Finished, Fitted, Method
from roftbench.methods.interpolate import BUFFERS, mix


@dataclass(frozen=True)
class WiSEFT(Method):
    """Interpolation θ = (1 − α)θ⁰ + αθᶠ of pretrained and fine-tuned weights (Wortsman et al., CVPR 2022)."""

    alpha: float = 0.5
    buffers: str = "interpolate"

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)
        check_choice("buffers", self.buffers, BUFFERS)

    def finish(self, fitted: Fitted) -> Finished:
        """Return the weights with every block of the encoder interpolated by α."""
        alpha = torch.tensor(self.alpha, device=fitted.device)
        share = dict.fromkeys(fitted.encoder_blocks, alpha)
        return Finished(mix(fitted, share, self.buffers), {"alpha": dict.fromkeys(share, self.alpha)})
