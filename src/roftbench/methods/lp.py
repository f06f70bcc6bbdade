"""Linear probing."""

from dataclasses import dataclass
from typing import ClassVar

from roftbench.errors import check_choice
from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import HEAD

ADAM, CONVERGED = "adam", "converged"


@dataclass(frozen=True)
class LinearProbing(Method):
    """Training of the head alone, on the representations of the frozen pretrained encoder.

    Attributes:
        head: "adam", as in the paper, trains like any other stage. "converged" fits ridge or logistic regression to its
            optimum, with a penalty chosen on the validation part (`runner.converged_head`). With 50 labels, 100 epochs
            of Adam are 200 steps, and how far these lead depends on the scale of the representations.
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ("head",)

    head: str = ADAM

    def __post_init__(self) -> None:
        check_choice("head", self.head, (ADAM, CONVERGED))

    @property
    def protocol(self) -> int | None:
        """Version 2 of a converged head: up to 1, features of embeddings that hardly vary could explode."""
        return 2 if self.head == CONVERGED else None

    def stages(self) -> list[Stage]:
        """Return one stage that trains the head."""
        return [Stage("lp", blocks=(HEAD,), converged=self.head == CONVERGED)]
