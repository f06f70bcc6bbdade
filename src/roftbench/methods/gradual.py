"""Gradual unfreezing, and learning rates of blocks."""

from dataclasses import dataclass

from roftbench.errors import check_range
from roftbench.methods.base import Method, Stage


@dataclass(frozen=True)
class Gradual(Method):
    """Training of the head at first, which one block after another joins, from the last to the first.

    As in ULMFiT (Howard and Ruder, ACL 2018), with a constant learning rate per block.

    Attributes:
        unfreeze_every: epochs after which the next block joins; 0 for all from the start.
        lr_decay: learning rate of a block, divided by that of the block after it; the head's is `train.lr`. ULMFiT has
            1/2.6.
        lrs: learning rate by block, which replaces the one that `lr_decay` gives.
    """

    unfreeze_every: int = 5
    lr_decay: float = 1.0
    lrs: dict[str, float] | None = None

    def __post_init__(self) -> None:
        check_range("unfreeze_every", self.unfreeze_every, 0)
        self.stages()  # which checks the learning rates

    def stages(self) -> list[Stage]:
        """Return one stage, in which blocks join."""
        return [Stage("ft", unfreeze_every=self.unfreeze_every or None, lr_decay=self.lr_decay, lrs=self.lrs)]
