"""Remaining fits of the jobs of a race and their durations, from records or one measured epoch."""

from dataclasses import dataclass

from roftbench.advise.budget import Budget
from roftbench.advise.jobs import Jobs
from roftbench.config.environment import RunContext
from roftbench.config.job import FINGERPRINT, Job
from roftbench.errors import JobError, UsageError
from roftbench.runner.devices import is_stored
from roftbench.runner.stages import Needed
from roftbench.store.record_schema import Record
from roftbench.sweep.estimate import Sizes, one_epoch, units
from roftbench.sweep.plan import fits_of
from roftbench.sweep.throughput import Rates

EMBEDDED = 50.0  # molecules per second, of a slow encoder on one core
WARM = 2.0  # seconds; shorter epochs are measured twice, as a process is slow at first


@dataclass(frozen=True)
class Timed:
    """A job, its run context and the numbers of atoms of its parts."""

    job: Job
    env: RunContext
    atoms: Sizes


class Costs:
    """Seconds of open jobs by fit, so that fits shared by jobs count once.

    `molecules` is the size of the data set, which an estimator's encoder embeds once. If the budget's time is recorded,
    a job or fit is done once this race has paid for it, whatever the store contains.
    """

    def __init__(self, jobs: Jobs, budget: Budget, molecules: int = 0) -> None:
        self.jobs, self.budget, self.molecules = jobs, budget, molecules
        self._rates = Rates()
        self._estimators: dict[tuple[str, str], float] = {}  # seconds of the longest fit, by model and method
        self._starts: dict[str, float] = {}  # seconds that the fastest job of a model takes beside its fits
        self._measured: set[str] = set()  # models
        self._fits: dict[str, tuple[Needed, ...]] = {}  # by the job's key
        self._paid: set[str] = set()  # keys of jobs and fits

    def done(self, job: Job, env: RunContext) -> bool:
        """Return whether a job costs nothing."""
        return job.key in self._paid or (not self.budget.recorded and self.jobs.finished(job, env) is not None)

    def needs(self, timed: Timed) -> dict[str, float]:
        """Return the seconds of each fit of a job, by key; 1 for the job if jobs are counted."""
        job, env = timed.job, timed.env
        if self.done(job, env):
            return {}
        if self.budget.counted:
            return {job.key: 1.0}
        if not job.trains:
            fit = self._estimators.get((job.model.name, job.method.name), 0.0)
            return {job.key: fit + self._starts.get(job.model.name, self._embedding(job))}
        if not all(need.frozen for need in self._fits_of(job, env)):
            self._measure(timed)
        found = {job.key: self._rates.start}
        for need in self._fits_of(job, env):
            rate = self._rates.of(job.model.name, need.name, frozen=need.frozen)
            if rate is not None and not self._stored(need, env):
                found[need.key] = rate * units(need, job, timed.atoms)
        return found

    def took(self, timed: Timed, record: Record) -> float:
        """Record a job that was done for this race and return the seconds that it costs."""
        job, mean = timed.job, timed.atoms.mean
        seconds = record.seconds["total"]
        if job.trains:
            self._rates.add_record(record.summary(), {str(job.dataset.name): mean})
            if self.budget.recorded:
                seconds = self._charge(timed, record)
        else:
            self._add_estimator(job, record)
        self._paid.add(job.key)
        return seconds

    def _embedding(self, job: Job) -> float:
        """Return the seconds in which an encoder embeds the data set, roughly, before any job has done so."""
        return 0.0 if job.model.kind == FINGERPRINT else self.molecules / EMBEDDED

    def _add_estimator(self, job: Job, record: Record) -> None:
        """Record the times of an estimator; the first job of an encoder embeds all molecules, the others do not."""
        model, fit = job.model.name, record.seconds["fit"]
        known = model, job.method.name
        self._estimators[known] = max(fit, self._estimators.get(known, 0.0))
        start = record.seconds["total"] - fit
        if job.model.kind != FINGERPRINT and model not in self._starts:
            start = min([start, *self._starts.values()])
        self._starts[model] = min(start, self._starts.get(model, start))

    def _charge(self, timed: Timed, record: Record) -> float:
        """Return the recorded seconds of a job; a fit counts only for the first job of the race that needs it."""
        spans = record.seconds
        seconds = spans["total"]
        if timed.job.method.search:  # of fits with one name only the sum is known
            return seconds + sum(span for name, span in spans.items() if name.endswith("(reused)"))
        for need in self._fits_of(timed.job, timed.env):
            if need.key in self._paid:
                seconds -= spans.get(need.name, 0.0)
            else:
                seconds += spans.get(f"{need.name} (reused)", 0.0)
                self._paid.add(need.key)
        return seconds

    def _measure(self, timed: Timed) -> None:
        """Measure an epoch of a model whose throughput no job of this race has given."""
        job, mean = timed.job, timed.atoms.mean
        if job.model.name in self._measured or self._rates.of(job.model.name, "ft") is not None:
            return
        self._measured.add(job.model.name)
        try:
            record = one_epoch(job, timed.env)
            if record.seconds["total"] < WARM:
                record = one_epoch(job, timed.env)
        except (JobError, UsageError, OSError):  # the job itself will report it
            return
        self._rates.add_stages(record, mean)

    def _fits_of(self, job: Job, env: RunContext) -> tuple[Needed, ...]:
        if job.key not in self._fits:
            self._fits[job.key] = fits_of(job, env)
        return self._fits[job.key]

    def _stored(self, need: Needed, env: RunContext) -> bool:
        """Return whether a fit is in the store, made with the device and code that the job would use."""
        if self.budget.recorded or env.run.rerun:
            return need.key in self._paid
        return is_stored(need.key, env)
