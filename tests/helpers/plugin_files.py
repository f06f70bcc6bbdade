"""A method of a user's own, as files beside a config folder."""

LINES_METHOD = '''"""LiNeS: layer-scaled interpolation after full fine-tuning (Wang et al., ICLR 2025)."""

from dataclasses import dataclass

import torch

from roftbench.errors import check_range
from roftbench.methods.base import Finished, Fitted, Method
from roftbench.methods.interpolate import mix


@dataclass(frozen=True)
class LiNeS(Method):
    """Share of fine-tuned weights: `alpha` in the first block, rising in equal steps to 1 in the last."""

    alpha: float = 0.5

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)

    def finish(self, fitted: Fitted) -> Finished:
        """Interpolate each block with the share of its depth."""
        blocks = fitted.encoder_blocks
        steps = torch.linspace(self.alpha, 1, len(blocks))
        return Finished(
            mix(fitted, dict(zip(blocks, steps, strict=True)), "interpolate"),
            {"alpha": dict(zip(blocks, steps.tolist(), strict=True))},
        )
'''
LINES_YAML = """\
name: {module}
summary: layer-scaled interpolation after full fine-tuning
_target_: {module}.LiNeS
alpha: 0.5
search: false
grid: {{ alpha: [0.1, 1] }}
"""
