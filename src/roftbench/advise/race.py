"""The race: candidates are judged on one fold, the better ones on two, and so on, while the budget lasts.

Successive halving (Jamieson and Talwalkar 2016, AISTATS) over folds instead of epochs: a fold is an ordinary job, so
that all of it is in the store, and the same command goes on where it was.
"""

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, zip_longest
from typing import Protocol

import numpy as np

from roftbench.progress import duration, say
from roftbench.store import Record

MARGIN = 1.3  # by how much a job may take longer than the last one like it
CHEAP = 0.02  # share of the budget that all folds of a candidate may cost to be judged on them at once
QUICK = ("lp", "random_forest")
FEWEST = 2  # candidates that take part beside the quick ones and the baselines, however short the time
PARTITIONS = 3  # how often the molecules are folded anew, if time is left


class Course(Protocol):
    """The jobs of a race."""

    def judge(self, one: "Runner", fold: int) -> tuple[Record | None, bool]:
        """Return the record of a candidate's job on a fold, None if it failed, and whether it was there before."""

    def known(self, one: "Runner", fold: int) -> bool:
        """Tell whether that job is done, so that it costs nothing."""

    def expected(self, one: "Runner") -> float:
        """Return how many seconds a job may take of a candidate like which none has run."""


@dataclass(eq=False)
class Runner:
    """A candidate in the race: its scores by fold (None: undefined), the seconds of a job, and why it fell out."""

    model: str
    method: str
    baseline: bool = False
    scores: dict[int, float | None] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)
    seconds: float | None = None
    failure: str = ""

    @property
    def quick(self) -> bool:
        """Whether no encoder is trained: seconds where the other methods take minutes."""
        return self.method in QUICK

    @property
    def name(self) -> str:
        """Model and method."""
        return f"{self.model} · {self.method}"

    @property
    def parts(self) -> tuple["Runner", ...]:
        """The candidate alone; a blend has several."""
        return (self,)

    def loss(self, sign: int, folds: Collection[int]) -> float:
        """Return the mean over those of the folds that it has; lower is better, infinite where one is undefined."""
        scores = [value for fold, value in self.scores.items() if fold in folds]
        values = [value for value in scores if value is not None]
        if self.failure or not values or len(values) < len(scores):
            return float("inf")
        return sign * sum(values) / len(values)


def defined(runners: Sequence[Runner]) -> set[int]:
    """Return the folds on which somebody has a score; on others there is none to be had, for want of a class say."""
    return {fold for one in runners for fold, score in one.scores.items() if score is not None}


def levels(runners: Sequence[Runner]) -> dict[str, float]:
    """Return the mean score of each candidate as if all had been judged on the same folds.

    Folds differ in difficulty, and not all candidates have the same ones: a score is taken as a number of the candidate
    plus one of the fold (least squares). Where all have the same folds it is the plain mean. Folds on which nobody has
    a score do not count. Candidates that failed, or have no score where others have one, are left out.
    """
    folds = sorted(defined(runners))
    known = [one for one in runners if math.isfinite(one.loss(1, folds))]
    pairs = [
        (i, folds.index(fold), score)
        for i, one in enumerate(known)
        for fold, score in one.scores.items()
        if score is not None
    ]
    design = np.zeros((len(pairs), len(known) + len(folds)))
    for row, (i, fold, _) in enumerate(pairs):
        design[row, [i, len(known) + fold]] = 1
    solution = np.linalg.lstsq(design, np.array([score for _, _, score in pairs], np.float64), rcond=None)[0]
    return {one.name: float(solution[i] + solution[len(known) :].mean()) for i, one in enumerate(known)}


