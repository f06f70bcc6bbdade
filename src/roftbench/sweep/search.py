"""A hyperparameter search: trials by validation score, each of which is one or several ordinary jobs."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import fmean
from typing import Any

from filelock import Timeout
from omegaconf import DictConfig, OmegaConf

from roftbench.config.schema import typed
from roftbench.console import say
from roftbench.errors import JobError, UsageError
from roftbench.formatting import score_text
from roftbench.metrics import METRICS
from roftbench.store.checksums import digest
from roftbench.store.files import locked
from roftbench.sweep.grid import Compose, expand
from roftbench.sweep.launchers import workers
from roftbench.sweep.naming import Naming, kept_of
from roftbench.sweep.outcomes import JobOutcome
from roftbench.sweep.plan import Plan, Planned, plan_sweep
from roftbench.sweep.progress import Progress, facts
from roftbench.sweep.refits import Refit, keep_all
from roftbench.sweep.scheduler import Launch, Scheduler, prepare
from roftbench.sweep.search_space import SearchSettings, SearchSpace, Values, assignments
from roftbench.sweep.trials import Trial, Trials

OF_ANOTHER_SWEEPER = ("_target_", "params")  # keys of hydra.sweeper that are no settings


@dataclass(frozen=True)
class Search:
    """A search as its command line describes it.

    compose: returns Hydra's config for the overrides of one job. folder: the user's config folder.
    """

    space: SearchSpace
    settings: SearchSettings
    compose: Compose
    launcher: DictConfig
    folder: Path | None = None

    @classmethod
    def create(cls, texts: Sequence[str], hydra: DictConfig, compose: Compose, folder: Path | None) -> "Search":
        """Return the search of a command line and of Hydra's part of its config.

        Raises:
            UsageError: a key cannot be searched, a setting is impossible, or one of the values that bound the space
                is none that a job can have.
        """
        given = OmegaConf.to_container(hydra.sweeper, resolve=True)
        assert isinstance(given, dict)
        values = {str(key): value for key, value in given.items() if key not in OF_ANOTHER_SWEEPER}
        settings = typed(SearchSettings, values, "hydra.sweeper")
        found = cls(SearchSpace.parse(texts), settings, compose, hydra.launcher, folder)
        if found.first.jobs[0].context.run.rerun:
            problem = "run.rerun=true repeats jobs, and a search continues from the scores of its trials"
            raise UsageError(problem, key="run.rerun", got=True, hint="Leave it out, or repeat a single job")
        found.keeping(found.first)  # may not be possible
        return found

    def keeping(self, plan: Plan) -> tuple[list[Refit], Naming | None]:
        """Return how the models of a trial are kept; raises UsageError if they cannot be."""
        return kept_of([(one.job, one.context) for one in plan.jobs], by=str(self.path))

    @cached_property
    def corners(self) -> tuple[Plan, ...]:
        """The jobs of the trials that bound the space, which are never run as such."""
        return tuple(self.plan(values) for values in self.space.corners())

    @property
    def first(self) -> Plan:
        """The jobs of a trial with the first value of each searched key."""
        return self.corners[0]

    def plan(self, values: Values) -> Plan:
        """Return the jobs of a trial; raises UsageError if no job can have these values."""
        return plan_sweep(expand(self.space.overrides(values), self.compose), self.folder)

    @property
    def metric(self) -> str:
        """Name of the metric of the validation score."""
        return str(self.first.jobs[0].job.dataset.metric)

    @cached_property
    def key(self) -> str:
        """Name of the search: 16 hex digits of all that decides its trials, except their number."""
        jobs = [one.job.identity() for one in self.first.jobs]
        sampler = {"sampler": self.settings.sampler, "seed": self.settings.seed}
        return digest({"jobs": jobs, "space": self.space.identity(), **sampler})

    @property
    def path(self) -> Path:
        """The file with its trials."""
        return self.first.jobs[0].store.search_path(self.key)

    def trials(self) -> Trials:
        """Return the trials that there are; raises UsageError if their file is damaged."""
        higher = METRICS[self.metric].higher_is_better
        return Trials(self.path, self.key, self.space.axes, self.settings, higher_is_better=higher)

    @property
    def at_once(self) -> int:
        """How many trials run at a time."""
        return self.settings.n_jobs or workers(self.launcher) or 1

    def one_trial(self) -> Plan:
        """Return the jobs of a trial with all the work that it may need: no fit is in the store or shared."""
        jobs = (replace(one, state="new", context=one.context.running(rerun=True)) for one in self.first.jobs)
        return Plan(tuple(jobs), (), len(self.first.jobs))

    def run(self, launch: Callable[[Plan], Launch], command: Sequence[str]) -> None:
        """Run what is missing of the search, and print its best trial.

        Args:
            launch: Returns what launches the jobs of a plan.
            command: What the overrides of a job are appended to, to repeat it.

        Raises:
            UsageError: Another process runs this search, or its jobs cannot be run as requested.
            JobError: No trial has a score, or jobs can no longer be run or recorded; the same command continues.
        """
        prepare([one for plan in self.corners for one in plan.jobs])
        with self._alone():
            _RunningSearch(self, self.trials(), launch, command).run()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with locked(self.path).acquire(timeout=0):
                yield
        except Timeout:
            problem = f"another process is running this search ({self.path})"
            raise UsageError(
                problem, key="hydra/sweeper", hint="Wait for it; n_jobs runs several trials at a time"
            ) from None


class _RunningSearch:
    """A search while it runs: asks for trials, runs their jobs and reports."""

    def __init__(
        self, search: Search, trials: Trials, launch: Callable[[Plan], Launch], command: Sequence[str]
    ) -> None:
        self._search, self._trials, self._launch, self._command = search, trials, launch, command
        self._noticed: set[str] = set()

    def run(self) -> None:
        self._open()
        while batch := self._next():
            self._run(batch)
        best = self._trials.best()
        self._name_failed()
        if best is None:
            raise JobError(f"none of {len(self._trials.all())} trials has a validation score")
        self._conclude(best)

    def _open(self) -> None:
        search, before = self._search, len(_ended(self._trials))
        first = search.first.jobs
        jobs = "" if len(first) == 1 else f" of {len(first)} jobs each"
        say(f"search of {search.settings.n_trials} trials{jobs}: {before} done before")
        for guess in search.first.guesses:
            say(f"  guessed: {guess}")
        searched = {"train": "training", "model": "model"}
        hidden = {searched.get(key.partition(".")[0]) for key in search.space.axes}
        for name, text in facts(search.first.jobs).items():
            if name not in hidden:
                say(f"{name:>9}  {text}")
        say(f"{'searched':>9}  {', '.join(search.space.axes)}; sampler {search.settings.sampler}")

    def _next(self) -> list[Trial]:
        """Return the trials to run now: those that a killed process left unfinished, then new ones."""
        found, count = self._trials.all(), self._search.at_once
        if left := [one for one in found if not one.ended]:
            return left[:count]
        return self._trials.ask(max(0, min(count, self._search.settings.n_trials - len(found))))

    def _run(self, batch: Sequence[Trial]) -> None:
        """Run the jobs of some trials; values that were tried before have the score, or the reason, of that trial."""
        before = _ended(self._trials)
        plans: dict[int, Plan] = {}
        known: dict[int, Trial] = {}
        labels: dict[str, str] = {}
        for trial in batch:
            label = f"trial {trial.number + 1} of {self._search.settings.n_trials}: "
            label += shlex.join(assignments(trial.values))
            if same := [one for one in before if one.values == trial.values]:
                say(f"{label}  (as trial {same[0].number + 1})")
                known[trial.number] = replace(same[0], number=trial.number)
                continue
            try:
                plan = plans[trial.number] = self._search.plan(trial.values)
            except UsageError as error:  # of values that fit alone, and not together
                say(label)
                known[trial.number] = replace(trial, reason=str(error))
                continue
            for place, one in enumerate(plan.jobs, 1):
                more = f", job {place} of {len(plan.jobs)}" if len(plan.jobs) > 1 else ""
                labels.setdefault(one.key, label + more)
                if one.state == "done":
                    say(f"{labels[one.key]}  (done before)")
        self._work({one.key: one for plan in plans.values() for one in plan.jobs}, labels)
        for trial in batch:
            self._tell(known.get(trial.number) or _scored(trial, plans[trial.number]))

    def _work(self, jobs: Mapping[str, Planned], labels: Mapping[str, str]) -> None:
        plan = Plan(tuple(jobs.values()), (), len(jobs))
        progress = partial(_TrialProgress, labels, self._noticed)
        Scheduler(plan, self._launch(plan), self._search.launcher, self._command, progress=progress).work()

    def _tell(self, trial: Trial) -> None:
        self._trials.tell(trial)
        if trial.score is None:
            say(f"  failed: {trial.reason}")
            return
        best = self._trials.best()
        also = ", the best so far" if best and best.number == trial.number else ""
        say(f"  {self._search.metric}: {_score(self._search, trial)}{also}")

    def _name_failed(self) -> None:
        failed = [one for one in self._trials.all() if one.reason is not None]
        if failed:
            say(f"\n{len(failed)} of {len(self._trials.all())} trials failed")
        for one in {json.dumps(dict(one.values)): one for one in failed}.values():
            words = [*self._command, *self._search.space.overrides(one.values)]
            say(f"  failed: {shlex.join(_alone(words))}\n          {' '.join(str(one.reason).split())}", wrap=False)

    def _conclude(self, best: Trial) -> None:
        plan = self._search.plan(best.values)
        refits, naming = self._search.keeping(plan)
        keep_all(refits, quiet=True)
        which = f"trial {best.number + 1}, {shlex.join(assignments(best.values))}"
        say(f"\nbest of {len(_ended(self._trials))} trials: {which}")
        tests = [record.scores.test[record.metric] for one in plan.jobs if (record := one.store.get(one.key))]
        known = [score for score in tests if score is not None]
        test = f"; test {score_text(fmean(known), 4)}, which the search did not use" if known else ""
        say(f"  {self._search.metric}: {_score(self._search, best)}{test}")
        several = ["-m"] if len(plan.jobs) > 1 else []
        words = [*self._command, *several, *self._search.space.overrides(best.values)]
        say(f"next: {shlex.join(_alone(words))}", wrap=False)
        if naming is not None:
            naming.conclude()


def _alone(words: Sequence[str]) -> list[str]:
    """Return a command without the options of the search itself."""
    return [word for word in words if not word.lstrip("+~").startswith("hydra")]


def _ended(trials: Trials) -> list[Trial]:
    return [one for one in trials.all() if one.ended]


def _score(search: Search, trial: Trial) -> str:
    count = len(search.first.jobs)
    return f"val {score_text(trial.score, 4)}" + (f" (mean of {count} jobs)" if count > 1 else "")


def _scored(trial: Trial, plan: Plan) -> Trial:
    """Return a trial with the mean validation score of its jobs, or with the reason why one of them has none."""
    scores = []
    for one in plan.jobs:
        record = one.store.get(one.key)
        if record is None:
            failure = one.store.failure(one.key)
            return replace(trial, reason=failure.error if failure else "its record cannot be read")
        score = record.scores.val[record.metric]
        if score is None:
            return replace(trial, reason=f"the validation {record.metric} is undefined")
        scores.append(score)
    return replace(trial, score=fmean(scores))


class _TrialProgress(Progress):
    """Progress of the jobs of some trials; test scores are left out, as they must not influence the choice.

    `labels` are the lines by key of the job, `noticed` the warnings that were printed before.
    """

    def __init__(self, labels: Mapping[str, str], noticed: set[str], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._labels, self._noticed = labels, noticed

    def begin(self, one: Planned, number: int) -> None:
        """Print that a job starts in this process."""
        say(self._labels[one.key])

    def _say_ended(self, one: Planned, outcome: JobOutcome, *, others: bool) -> None:
        if others:
            say(f"{self._labels[one.key]}  {outcome.status}")
