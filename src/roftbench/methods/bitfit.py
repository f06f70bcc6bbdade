"""BitFit: biases and norms are trained."""

from dataclasses import dataclass

from roftbench.errors import check_choice
from roftbench.methods.base import Method, Stage

BIASES, NORMS = ("*bias",), ("*norm*", "*.bn*")
PATTERNS: dict[str, tuple[str, ...]] = {"biases": BIASES, "norms": NORMS, "both": (*BIASES, *NORMS)}


@dataclass(frozen=True)
class BitFit(Method):
    """Training of the encoder's biases and norms, and of the head (Ben Zaken et al., ACL 2022).

    Parameters are found by their names, which end in "bias", or contain "norm" or ".bn". Running statistics adapt.

    Attributes:
        trained: "biases" (those of norms included), "norms" or "both".
    """

    trained: str = "both"

    def __post_init__(self) -> None:
        check_choice("trained", self.trained, PATTERNS)

    def stages(self) -> list[Stage]:
        """Return one stage that trains the chosen parameters."""
        return [Stage("ft", parameters=PATTERNS[self.trained])]