class Budget:
    """What is left of a time, or of a number of jobs; a job that was done before costs nothing."""

    def __init__(self, seconds: float | None, jobs: int | None) -> None:
        self.seconds, self.jobs = seconds, jobs
        self.began = time.monotonic()
        self.done = 0

    def left(self) -> float:
        """Return the seconds that are left; without end where jobs are counted."""
        return float("inf") if self.seconds is None else self.seconds - (time.monotonic() - self.began)

    def allows(self, seconds: float, jobs: int = 1) -> bool:
        """Tell whether jobs of so many seconds in all may still begin."""
        if self.jobs is not None:
            return self.done + jobs <= self.jobs
        return seconds <= self.left()

    def words(self) -> str:
        """Return what is left, in words."""
        return (
            f"{self.jobs - self.done} jobs left" if self.jobs is not None else f"{duration(max(0, self.left()))} left"
        )


class Race:
    """Runs candidates over folds within a budget.

    `sign` makes a lower score the better one; `members` jobs of the winner and one of each baseline must still fit in
    after the race, where time is counted of each quick baseline.
    """

    def __init__(
        self,
        runners: Sequence[Runner],
        course: Course,
        folds: int,
        budget: Budget,
        metric: str,
        sign: int,
        members: int,
    ) -> None:
        self.runners, self.course, self.folds, self.budget = list(runners), course, folds, budget
        self.metric, self.sign, self.members = metric, sign, members
        self.stopped = ""

    def run(self) -> None:
        """Race to the end of the budget, or of the folds."""
        rungs = sorted({1, min(2, self.folds), *(self.folds * (1 + more) for more in range(PARTITIONS))})
        # Baselines are judged on every fold that anybody is; what trains no encoder tells something within seconds.
        first = [one for one in self.runners if one.baseline or one.quick]
        others = [one for one in self.runners if one not in first]
        first.sort(key=lambda one: (not one.quick, not one.baseline))
        running = [one for one in first if self._climb(one, 1)]
        running += self._admitted(others)
        for rung, following in zip_longest(rungs, rungs[1:]):
            running = [one for one in sorted(running, key=lambda one: not one.quick) if self._climb(one, rung)]
            if following is not None:
                running = self._survivors(running, rung, following)

    def ranked(self, *more: Runner) -> list[Runner]:
        """Return the candidates, and those given, by `levels`; those judged on less than a partition come last."""
        runners = [*self.runners, *more]
        losses = {name: self.sign * level for name, level in levels(runners).items()}
        most = min(self.folds, max((len(one.scores) for one in runners if one.name in losses), default=0))

        def place(one: Runner) -> tuple[bool, bool, float, int]:
            shown = one.name in losses
            return not shown, len(one.scores) < most, losses[one.name] if shown else 0.0, -len(one.scores)

        return sorted(runners, key=place)

    def affordable(self, parts: Sequence[Runner]) -> bool:
        """Tell whether the jobs after the race still fit in if the winner has these parts."""
        members = len(parts) * self.members
        return self.budget.allows(self._after(parts), members + self._baselines())

    def _climb(self, one: Runner, rung: int) -> bool:
        """Judge a candidate on the folds that it lacks, on all where that costs little; returns whether it could be."""
        fold = 0
        while fold < (max(rung, self.folds) if self._cheap(one) else rung):
            if fold not in one.scores and not one.failure:
                if not (self.course.known(one, fold) or self._affords(one)):
                    self.stopped = self.stopped or (
                        f"the budget ended with {one.name} at {len(one.scores)} of {rung} folds"
                    )
                    return False
                self._judge(one, fold)
            fold += 1
        return True

    def _affords(self, one: Runner) -> bool:
        """Tell whether another job of a candidate, and those after the race, still fit in."""
        return self.budget.allows(self._guess(one) + self._reserve(), 1 + self.members + self._baselines())

    def _cheap(self, one: Runner) -> bool:
        seconds = self.budget.seconds
        return one.seconds is not None and seconds is not None and one.seconds * self.folds <= CHEAP * seconds

    def _admitted(self, others: list[Runner]) -> list[Runner]:
        """Return the first candidates for whom there is time: on one fold, half of them on two, a quarter on all.

        One fold of few molecules tells little, so few candidates on all folds are worth more than all on one.
        """
        if self.budget.seconds is None:
            return others
        for one in others:
            if self.course.known(one, 0):  # it costs nothing, and tells what the next one will
                self._judge(one, 0)
        folds = 1 + 1 / 2 + max(0, self.folds - 2) / 4
        left = self.budget.left() - self._reserve()
        left -= sum(self._cost(one, self.folds) for one in self.runners if one.baseline or one.quick)
        admitted: list[Runner] = []
        for one in others:
            left -= folds * self._guess(one)
            if left < 0 and len(admitted) >= FEWEST:  # of those after it nothing has to be measured
                break
            admitted.append(one)
        if len(admitted) < len(others):
            names = ", ".join(one.name for one in admitted)
            say(f"  there is time for {len(admitted)} of {len(others)} candidates to be judged well: {names}")
        return admitted

    def _judge(self, one: Runner, fold: int) -> None:
        began = time.monotonic()
        record, old = self.course.judge(one, fold)
        spent = time.monotonic() - began
        self.budget.done += not old
        if record is None:
            say(f"  {one.name:<34} fold {fold + 1:<3} {one.failure}")
            return
        shared = sum(value for name, value in record["seconds"].items() if name.endswith("(reused)"))
        one.seconds = max(one.seconds or 0.0, float(record["seconds"]["total"]) + shared)
        one.records[fold] = record
        one.scores[fold] = record["scores"]["test"][self.metric]
        value = one.scores[fold]
        shown = "undefined" if value is None else f"{value:.4f}"
        say(
            f"  {one.name:<34} fold {fold + 1:<3} {self.metric} {shown:<10} {duration(spent):<12} {self.budget.words()}"
        )

    def _survivors(self, running: Sequence[Runner], judged: int, rung: int) -> list[Runner]:
        """Return the baselines, and the better half of the others, or more of them if their next folds fit in.

        All have been judged on the first `judged` folds.
        """
        folds = [fold for fold in defined(self.runners) if fold < judged]
        ranked = sorted((one for one in running if not one.failure), key=lambda one: one.loss(self.sign, folds))
        others = [one for one in ranked if not one.baseline]
        time_left = self.budget.left() - self._reserve()
        time_left -= sum(self._cost(one, rung) for one in ranked if one.baseline and one.quick)
        costs = accumulate(self._cost(one, max(rung, self.folds)) for one in others)
        fit = sum(cost <= time_left for cost in costs) if self.budget.jobs is None else 0
        kept = others[: max(fit, math.ceil(len(others) / 2))]
        if len(kept) < len(others):
            say(f"  {len(kept)} of {len(others)} go on, the best so far {kept[0].name}")
        return [*(one for one in ranked if one.baseline), *kept]

    def _cost(self, one: Runner, rung: int) -> float:
        return MARGIN * (one.seconds or 0.0) * max(0, rung - len(one.scores))

    def _guess(self, one: Runner) -> float:
        """Return how long the next job of a candidate may take: as its last one, or as the longest of one like it."""
        if one.seconds is not None:
            return MARGIN * one.seconds
        timed = [other for other in self.runners if other.seconds is not None and other.quick == one.quick]
        known = [other.seconds or 0.0 for other in timed if one.quick or other.model == one.model]
        return MARGIN * (max(known) if known else self.course.expected(one))

    def _reserve(self) -> float:
        """Return the seconds that the jobs after the race may take if the best candidate so far wins."""
        known = [one for one in self.runners if one.seconds is not None and not one.failure]
        folds = defined(known)
        return self._after([min(known, key=lambda one: one.loss(self.sign, folds))]) if known else 0.0

    def _after(self, winners: Sequence[Runner]) -> float:
        """Return the seconds of the jobs after the race."""
        baselines = sum(one.seconds or 0.0 for one in self.runners if one.baseline and one.quick)
        return self.after(self.members * sum(one.seconds or 0.0 for one in winners) + baselines)

    def after(self, seconds: float) -> float:
        """Return how long jobs that took so long on a fold may take on the outer parts, which are larger."""
        return MARGIN * self.folds / (self.folds - 1) * seconds

    def _baselines(self) -> int:
        return sum(one.baseline for one in self.runners)
