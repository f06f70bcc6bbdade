"""A candidate of a race: what it is, what it scored on which fold, and how it compares on folds that others share."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from roftbench.config.method_cards import method_cards
from roftbench.store.record_schema import Record


@dataclass(eq=False)
class Candidate:
    """A candidate in the race: its scores by fold (None: undefined), the seconds of a job, and why it fell out.

    `estimator`: it is no network, so that a fit takes seconds.
    """

    model: str
    method: str
    baseline: bool = False
    scores: dict[int, float | None] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)
    seconds: float | None = None
    failure: str = ""
    estimator: bool = False

    @property
    def quick(self) -> bool:
        """Whether no encoder is trained: seconds where the other methods take minutes."""
        return self.estimator or _is_quick(self.method)

    @property
    def name(self) -> str:
        """Model and method."""
        return f"{self.model} · {self.method}"

    @property
    def parts(self) -> tuple["Candidate", ...]:
        """The candidate alone; a blend has several."""
        return (self,)

    def covers(self, folds: int) -> bool:
        """Tell whether the candidate was judged on each of the first `folds` folds."""
        return not self.failure and set(range(folds)) <= set(self.scores)

    def loss(self, sign: int, folds: Collection[int]) -> float:
        """Return the mean over those of the folds that it has; lower is better, infinite where one is undefined."""
        scores = [value for fold, value in self.scores.items() if fold in folds]
        values = [value for value in scores if value is not None]
        if self.failure or not values or len(values) < len(scores):
            return float("inf")
        return sign * sum(values) / len(values)


def defined(candidates: Sequence[Candidate]) -> set[int]:
    """Return the folds on which somebody has a score; on others there is none to be had, for want of a class say."""
    return {fold for one in candidates for fold, score in one.scores.items() if score is not None}


def shared(candidates: Sequence[Candidate]) -> set[int]:
    """Return the folds that all of the candidates were judged on and that somebody has a score on."""
    folds = [set(one.scores) for one in candidates]
    return set.intersection(*folds) & defined(candidates) if folds else set()


def mean_of(one: Candidate, folds: Collection[int]) -> float | None:
    """Return the plain mean of a candidate's scores over those of the folds that it has; None where there is none."""
    loss = one.loss(1, folds)
    return loss if math.isfinite(loss) else None


def ahead(one: Candidate, other: Candidate, sign: int) -> bool:
    """Tell whether a candidate has the lower loss on the folds that both were judged on."""
    folds = shared([one, other])
    return bool(folds) and one.loss(sign, folds) < other.loss(sign, folds)


def _is_quick(method: str) -> bool:
    card = method_cards().get(method)
    return card is not None and card.quick
