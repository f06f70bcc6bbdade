"""The fits that soups and ensembles are made of."""

from dataclasses import dataclass

from roftbench.errors import check_choice, check_range
from roftbench.methods.base import Member, Method, Stage
from roftbench.methods.bss import BSS
from roftbench.methods.feature_map import FeatureMap
from roftbench.methods.l2_sp import L2SP

SEEDS, LR = "seeds", "lr"
PENALTIES = {"l2_sp": L2SP, "feature_map": FeatureMap, "bss": BSS}
WEIGHTS = [1.0, 0.1, 0.01, 0.001, 0.0001]  # the grid of the penalties in their configs
RATES = [0.0003, 0.001, 0.003]


@dataclass(frozen=True)
class FullFTAtRate(Method):
    """Full fine-tuning at a learning rate."""

    lr: float

    def stages(self) -> list[Stage]:
        """Return one stage of all blocks."""
        return [Stage("ft", lr=self.lr)]


@dataclass(frozen=True)
class Ingredients(Method):
    """Base class of methods that combine several fits from one start.

    Attributes:
        of: what the fits are: `l2_sp`, `feature_map` or `bss` with several weights, or full fine-tuning with several
            learning rates (`lr`).
        values: the weights or learning rates; None for those of the method's grid, or a third to three times 10⁻³.
    """

    of: str = "l2_sp"
    values: list[float] | None = None

    def __post_init__(self) -> None:
        check_choice("of", self.of, (*PENALTIES, LR))
        for value in self.values or ():
            check_range("values", value, 0, open_low=self.of == LR)

    def members(self) -> list[Member]:
        """Return one fit per value."""
        values = self.values or (RATES if self.of == LR else WEIGHTS)
        return [Member(FullFTAtRate(one) if self.of == LR else PENALTIES[self.of](weight=one)) for one in values]
