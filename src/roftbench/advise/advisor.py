"""`roftbench advise`: folds, race, the winner on the test part, and the advice."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from roftbench.advise.budget import Budget
from roftbench.advise.candidates import Candidate
from roftbench.advise.costs import Costs, Timed
from roftbench.advise.ending import ending
from roftbench.advise.ensembling import Blender
from roftbench.advise.folds import Folds, Parts
from roftbench.advise.halving import MARGIN, PARTITIONS, Race
from roftbench.advise.jobs import Jobs, reason
from roftbench.advise.null import Null, null_of, null_score
from roftbench.advise.outer import outer_parts
from roftbench.advise.prior import Prior
from roftbench.advise.recommendation import Advice, Saved, Tested
from roftbench.advise.save import check_keep, give_name, out_of_folds, save_model, test_score
from roftbench.advise.settings import BASELINES, AdviseSettings
from roftbench.advise.significance import Difference, difference
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.console import bar, say
from roftbench.data.dataset import load_dataset
from roftbench.data.split import Indices
from roftbench.errors import UsageError
from roftbench.formatting import score_text
from roftbench.metrics import METRICS
from roftbench.store.checksums import digest
from roftbench.store.downloads import fetch_missing
from roftbench.store.record_schema import Record
from roftbench.sweep.estimate import Sizes
from roftbench.sweep.naming import uses


class Advisor:
    """A race over the labeled molecules of one data set; with `recorded`, time advances by the seconds in records."""

    def __init__(
        self, settings: AdviseSettings, overrides: Sequence[str], folder: Path | None, *, recorded: bool = False
    ) -> None:
        self.settings, self.overrides, self.folder = settings, list(overrides), folder
        self.budget = Budget(*settings.limit(), recorded=recorded)
        self.jobs = Jobs(overrides, folder, search=settings.search)
        self.costs = Costs(self.jobs, self.budget)
        candidates = [Candidate(*pair, baseline=pair in BASELINES) for pair in settings.pairs()]
        self.job, self.env, self.guesses = self.jobs.of(candidates[0].model, candidates[0].method)
        for one in candidates:
            self._prepare(one)
        self.dataset = load_dataset(self.job.dataset, self.env.cache / "data", self.env.places)
        self.outer = outer_parts(self.job, self.dataset)
        place = self.env.results / "advise"
        self.folds = Folds(self.job, self.dataset, settings.folds, settings.by, place, self.outer)
        _ = self.folds[0]  # raises UsageError before any work
        self.prior = Prior.of(str(self.job.dataset.task), len(self.folds.pool))
        self.candidates = self.prior.order(candidates)
        self.metric = str(self.job.dataset.metric)
        self.sign = -1 if METRICS[self.metric].higher_is_better else 1
        self.blender = Blender(self.dataset, settings.folds, self.metric, self.sign)
        self._timed: dict[tuple[str, str, str, int], Timed] = {}

    def _prepare(self, one: Candidate) -> None:
        """Check a candidate and fetch its files; without its checkpoint it takes no part in the race."""
        job, env, _ = self.jobs.of(one.model, one.method)
        one.estimator = not job.trains
        fetch_missing((source, env.places) for source in job.sources() if source != job.model.source)
        try:
            fetch_missing((source, env.places) for source in job.sources())
        except UsageError as error:
            one.failure = str(error)
            say(f"  {one.name} takes no part: {error}")

    @property
    def place(self) -> Path:
        """Folder of this advice, which depends on the candidates and the settings of their jobs."""
        keys = sorted(self.jobs.of(one.model, one.method)[0].key for one in self.candidates)
        chosen = {"folds": self.folds.folder.name, "jobs": keys, "members": self.settings.members}
        return self.env.results / "advise" / digest(chosen)

    def run(self) -> Advice:
        """Run the race, fit and save the winner, and return the advice.

        Raises:
            UsageError: No candidate could be judged, or the name for the winner is that of another model.
        """
        check_keep(self.settings.keep, self.env, self.place.name, self.folder)
        self.env.tidy()
        count = self.settings.folds
        partitions = self.folds.partitions(PARTITIONS)
        race = Race(self.candidates, self, count, self.budget, self.metric, self.sign, partitions)
        race.run()
        left_open = ending(race)
        blend = self.blender.blend(race.finalists(), race.affordable, race.deciding())
        ranked = [*([blend] if blend is not None else []), *race.ranked()]
        self._check(ranked[0], left_open.enough)
        null = self._null(ranked[0])
        test = self._final(ranked[0], race)
        parts = self.outer.parts
        test[null.name] = Tested([null_score(self.dataset, self.metric, parts.train, parts.test)], [])
        saved = self._save(ranked[0])
        found = {
            one.name: difference(ranked[0].scores, one.scores, 1 / (count - 2), len(ranked))
            for one in [*ranked[1:], null]
        }
        return Advice(
            dataset=str(self.job.dataset.name),
            metric=self.metric,
            labels=len(self.folds.pool),
            tested=len(self.outer.parts.test),
            count=count,
            by=self.settings.by,
            budget=self.settings.budget,
            ranked=ranked,
            deciding=frozenset(race.deciding()),
            behind={name: one for name, one in found.items() if one is not None},
            null=null,
            test=test,
            half=self._half(ranked[0]),
            ending=left_open,
            commands=[self._command(one) for one in ranked[0].parts],
            saved=saved,
            pretrained=self._pretrained(),
            warnings=self.outer.warnings,
        )

    def _check(self, winner: Candidate, enough: str) -> None:
        if winner.failure or not winner.scores:
            if winner.failure:
                raise UsageError(f"no candidate could be judged. {winner.name}: {winner.failure}")
            budget = self.settings.budget
            problem = (
                f"not decided within this budget (advise.budget={budget} is too small): no candidate could be judged;"
                f" {enough}"
            )
            raise UsageError(problem, key="advise.budget", got=budget)
        if all(score is None for score in winner.scores.values()):
            raise UsageError(
                f"{self.metric} is defined on no fold: each lacks a class, or labels that differ",
                key="advise.folds",
                got=self.settings.folds,
                hint=f"Add labels of the rarer class, or give fewer folds (now {self.settings.folds}; at least 3).",
            )

    def _pretrained(self) -> frozenset[str]:
        jobs = {one.name: self.jobs.of(one.model, one.method)[0] for one in self.candidates}
        return frozenset(name for name, job in jobs.items() if job.model.pretraining != "none")

    def judge(self, one: Candidate, fold: int) -> tuple[Record | None, float | None]:
        """Return the record of a job on a fold, None if it failed, and its seconds, None if it was done before."""
        label = f"{one.name} · fold {fold + 1} · {self.budget.words()}"
        return self._run(one, self._on(one, self.folds[fold]), label)

    def needs(self, one: Candidate, fold: int) -> dict[str, float]:
        """Return the costs of the open fits of a candidate's job on a fold."""
        return {} if one.failure else self.costs.needs(self._on(one, self.folds[fold]))

    def finals(self, parts: Sequence[Candidate], *, least: bool = False) -> dict[str, float]:
        """Return the same on the outer parts for these candidates with all seeds (or one) and quick baselines."""
        quick = [] if least else [one for one in self.candidates if one.baseline and one.quick and one.scores]
        members = range(1 if least else self.settings.members)
        return self._needs_outside(quick, [0]) | self._needs_outside(parts, members)

    def _needs_outside(self, candidates: Sequence[Candidate], members: Iterable[int]) -> dict[str, float]:
        jobs = [(part, member) for one in candidates for part in one.parts for member in members]
        found: dict[str, float] = {}
        for part, member in jobs:
            found |= self.costs.needs(self._outside(part, member))
        return found

    def alone(self, one: Candidate) -> float | None:
        """Return a candidate's test score with the first seed, or None; the budget is not charged."""
        record, _ = self._run(one, self._outside(one, 0), f"{one.name} · test part")
        return None if record is None else self.blender.score([record])

    def _on(self, one: Candidate, parts: Parts) -> Timed:
        known = one.model, one.method, parts.name, 0
        if known not in self._timed:
            job, env = self.jobs.on(one.model, one.method, self.folds.split(parts))
            index = [np.searchsorted(self.dataset.rows, rows) for rows in (parts.train, parts.val)]
            self._timed[known] = self._sized(job, env, *index)
        return self._timed[known]

    def _outside(self, one: Candidate, member: int) -> Timed:
        """Return a candidate's job on the outer parts; members differ in their seed."""
        known = one.model, one.method, "", member
        if known not in self._timed:
            if self.outer.changed:
                job, env = self.jobs.on(one.model, one.method, self.folds.split(self.folds.outside()))
            else:
                job, env, _ = self.jobs.of(one.model, one.method)
            parts = self.outer.parts
            self._timed[known] = self._sized(replace(job, seed=job.seed + member), env, parts.train, parts.val)
        return self._timed[known]

    def _sized(self, job: Job, env: RunContext, train: Indices, val: Indices) -> Timed:
        atoms = self.dataset.sizes
        return Timed(job, env, Sizes(int(atoms[train].sum()), int(atoms[val].sum()), float(atoms.mean())))

    def _run(self, one: Candidate, timed: Timed, label: str) -> tuple[Record | None, float | None]:
        """Return the record of a job, None if it failed, and its seconds, None if it was done before."""
        done = self.costs.done(timed.job, timed.env)
        record, _ = self.jobs.result(timed.job, timed.env, label)
        if record is None:
            one.failure = reason(timed.job, timed.env)
            return None, 0.0
        seconds = self.costs.took(timed, record)
        return record, None if done else seconds

    def _null(self, winner: Candidate) -> Null:
        """Return the null model, judged on the winner's folds."""
        null = null_of(self.dataset)
        for fold in winner.scores:
            rows = (self.folds[fold].train, self.folds[fold].test)
            train, test = (np.searchsorted(self.dataset.rows, part) for part in rows)
            null.scores[fold] = null_score(self.dataset, self.metric, train, test)
        return null

    def _final(self, winner: Candidate, race: Race) -> dict[str, Tested]:
        """Fit the winner, and baselines for which there is time, to the outer parts and return their test scores.

        The test part is used nowhere else.
        """
        others = [one for one in self.candidates if one.baseline and one.scores and one not in winner.parts]
        say("the winner and baselines, fitted to the labeled molecules and judged on the test part")
        test: dict[str, Tested] = {}
        for one in [winner, *others]:
            if not (one is winner or one.quick or race.affordable([one])):
                continue
            for member in range(self.settings.members if one is winner else 1):
                if member and not self.budget.allows(sum(self._needs_outside([one], [member]).values())):
                    say(f"  the budget is spent: {one.name} is fitted with {member} of {self.settings.members} seeds")
                    break
                records = [self._charged(part, self._outside(part, member), "test part") for part in one.parts]
                if (done := [record for record in records if record is not None]) == records:
                    score = self.blender.score(done)
                    found = test.setdefault(one.name, Tested([], []))
                    found.scores.append(score)
                    found.jobs.extend(record.key for record in done)
                    say(f"  {one.name:<34} seed {self.job.seed + member:<3} test {self.metric} {score_text(score, 4)}")
        return test

    def _charged(self, one: Candidate, timed: Timed, part: str) -> Record | None:
        """Return the record of a job, None if it failed, and charge the budget."""
        record, seconds = self._run(one, timed, f"{one.name} · {part} · {self.budget.words()}")
        if seconds is not None:
            self.budget.spend(seconds)
        return record

    def _save(self, winner: Candidate) -> Saved:
        """Save the winner's members, with intervals from the errors on the folds if all of these were judged."""
        todo = []
        for part in winner.parts:
            calibration = out_of_folds(self.dataset, part.records, self.settings.folds)
            members = [self._outside(part, member) for member in range(self.settings.members)]
            todo += [(one.job, one.env, calibration) for one in members if one.env.store.get(one.job.key) is not None]
        folders = [save_model(*one) for one in bar(todo, "saving", "model")]
        if not folders:
            return Saved()
        keys, wanted = [one[0].key for one in todo], self.settings.keep
        name = give_name(wanted, str(self.job.dataset.name), keys, self.env, self.place.name, self.folder)
        return Saved(folders, *test_score(folders, self.metric, self.env), name, uses(name, self.env))

    def _half(self, winner: Candidate) -> Difference | None:
        """Return the winner with half of the training molecules minus all of them, as far as the budget allows."""
        scores: dict[int, float | None] = {}
        for fold in sorted(winner.scores)[: self.settings.folds]:
            price = len(winner.parts) if self.budget.counted else MARGIN * (winner.seconds or 0.0)
            if not self.budget.allows(price):
                break
            half, label = self.folds.half(fold), f"half of fold {fold + 1}"
            records = [
                self._charged(Candidate(part.model, part.method), self._on(part, half), label) for part in winner.parts
            ]
            if (done := [record for record in records if record is not None]) == records:
                scores[fold] = self.blender.score(done)
        return difference(scores, winner.scores, 1 / (self.settings.folds - 2))

    def _command(self, winner: Candidate) -> str:
        chosen = [f"model={winner.model}", f"method={winner.method}", *["method.search=true"] * self.settings.search]
        folder = [] if self.folder is None else ["--config-dir", str(self.folder)]
        overrides = self.overrides
        if self.outer.changed:
            split = self.folds.split(self.folds.outside())
            overrides = [text for text in overrides if not text.startswith(("split=", "split.", "label_ratio"))]
            path = f"split.path={split.params['path']}"
            overrides += ["split=file", path, f"split.name={split.name}", "label_ratio=full"]
        return shlex.join(["roftbench", "run", *folder, *chosen, *overrides])
