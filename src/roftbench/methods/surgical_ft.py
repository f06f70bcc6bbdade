"""Surgical fine-tuning."""

from dataclasses import dataclass

from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import HEAD


@dataclass(frozen=True)
class SurgicalFT(Method):
    """Train one block, batch norm included, and the head; freeze the rest (Lee et al., ICLR 2023)."""

    block: str = "layer0"

    def stages(self) -> list[Stage]:
        """One phase in which the chosen block and the head move."""
        return [Stage("ft", blocks=(self.block, HEAD))]
