"""Candidates of a race: their scores by fold and comparisons on shared folds."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from roftbench.config.method_cards import method_cards
from roftbench.store.record_schema import Record


@dataclass(eq=False)
class Candidate:
    """A model and method in a race.

    Attributes:
        model: Name of the model.
        method: Name of the method.
        baseline: Whether it is a baseline.
        scores: Scores by fold, None where undefined.
        records: Records by fold.
        seconds: Duration of its longest job.
        failure: Why a job failed, or "".
        estimator: Whether it is an estimator, which is fitted in seconds, and not a network.
        fingerprint: Whether its features are a fingerprint, which needs no encoder.
    """

    model: str
    method: str
    baseline: bool = False
    scores: dict[int, float | None] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)
    seconds: float | None = None
    failure: str = ""
    estimator: bool = False
    fingerprint: bool = False

    @property
    def quick(self) -> bool:
        """Whether no encoder is trained, so that a job takes seconds and not minutes."""
        card = method_cards().get(self.method)
        return self.estimator or (card is not None and card.quick)

    @property
    def name(self) -> str:
        """Model and method."""
        return f"{self.model} · {self.method}"

    @property
    def parts(self) -> tuple["Candidate", ...]:
        """The candidate alone; a blend has several."""
        return (self,)

    def covers(self, folds: int) -> bool:
        """Return whether the candidate was judged on each of the first `folds` folds."""
        return not self.failure and set(range(folds)) <= set(self.scores)

    def loss(self, sign: int, folds: Collection[int]) -> float:
        """Return its mean over those of the folds that it has, lower is better; infinite if one is undefined."""
        scores = [value for fold, value in self.scores.items() if fold in folds]
        values = [value for value in scores if value is not None]
        if self.failure or not values or len(values) < len(scores):
            return float("inf")
        return sign * sum(values) / len(values)


def defined(candidates: Sequence[Candidate]) -> set[int]:
    """Return the folds on which any candidate has a score; others may lack a class."""
    return {fold for one in candidates for fold, score in one.scores.items() if score is not None}


def shared(candidates: Sequence[Candidate]) -> set[int]:
    """Return the folds on which all candidates were judged and any has a score."""
    folds = [set(one.scores) for one in candidates]
    return set.intersection(*folds) & defined(candidates) if folds else set()


def mean_of(one: Candidate, folds: Collection[int]) -> float | None:
    """Return the mean of a candidate's scores over those of the folds that it has, or None."""
    loss = one.loss(1, folds)
    return loss if math.isfinite(loss) else None


def ahead(one: Candidate, other: Candidate, sign: int) -> bool:
    """Return whether a candidate has the lower loss on the folds on which both were judged."""
    folds = shared([one, other])
    return bool(folds) and one.loss(sign, folds) < other.loss(sign, folds)
