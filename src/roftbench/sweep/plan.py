"""The jobs of a sweep before any of them runs: their state in the store, the fits they need, and their order."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from roftbench.config.components import build, without_weights
from roftbench.config.environment import RunContext
from roftbench.config.job import Component, Job, ModelSpec
from roftbench.config.parse import Parser
from roftbench.console import bar
from roftbench.methods.base import Method
from roftbench.runner.devices import device_type
from roftbench.runner.stages import Needed, needed
from roftbench.store.checksums import digest
from roftbench.store.results import Store
from roftbench.sweep.grid import SweepPoint


@dataclass(frozen=True)
class Planned:
    """A job of a sweep with its overrides.

    state: "done", "failed" or "skipped" (tried before, without success), or "new", which every job is with run.rerun.
    fits: the fits that it needs for all its candidates, in order; none for a model without a network, whose fits are
    not stored.
    """

    overrides: tuple[str, ...]
    job: Job
    context: RunContext
    state: str
    fits: tuple[Needed, ...]

    @property
    def key(self) -> str:
        """Name of the job."""
        return self.job.key

    @property
    def store(self) -> Store:
        """Where its record will be."""
        return self.context.store


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, each once and in order, guesses about the user's table, and the number of combinations."""

    jobs: tuple[Planned, ...]
    guesses: tuple[str, ...]
    combinations: int

    @property
    def open(self) -> tuple[Planned, ...]:
        """The jobs that are not done."""
        return tuple(one for one in self.jobs if one.state != "done")


def plan_sweep(points: Iterable[SweepPoint], folder: Path | None = None) -> Plan:
    """Check every combination of a sweep and look up its state in the store; `folder` is as for `parse`.

    Raises:
        UsageError: a name, type or value that no job can have.
    """
    parser = Parser(folder)
    jobs: dict[str, Planned] = {}
    guesses: dict[str, None] = {}
    count = 0
    for count, point in enumerate(bar(points, "plan", "job", delay=2), 1):  # noqa: B007 (the last one counts)
        job, context, guessed = parser.parse(point.config)
        guesses |= dict.fromkeys(guessed)
        if job.key not in jobs:
            jobs[job.key] = Planned(point.overrides, job, context, _state(job, context), fits_of(job, context))
    return Plan(tuple(jobs.values()), tuple(guesses), count)


def _state(job: Job, context: RunContext) -> str:
    if context.is_finished(job.key):
        return "done"  # the record is read: a damaged one is reported and does not count
    if context.run.rerun or not context.store.failure_path(job.key).exists():
        return "new"
    failure = context.store.failure(job.key)
    return failure.status if failure else "failed"


def fits_of(job: Job, context: RunContext) -> tuple[Needed, ...]:
    """Return the fits that a job needs for all its candidates, each once."""
    if not job.trains:
        return ()
    method: Method = build(job.method)
    tried = method.candidates(job.method.grid, _blocks(job.model)) if job.method.search else [method]
    found = {need.key: need for one in tried for need in needed(job, one, device_type(context.run.device))}
    return tuple(found.values())


def _blocks(model: ModelSpec) -> list[str]:
    """Return the names of an encoder's blocks, without making its weights."""
    return list(_blocks_of(model.target, json.dumps(model.params, sort_keys=True)))


@cache
def _blocks_of(target: str, params: str) -> tuple[str, ...]:
    encoder = without_weights(Component("", target, json.loads(params)))
    return tuple(encoder.blocks())


def in_groups(jobs: Sequence[Planned]) -> list[Planned]:
    """Return jobs in an order for several workers: within a group, those that need the fit of another come after it.

    A worker that needs a stage which another worker is fitting can only wait. Jobs of a group differ in method and seed
    alone, so that its results are complete early.
    """
    groups: dict[str, list[Planned]] = {}
    for one in jobs:
        groups.setdefault(digest({**one.job.fit_identity(), "seed": None}), []).append(one)
    ordered: list[Planned] = []
    for group in groups.values():
        claimed: set[str] = set()
        later: list[Planned] = []
        for one in group:
            (later if any(need.key in claimed for need in one.fits) else ordered).append(one)
            claimed.update(need.key for need in one.fits)
        ordered += later
    return ordered
