"""Result of a race: the recommendation, comparisons with it, and its test score."""

from dataclasses import dataclass, field
from pathlib import Path

from roftbench.advise.candidates import Candidate
from roftbench.advise.ending import Ending
from roftbench.advise.evidence import Evidence
from roftbench.advise.learning_curve import LearningCurve
from roftbench.advise.next_labels import Ranked
from roftbench.advise.null import Null
from roftbench.advise.significance import Difference
from roftbench.data.quality.verdict import Finding


@dataclass(frozen=True)
class Tested:
    """Scores on the test part by seed, and the keys of the jobs behind them."""

    scores: list[float | None]
    jobs: list[str]

    @property
    def mean(self) -> float | None:
        """Mean over the seeds, None if a score is undefined."""
        values = [score for score in self.scores if score is not None]
        return sum(values) / len(values) if values and len(values) == len(self.scores) else None


@dataclass(frozen=True)
class Saved:
    """Saved models.

    Attributes:
        folders: Their folders.
        score: Test score of their mean.
        intervals: Coverage of their intervals in words.
        name: Their name.
        commands: Commands that use them by this name.
    """

    folders: list[Path] = field(default_factory=list)
    score: float | None = None
    intervals: str = ""
    name: str = ""
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Advice:
    """Result of a race.

    Attributes:
        dataset: Name of the data set.
        metric: Name of its metric.
        labels: Number of labeled molecules.
        tested: Number of test molecules.
        count: Number of folds.
        by: What is kept in one fold, "scaffold" or "random".
        budget: The budget as given.
        ranked: Candidates, the best first.
        deciding: Folds that decide the order.
        behind: Winner minus candidate over the folds that both have, by name; intervals hold for all comparisons.
        null: The null model.
        test: Test scores of the winner (one per seed) and of baselines for which there was time, by name.
        curve: Learning curve of the best estimator, None without one.
        ending: What the budget left open.
        commands: Commands that repeat the winner's jobs.
        saved: The winner's saved models.
        production: Commands that cross-validate the winner and save models of it that are fitted to all labels.
        pretrained: Names of candidates with pretrained weights.
        warnings: Warnings about the data.
        quality: Verdict on the data.
        evidence: Predictions for the folds.
        next: What to measure next, None without `advise.pool`.
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
    curve: LearningCurve | None
    ending: Ending
    commands: list[str]
    saved: Saved
    production: list[str]
    pretrained: frozenset[str]
    warnings: list[str]
    quality: list[Finding]
    evidence: Evidence
    next: Ranked | None

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
        """The folds in words."""
        what = "whole scaffolds" if self.by == "scaffold" else "molecules"
        folds = f"{self.count} folds of {what} within the {self.labels} labeled ones"
        return f"{folds}; {self.tested} test molecules untouched"
