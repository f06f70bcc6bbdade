"""Jobs of a race on one data set: on its folds and on the outer parts, with their costs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from roftbench.advise.budget import Budget
from roftbench.advise.candidates import Candidate
from roftbench.advise.costs import Costs, Timed
from roftbench.advise.ensembling import Blender
from roftbench.advise.folds import Folds, Parts
from roftbench.advise.jobs import Jobs, reason
from roftbench.advise.outer import outer_parts
from roftbench.advise.settings import BASELINES, AdviseSettings
from roftbench.config.environment import RunContext
from roftbench.config.job import FINGERPRINT, Job
from roftbench.console import say
from roftbench.data.dataset import load_dataset
from roftbench.data.split import Indices
from roftbench.errors import UsageError
from roftbench.metrics import METRICS
from roftbench.store.downloads import fetch_missing
from roftbench.store.record_schema import Record
from roftbench.sweep.estimate import Sizes


class RaceJobs:
    """The jobs of all candidates; with `recorded`, time advances by the seconds in records.

    Attributes:
        candidates: The candidates; one whose model cannot be had has a failure.
        job: The job of the first candidate.
        env: Its run context.
    """

    def __init__(
        self, settings: AdviseSettings, overrides: Sequence[str], folder: Path | None, *, recorded: bool = False
    ) -> None:
        self.settings = settings
        self.budget = Budget(*settings.limit(), recorded=recorded)
        self.jobs = Jobs(overrides, folder, search=settings.search)
        self.candidates = [Candidate(*pair, baseline=pair in BASELINES) for pair in settings.pairs()]
        self.job, self.env, self.guesses = self.jobs.of(self.candidates[0].model, self.candidates[0].method)
        for one in self.candidates:
            self._check(one)
        self._fetch()
        self.dataset = load_dataset(self.job.dataset, self.env.cache / "data", self.env.places)
        self.costs = Costs(self.jobs, self.budget, len(self.dataset))
        self.outer = outer_parts(self.job, self.dataset)
        self.folds = Folds(self.job, self.dataset, settings.folds, settings.by, self.env.results / "advise", self.outer)
        _ = self.folds[0]  # raises UsageError before any work
        self.metric = str(self.job.dataset.metric)
        self.sign = METRICS[self.metric].sign
        self.blender = Blender(self.dataset, settings.folds, self.metric, self.sign)
        self._timed: dict[tuple[str, str, str, int], Timed] = {}

    def _check(self, one: Candidate) -> None:
        """Compose a candidate's job and fetch its data."""
        job, env, _ = self.jobs.of(one.model, one.method)
        one.estimator, one.fingerprint = not job.trains, job.model.kind == FINGERPRINT
        fetch_missing((source, env.places) for source in job.sources() if source != job.model.source)

    def _fetch(self) -> None:
        """Fetch the weights of each model once; candidates of a model without them take no part."""
        for name in dict.fromkeys(one.model for one in self.candidates):
            having = [one for one in self.candidates if one.model == name]
            job, env, _ = self.jobs.of(name, having[0].method)
            try:
                fetch_missing((source, env.places) for source in job.sources())
            except UsageError as error:
                problem = str(error).partition("\n")[0].rstrip(":")
                count = f"{len(having)} candidate{'s' * (len(having) != 1)}"
                say(f"  {name} takes no part ({count}): {problem}; roftbench fetch model={name} gets it or tells why")
                for one in having:
                    one.failure = problem

    def job_of(self, one: Candidate) -> Job:
        """Return a candidate's job with the split of the overrides."""
        return self.jobs.of(one.model, one.method)[0]

    def judge(self, one: Candidate, fold: int) -> tuple[Record | None, float | None]:
        """Return the record of a job on a fold, None if it failed, and its seconds, None if it was done before."""
        label = f"{one.name} · fold {fold + 1} · {self.budget.words()}"
        return self._run(one, self.on(one, self.folds[fold]), label)

    def needs(self, one: Candidate, fold: int) -> dict[str, float]:
        """Return the costs of the open fits of a candidate's job on a fold."""
        return {} if one.failure else self.costs.needs(self.on(one, self.folds[fold]))

    def finals(self, parts: Sequence[Candidate], *, least: bool = False) -> dict[str, float]:
        """Return the same on the outer parts for these candidates with all seeds (or one) and quick baselines."""
        quick = [] if least else [one for one in self.candidates if one.baseline and one.quick and one.scores]
        found = self.needs_outside(quick, 1)
        for one in parts:
            found |= self.needs_outside([one], 1 if least else self.seeds(one))
        return found

    def seeds(self, one: Candidate) -> int:
        """Return the number of seeds of the final models: one with an estimator, which hardly depends on the seed."""
        return 1 if any(part.estimator for part in one.parts) else self.settings.members

    def needs_outside(self, candidates: Sequence[Candidate], seeds: int) -> dict[str, float]:
        """Return the costs of the open fits of these candidates on the outer parts with the first seeds."""
        jobs = [(part, member) for one in candidates for part in one.parts for member in range(seeds)]
        found: dict[str, float] = {}
        for part, member in jobs:
            found |= self.costs.needs(self.outside(part, member))
        return found

    def alone(self, one: Candidate) -> float | None:
        """Return a candidate's test score with the first seed, or None; the budget is not charged."""
        record, _ = self._run(one, self.outside(one, 0), f"{one.name} · test part")
        return None if record is None else self.blender.score([record])

    def on(self, one: Candidate, parts: Parts) -> Timed:
        """Return a candidate's job on other parts."""
        known = one.model, one.method, parts.name, 0
        if known not in self._timed:
            job, env = self.jobs.on(one.model, one.method, self.folds.split(parts))
            index = [np.searchsorted(self.dataset.rows, rows) for rows in (parts.train, parts.val)]
            self._timed[known] = self._sized(job, env, *index)
        return self._timed[known]

    def outside(self, one: Candidate, member: int) -> Timed:
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

    def charged(self, one: Candidate, timed: Timed, part: str) -> Record | None:
        """Return the record of a job, None if it failed, and charge the budget."""
        record, seconds = self._run(one, timed, f"{one.name} · {part} · {self.budget.words()}")
        if seconds is not None:
            self.budget.spend(seconds)
        return record
