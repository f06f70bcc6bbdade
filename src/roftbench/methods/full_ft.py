"""Full fine-tuning: the baseline that every other method changes."""

from dataclasses import dataclass

from roftbench.methods.base import Method


@dataclass(frozen=True)
class FullFT(Method):
    """Train all blocks and the head from the pretrained weights."""
