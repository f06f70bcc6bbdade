"""Race of candidates by successive halving over folds within a budget.

Cheap candidates are judged on all folds, then networks, those of the best encoder first, on a few and the better ones
on all (Jamieson and Talwalkar 2016, AISTATS, with folds in place of epochs). A fold is an ordinary job in the store, so
the same command continues.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from roftbench.advise.budget import Budget
from roftbench.advise.candidates import Candidate, ahead, shared
from roftbench.advise.ensembling import MOST
from roftbench.advise.standing import by_cost, expected, frozen, standing
from roftbench.console import duration, say
from roftbench.formatting import counted, score_text
from roftbench.store.record_schema import Record

MARGIN = 1.3  # factor by which a job may exceed its estimated time
LOOK = 2  # folds on which networks are judged before halving: a single fold of few molecules is too uncertain
PARTITIONS = 3  # partitions into folds, if time is left


class JobProvider(Protocol):
    """Runs the jobs of a race and estimates their costs."""

    def judge(self, one: Candidate, fold: int) -> tuple[Record | None, float | None]:
        """Return the record of a job on a fold, None if it failed, and its seconds, None if it was done before."""

    def needs(self, one: Candidate, fold: int) -> dict[str, float]:
        """Return the costs of the open fits of that job by key: seconds, or 1 if jobs are counted."""

    def finals(self, parts: Sequence[Candidate], *, least: bool = False) -> dict[str, float]:
        """Return the same for the jobs after the race if these candidates win; with `least` for one seed."""


class Race:
    """Judges candidates on folds within a budget.

    A job is started only if the budget then still suffices for its candidate, and for the best one so far: for their
    other folds and the jobs after the race.

    Attributes:
        candidates: The candidates in the order of the race.
        folds: Number of folds of a partition.
        metric: Name of the metric.
        sign: 1 if lower scores are better, else -1.
        partitions: Number of partitions into folds.
        stopped: Why the race stopped before its end, or "".
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        jobs: JobProvider,
        folds: int,
        budget: Budget,
        metric: str,
        sign: int,
        partitions: int = PARTITIONS,
    ) -> None:
        self.partitions = partitions
        self.candidates, self.jobs, self.folds, self.budget = list(candidates), jobs, folds, budget
        self.metric, self.sign = metric, sign
        self.stopped = ""

    def run(self) -> None:
        """Judge candidates until the budget or the folds are used up."""
        for group in by_cost(self.candidates):
            judged = [
                self._climb(one, self.folds)
                for one in sorted(group, key=lambda one: (not one.baseline, expected(one, self.candidates)))
            ]
            if any(judged):
                for line in standing(self.candidates, self.folds, self.metric, self.sign, self.budget.words()):
                    say(line)
        networks = [one for one in self.candidates if not one.quick and not one.failure]
        self._networks(sorted(networks, key=lambda one: frozen(one.model, self.candidates, self.folds, self.sign)))
        if not self.stopped:
            self._again()

    def finalists(self) -> list[Candidate]:
        """Return quick candidates and the better half of networks among those judged on the whole first partition."""
        whole = [one for one in self.candidates if one.covers(self.folds)]
        networks = self.in_order(one for one in whole if not one.quick)
        return [*(one for one in whole if one.quick), *networks[: math.ceil(len(networks) / 2)]]

    def deciding(self) -> set[int]:
        """Return the folds that decide the race, on which all finalists were judged."""
        return shared(self.finalists())

    def ranked(self) -> list[Candidate]:
        """Return the candidates, the best first, by their mean over the folds that decide.

        They are followed by those judged on the first partition only, by those not judged on all of it, which cannot be
        recommended, and by those that failed.
        """
        folds = self.deciding()
        first = {fold for fold in folds if fold < self.folds}

        def place(one: Candidate) -> tuple[bool, bool, bool, float, int]:
            decided = bool(folds) and folds <= set(one.scores)
            among = folds if decided else first if one.covers(self.folds) else set(one.scores)
            loss = one.loss(self.sign, among)
            nothing = not one.scores or not math.isfinite(loss)
            return nothing, not one.covers(self.folds), not decided, loss, -len(one.scores)

        return sorted(self.candidates, key=place)

    def forests(self) -> list[Candidate]:
        """Return the forest on fingerprints if it was judged on the whole first partition."""
        return [one for one in self.candidates if one.baseline and one.fingerprint and one.covers(self.folds)]

    def affordable(self, parts: Sequence[Candidate]) -> bool:
        """Return whether the budget suffices for the jobs after the race if the winner has these parts."""
        return self.budget.allows(self.price(self.jobs.finals(parts)))

    def _networks(self, waiting: list[Candidate]) -> None:
        """Judge networks in waves that the budget allows to judge well, the better half of each on all folds."""
        while waiting:
            for one in waiting:
                if self._cheap(one):
                    self._climb(one, self.folds)
            waiting = [one for one in waiting if not one.failure and not one.covers(self.folds)]
            wave = self._admitted(waiting)
            before = sum(len(one.scores) for one in wave)
            self._halve(wave)
            if waiting and sum(len(one.scores) for one in wave) == before and not any(one.failure for one in wave):
                self._stop(waiting[0], self.folds)
                return
            waiting = [one for one in waiting if not one.failure and not one.covers(self.folds)]
            waiting.sort(key=lambda one: (bool(one.scores), self._behind(one)))

    def _admitted(self, waiting: Sequence[Candidate]) -> list[Candidate]:
        """Return the first candidates that the budget allows, half of them on all folds and the others on two.

        A single fold of few molecules is uncertain, so that few candidates on all folds are worth more than all on one.
        Fits shared by candidates count once. A candidate that is too expensive is skipped in favor of cheaper ones.
        """
        look = min(LOOK, self.folds)
        best = self._best()
        reserve = self._last(best) if best is not None else {}
        needed: dict[str, float] = {}
        admitted: list[Candidate] = []
        for one in waiting:
            count = len(admitted) + 1
            together = needed | self.union([one], self.folds)
            share = (look + (self.folds - look) * math.ceil(count / 2) / count) / self.folds
            after = max(self.price(reserve), self.price(self._last(one)))
            if self.budget.allows(share * self.price(together) + after):
                needed = together
                admitted.append(one)
        if 0 < len(admitted) < len(waiting):
            names = ", ".join(one.name for one in admitted)
            say(f"  the budget allows {len(admitted)} of {len(waiting)} candidates to be judged well: {names}")
        return admitted

    def _halve(self, wave: Sequence[Candidate]) -> None:
        """Judge candidates on two folds, and the better half, or as many as the budget allows, on all."""
        look = min(LOOK, self.folds)
        going = [one for one in wave if self._climb(one, look)]
        going.sort(key=lambda one: one.loss(self.sign, range(look)))
        fit = 0
        for count in range(1, len(going) + 1):
            rest = self.union(going[:count], self.folds) | self.jobs.finals(going[:1])
            fit = count if self.budget.allows(self.price(rest)) else fit
        better = going[: max(fit, math.ceil(len(going) / 2))]
        if len(better) < len(going):
            say(f"  {len(better)} of {len(going)} advance; the best so far is {better[0].name}")
        for one in better:
            self._climb(one, self.folds)

    def _again(self) -> None:
        """Judge the best on the same folds of other partitions while there is time."""
        for partition in range(1, self.partitions):
            finalists = self.finalists()
            networks = self.in_order(one for one in finalists if not one.quick)[: 2 ** (PARTITIONS - partition)]
            chosen = [one for one in finalists if one.quick or one in networks]
            for fold in range(partition * self.folds, (partition + 1) * self.folds):
                needed: dict[str, float] = {}
                for one in chosen:
                    needed |= self.jobs.needs(one, fold)
                if not chosen or not self.budget.allows(self.price(needed | self.jobs.finals(self._blend(chosen)))):
                    return
                for one in chosen:
                    self._judge(one, fold)

    def _climb(self, one: Candidate, rung: int) -> bool:
        """Judge a candidate on the first `rung` folds as far as necessary; return whether this succeeded."""
        for fold in range(rung):
            if one.failure:
                return False
            if fold not in one.scores:
                if not self._affords(one, fold):
                    self._stop(one, rung)
                    return False
                self._judge(one, fold)
        return not one.failure

    def _affords(self, one: Candidate, fold: int) -> bool:
        """Return whether the budget suffices for a job and afterwards for its candidate and the best one so far.

        For quick candidates one final seed is enough, as their scores on all folds are worth more than further seeds.
        """
        job = self.jobs.needs(one, fold)
        if not job:
            return True
        if one.quick and fold < self.folds:
            own = self.union([one], self.folds) | self.jobs.finals([one], least=True)
            return self.budget.allows(self.price(job | own))
        best = self._best()
        other = {} if best is None else self.union([best], self.folds) | self._last(best)
        own = self.union([one], self.folds) | self._last(one)
        return self.budget.allows(max(self.price(job | other), self.price(job | own)))

    def _cheap(self, one: Candidate) -> bool:
        """Return whether all remaining folds of a candidate cost less than one fold of a network."""
        trained = [other.seconds for other in self.candidates if not other.quick and other.seconds is not None]
        needed = self.union([one], self.folds)
        return not self.budget.counted and bool(trained) and self.price(needed) <= min(trained)

    def _stop(self, one: Candidate, rung: int) -> None:
        lacks = rung - len([fold for fold in one.scores if fold < rung])
        self.stopped = self.stopped or (
            f"the budget did not cover {counted(lacks, 'more fold')} of {one.name} and the final fits"
            f" ({self.budget.words()})"
        )

    def _judge(self, one: Candidate, fold: int) -> None:
        record, seconds = self.jobs.judge(one, fold)
        if seconds is not None:
            self.budget.spend(seconds)
        if record is None:
            say(f"  {one.name:<34} fold {fold + 1:<3} {one.failure}")
            return
        used = sum(value for name, value in record.seconds.items() if name.endswith("(reused)"))
        one.seconds = max(one.seconds or 0.0, record.seconds["total"] + used)
        one.records[fold] = record
        one.scores[fold] = record.scores.test[self.metric]
        shown = score_text(one.scores[fold], 4)
        spent = duration(seconds or 0.0)
        say(f"  {one.name:<34} fold {fold + 1:<3} {self.metric} {shown:<10} {spent:<12} {self.budget.words()}")

    def _last(self, one: Candidate) -> dict[str, float]:
        """Return the costs after the race if a candidate wins in a blend with the best quick ones.

        If jobs are counted, they are reserved for the candidate alone.
        """
        quick = self.in_order(other for other in self.candidates if other.quick and other.covers(self.folds))
        return self.jobs.finals([one, *quick[: 0 if self.budget.counted else MOST - 1]])

    def _blend(self, finalists: Sequence[Candidate]) -> list[Candidate]:
        """Return as many of the best candidates as a blend may have, or only the best if jobs are counted."""
        return self.in_order(finalists)[: 1 if self.budget.counted else MOST]

    def _best(self) -> Candidate | None:
        """Return the best candidate judged on all folds, or one that is ahead of it on fewer."""
        whole = self.in_order(one for one in self.candidates if one.covers(self.folds))
        if not whole:
            return None
        rivals = [one for one in self.candidates if not one.failure and not one.covers(self.folds)]
        rivals = [one for one in rivals if ahead(one, whole[0], self.sign)]
        return min([*rivals, whole[0]], key=self._behind)

    def _behind(self, one: Candidate) -> float:
        """Return the loss minus that of the best candidate judged on all folds, over the folds that both have."""
        whole = self.in_order(other for other in self.candidates if other.covers(self.folds))
        folds = shared([one, whole[0]]) if whole else set()
        return one.loss(self.sign, folds) - whole[0].loss(self.sign, folds) if folds else 0.0

    def in_order(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return candidates judged on the whole first partition, the best first."""
        found = list(candidates)
        folds = {fold for fold in shared(found) if fold < self.folds}
        return sorted(found, key=lambda one: one.loss(self.sign, folds))

    def union(self, candidates: Iterable[Candidate], folds: int) -> dict[str, float]:
        """Return the costs of the open fits of candidates on the first folds; shared fits count once."""
        found: dict[str, float] = {}
        for one in candidates:
            for fold in range(folds):
                if fold not in one.scores:
                    found |= self.jobs.needs(one, fold)
        return found

    def price(self, needed: dict[str, float]) -> float:
        """Return the seconds, with a margin, or the number of jobs of such costs."""
        return sum(needed.values()) * (1 if self.budget.counted else MARGIN)
