"""Linear probing."""

from dataclasses import dataclass

from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import HEAD


@dataclass(frozen=True)
class LinearProbing(Method):
    """Train the head on the representations of the frozen pretrained encoder."""

    def stages(self) -> list[Stage]:
        """One phase in which only the head moves."""
        return [Stage("lp", blocks=(HEAD,))]
