"""Linear probing."""

from dataclasses import dataclass
from typing import ClassVar

from roftbench.errors import check_choice
from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import HEAD

ADAM, CONVERGED = "adam", "converged"


@dataclass(frozen=True)
class LinearProbing(Method):
    """Train the head on the representations of the frozen pretrained encoder.

    head: "adam", the paper's, takes the steps of any other training stage; "converged" fits ridge or logistic
    regression to its optimum, with a penalty chosen on the validation part (`runner.converged_head`). Adam's 100 epochs
    on 50 labels are 200 steps: how far they get depends on the scale of the representations.
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ("head",)

    head: str = ADAM

    def __post_init__(self) -> None:
        check_choice("head", self.head, (ADAM, CONVERGED))

    def stages(self) -> list[Stage]:
        """One phase in which only the head moves."""
        return [Stage("lp", blocks=(HEAD,), converged=self.head == CONVERGED)]
