"""WiSE-FT: interpolation of all weights with one coefficient."""

from dataclasses import dataclass

import torch

from roftbench.methods.base import Finished, Fitted
from roftbench.methods.interpolate import Interpolation, mix


@dataclass(frozen=True)
class WiSEFT(Interpolation):
    """Interpolation θ = (1 − α)θ⁰ + αθᶠ of pretrained and fine-tuned weights (Wortsman et al., CVPR 2022)."""

    def finish(self, fitted: Fitted) -> Finished:
        """Return the weights with every block of the encoder interpolated by α."""
        alpha = torch.tensor(self.alpha, device=fitted.device)
        share = dict.fromkeys(fitted.encoder_blocks, alpha)
        return Finished(mix(fitted, share, self.buffers), {"alpha": dict.fromkeys(share, self.alpha)})
