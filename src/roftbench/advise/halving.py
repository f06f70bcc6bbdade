"""The race: what is cheap is judged on all folds, then networks, the better ones on all folds, while the budget lasts.

Successive halving (Jamieson and Talwalkar 2016, AISTATS) over folds instead of epochs: a fold is an ordinary job, so
that all of it is in the store, and the same command goes on where it was.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from roftbench.advise.budget import Budget
from roftbench.advise.candidates import Candidate, ahead, shared
from roftbench.console import duration, say
from roftbench.formatting import score_text
from roftbench.store.record_schema import Record

MARGIN = 1.3  # by how much a job may take longer than records let expect
LOOK = 2  # folds on which networks are judged before the better half goes on: one fold of few molecules tells little
PARTITIONS = 3  # how often the molecules are folded in all, if time is left


class JobProvider(Protocol):
    """The jobs of a race."""

    def judge(self, one: Candidate, fold: int) -> tuple[Record | None, float | None]:
        """Return the record of a candidate's job on a fold, None if it failed, and its seconds, None if it was done."""

    def needs(self, one: Candidate, fold: int) -> dict[str, float]:
        """Return what that job has to fit, by name, and what each takes: seconds, or 1 job. Nothing if it is done."""

    def finals(self, parts: Sequence[Candidate], *, least: bool = False) -> dict[str, float]:
        """Return the same of the jobs after the race if these candidates win; `least`: of one seed alone."""


class Race:
    """Runs candidates over folds within a budget.

    `sign` makes a lower score the better one; `partitions` is how often the molecules are folded. No job begins that
    would leave the best candidate so far, or its own one, without what these still need: other folds, and the jobs
    after the race.
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
        """Race to the end of the budget, or of the folds."""
        quick = sorted((one for one in self.candidates if one.quick), key=lambda one: not one.baseline)
        for one in quick:
            self._climb(one, self.folds)
        self._networks([one for one in self.candidates if not one.quick and not one.failure])
        if not self.stopped:
            self._again()

    def finalists(self) -> list[Candidate]:
        """Return those judged on the whole first partition: what is quick, and the better half of the networks."""
        whole = [one for one in self.candidates if one.covers(self.folds)]
        networks = self.in_order(one for one in whole if not one.quick)
        return [*(one for one in whole if one.quick), *networks[: math.ceil(len(networks) / 2)]]

    def deciding(self) -> set[int]:
        """Return the folds that decide: those on which all finalists were judged."""
        return shared(self.finalists())

    def ranked(self) -> list[Candidate]:
        """Return the candidates, the best first: by their mean over the folds that decide.

        After them come those that were judged on the first partition alone, by that; then those that were not judged on
        all of it, which cannot be recommended; then those that failed.
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

    def affordable(self, parts: Sequence[Candidate]) -> bool:
        """Tell whether the jobs after the race still fit in if the winner has these parts."""
        return self.budget.allows(self.price(self.jobs.finals(parts)))

    def _networks(self, waiting: list[Candidate]) -> None:
        """Judge networks in waves: as many as can be judged well, the better half of them on all folds."""
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
        """Return the first candidates for whom there is time: half of them on all folds, the others on two.

        One fold of few molecules tells little, so few candidates on all folds are worth more than all on one. Fits
        that candidates share are counted once. A candidate that does not fit in leaves its place to cheaper ones.
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
            say(f"  there is time for {len(admitted)} of {len(waiting)} candidates to be judged well: {names}")
        return admitted

    def _halve(self, wave: Sequence[Candidate]) -> None:
        """Judge candidates on two folds, and the better half, or as many as fit in, on all."""
        look = min(LOOK, self.folds)
        going = [one for one in wave if self._climb(one, look)]
        going.sort(key=lambda one: one.loss(self.sign, range(look)))
        fit = 0
        for count in range(1, len(going) + 1):
            rest = self.union(going[:count], self.folds) | self._after(going[:1])
            fit = count if self.budget.allows(self.price(rest)) else fit
        kept = going[: max(fit, math.ceil(len(going) / 2))]
        if len(kept) < len(going):
            say(f"  {len(kept)} of {len(going)} go on, the best so far {kept[0].name}")
        for one in kept:
            self._climb(one, self.folds)

    def _again(self) -> None:
        """Judge the best on folds of other partitions, all of them on the same ones, while there is time."""
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
        """Judge a candidate on those of the first folds that it lacks; returns whether it could be."""
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
        """Tell whether a job may begin: its candidate, and the best so far, can still be judged and fitted after it.

        Of what is cheap one last fit is enough: to know it on all folds is worth more than further seeds.
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
        """Tell whether what a candidate still needs for all folds costs less than one fold of a network."""
        trained = [other.seconds for other in self.candidates if not other.quick and other.seconds is not None]
        needed = self.union([one], self.folds)
        return not self.budget.counted and bool(trained) and self.price(needed) <= min(trained)

    def _stop(self, one: Candidate, rung: int) -> None:
        lacks = rung - len([fold for fold in one.scores if fold < rung])
        self.stopped = self.stopped or (
            f"after {self.budget.words()}, {lacks} more folds of {one.name} and the last fits did not fit in"
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
        """Return what the jobs after the race need if a candidate wins, blended with the best of what is cheap.

        Jobs that are counted are held back for it alone.
        """
        quick = self.in_order(other for other in self.candidates if other.quick and other.covers(self.folds))
        return self.jobs.finals([one, *quick[: 0 if self.budget.counted else 2]])

    def _blend(self, finalists: Sequence[Candidate]) -> list[Candidate]:
        """Return as many of the best as a blend may have, or of counted jobs the best alone."""
        return self.in_order(finalists)[: 1 if self.budget.counted else 3]

    def _best(self) -> Candidate | None:
        """Return the best candidate so far: of those judged on all folds, or one that is ahead of it on fewer."""
        whole = self.in_order(one for one in self.candidates if one.covers(self.folds))
        if not whole:
            return None
        rivals = [one for one in self.candidates if not one.failure and not one.covers(self.folds)]
        rivals = [one for one in rivals if ahead(one, whole[0], self.sign)]
        return min([*rivals, whole[0]], key=self._behind)

    def _behind(self, one: Candidate) -> float:
        """Return by how much a candidate's loss is above the best whole one's on the folds that both have."""
        whole = self.in_order(other for other in self.candidates if other.covers(self.folds))
        folds = shared([one, whole[0]]) if whole else set()
        return one.loss(self.sign, folds) - whole[0].loss(self.sign, folds) if folds else 0.0

    def in_order(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return candidates that were judged on the whole first partition, the best on it first."""
        found = list(candidates)
        folds = {fold for fold in shared(found) if fold < self.folds}
        return sorted(found, key=lambda one: one.loss(self.sign, folds))

    def union(self, candidates: Iterable[Candidate], folds: int) -> dict[str, float]:
        """Return what candidates still have to fit on the first folds, what they share once."""
        found: dict[str, float] = {}
        for one in candidates:
            for fold in range(folds):
                if fold not in one.scores:
                    found |= self.jobs.needs(one, fold)
        return found

    def _after(self, candidates: Sequence[Candidate]) -> dict[str, float]:
        """Return what the candidate with the most costly last fits needs for them."""
        return max((self.jobs.finals([one]) for one in candidates), key=self.price, default={})

    def price(self, needed: dict[str, float]) -> float:
        """Return the seconds, with a margin, or the jobs that such needs may cost."""
        return sum(needed.values()) * (1 if self.budget.counted else MARGIN)
