"""Full fine-tuning, from which every other method differs in one or two hooks."""

from dataclasses import dataclass

from roftbench.methods.base import Method


@dataclass(frozen=True)
class FullFT(Method):
    """Training of all blocks and the head from the pretrained weights."""
