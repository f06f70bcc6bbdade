"""Linear probing followed by full fine-tuning (LP-FT)."""

from dataclasses import dataclass

from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import HEAD


@dataclass(frozen=True)
class LPFT(Method):
    """Training of the head, then of everything from the head's best weights on (Kumar et al., ICLR 2022)."""

    def stages(self) -> list[Stage]:
        """Return the stage of linear probing, which is shared with `lp`, and that of full fine-tuning."""
        return [Stage("lp", blocks=(HEAD,)), Stage("ft")]
