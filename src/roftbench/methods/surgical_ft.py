"""Surgical fine-tuning: one block and the head are trained."""

from dataclasses import dataclass

from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import HEAD


@dataclass(frozen=True)
class SurgicalFT(Method):
    """Training of one block, batch norm included, and the head; the rest is frozen (Lee et al., ICLR 2023)."""

    block: str = "layer0"

    def stages(self) -> list[Stage]:
        """Return one stage that trains the chosen block and the head."""
        return [Stage("ft", blocks=(self.block, HEAD))]
