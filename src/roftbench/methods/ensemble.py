"""Ensemble: the mean of the predictions of several fits, the control of soups."""

from dataclasses import dataclass

from roftbench.errors import check_choice, check_range
from roftbench.methods.base import Member
from roftbench.methods.full_ft import FullFT
from roftbench.methods.ingredients import LR, PENALTIES, SEEDS, Ingredients


@dataclass(frozen=True)
class DeepEnsemble(Ingredients):
    """Mean of predicted values or probabilities (Lakshminarayanan et al., NeurIPS 2017), by default of several seeds.

    The seeds are the job's and those after it, so that the fits are those of `full_ft`, and jobs with neighboring seeds
    share members.

    Attributes:
        of: `seeds`, or as for soups.
        size: number of seeds.
    """

    of: str = SEEDS
    size: int = 5

    def __post_init__(self) -> None:
        check_choice("of", self.of, (SEEDS, *PENALTIES, LR))
        check_range("size", self.size, 2)
        if self.of != SEEDS:
            super().__post_init__()

    def members(self) -> list[Member]:
        """Return one fit per seed, full fine-tuning, or per value."""
        if self.of == SEEDS:
            return [Member(FullFT(), seed=number) for number in range(self.size)]
        return super().members()
