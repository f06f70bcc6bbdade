"""LiNeS: interpolation with a share that rises from the first layer to the last."""

import re
from dataclasses import dataclass

import torch

from roftbench.errors import SkipJob
from roftbench.methods.base import Finished, Fitted
from roftbench.methods.interpolate import Interpolation, mix


@dataclass(frozen=True)
class LiNeS(Interpolation):
    """Interpolation θ = θ⁰ + s·(θᶠ − θ⁰) with s per block (Wang et al., ICLR 2025, arXiv 2410.17146).

    s is α + (1 − α)·l/(L − 1) in the message-passing layer l = 0, …, L − 1, and α in other blocks such as the
    embedding; the head stays as tuned.
    """

    def finish(self, fitted: Fitted) -> Finished:
        """Return the interpolated weights; raises SkipJob where fewer than two blocks are message-passing layers."""
        layers = [block for block in fitted.encoder_blocks if re.fullmatch(r"layer\d+", block)]
        if len(layers) < 2:
            raise SkipJob(
                "LiNeS needs at least two message-passing layers, blocks 'layer0', 'layer1', …; this encoder has"
                f" {', '.join(fitted.encoder_blocks)}"
            )
        shares = dict.fromkeys(fitted.encoder_blocks, self.alpha)
        shares |= {block: self.alpha + (1 - self.alpha) * i / (len(layers) - 1) for i, block in enumerate(layers)}
        tensors = {block: torch.tensor(share, device=fitted.device) for block, share in shares.items()}
        return Finished(mix(fitted, tensors, self.buffers), {"alpha": shares})
