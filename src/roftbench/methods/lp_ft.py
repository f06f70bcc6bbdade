"""Linear probing, then fine-tuning."""

from dataclasses import dataclass

from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import HEAD


@dataclass(frozen=True)
class LPFT(Method):
    """Train the head first and keep its best weights, then train everything from there (Kumar et al., ICLR 2022)."""

    def stages(self) -> list[Stage]:
        """The phase of linear probing (shared with `lp`), then full fine-tuning."""
        return [Stage("lp", blocks=(HEAD,)), Stage("ft")]
