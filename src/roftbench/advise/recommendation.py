"""What came out of a race: who is recommended, how everybody compares with it, and its score on the test part."""

from dataclasses import dataclass, field
from pathlib import Path

from roftbench.advise.candidates import Candidate
from roftbench.advise.ending import Ending
from roftbench.advise.null import Null
from roftbench.advise.significance import Difference


@dataclass(frozen=True)
class Tested:
    """Scores on the test part by seed, and the keys of the jobs behind them."""

    scores: list[float | None]
    jobs: list[str]

    @property
    def mean(self) -> float | None:
        """The mean over the seeds; None where a score is undefined."""
        values = [score for score in self.scores if score is not None]
        return sum(values) / len(values) if values and len(values) == len(self.scores) else None


@dataclass(frozen=True)
class Kept:
    """The models that were kept: their folders, the test score of their mean, and what their intervals are worth."""

    folders: list[Path] = field(default_factory=list)
    score: float | None = None
    intervals: str = ""


@dataclass(frozen=True)
class Advice:
    """What came out: the candidates in order, how each differs from the first, and the first ones on the test part.

    `deciding` are the folds that decided. `behind` are mean differences over the folds that both have, the winner minus
    the candidate, with intervals for as many comparisons as there are. `test` has the winner (a score for each member),
    and baselines for which there was time, on the outer parts. `half` is the winner with half of the training
    molecules, minus the winner with all of them. `pretrained` are names of candidates. `warnings`: on the data.
    """

    dataset: str
    metric: str
    labels: int
    tested: int
    count: int
    by: str
    budget: str
    ranked: list[Candidate]
    deciding: frozenset[int]
    behind: dict[str, Difference]
    null: Null
    test: dict[str, Tested]
    half: Difference | None
    ending: Ending
    commands: list[str]
    kept: Kept
    pretrained: frozenset[str]
    warnings: list[str]

    @property
    def winner(self) -> Candidate:
        """The best candidate."""
        return self.ranked[0]

    @property
    def whole(self) -> list[Candidate]:
        """The candidates that were judged on the whole first partition."""
        return [one for one in self.ranked if one.covers(self.count)]

    @property
    def folds(self) -> str:
        """How the labeled molecules were folded, in words."""
        what = "whole scaffolds" if self.by == "scaffold" else "molecules"
        folds = f"{self.count} folds of {what} within the {self.labels} labeled ones"
        return f"{folds}; {self.tested} test molecules untouched"
