"""The jobs of a race: a data set's job with another model, method, way of cutting or seed, run and read again."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from roftbench.config.compose import clear_errors, composed
from roftbench.config.environment import RunContext
from roftbench.config.job import Component, Job
from roftbench.config.parse import parse
from roftbench.console import labeled
from roftbench.data.label_ratio import LabelRatio
from roftbench.store.results import Record
from roftbench.sweep.worker import work

BUSY_SECONDS = 1.0


class Jobs:
    """Composes and runs jobs that differ from the given overrides in model, method, parts and seed."""

    def __init__(self, overrides: Sequence[str], folder: Path | None, *, search: bool) -> None:
        self.overrides, self.folder, self.search = list(overrides), folder, search
        self._known: dict[tuple[str, str], tuple[Job, RunContext, list[str]]] = {}
        self._again: set[str] = set()  # keys of the jobs that run.rerun has had done again

    def of(self, model: str, method: str) -> tuple[Job, RunContext, list[str]]:
        """Return a job with the parts and the seed of the overrides, what it runs in, and what was guessed.

        Raises:
            UsageError: as `roftbench run` does.
        """
        if (model, method) not in self._known:
            texts = [f"model={model}", f"method={method}", f"method.search={str(self.search).lower()}"]
            with clear_errors([*texts, *self.overrides], self.folder):
                self._known[model, method] = parse(composed([*texts, *self.overrides], self.folder))
        return self._known[model, method]

    def on(self, model: str, method: str, split: Component) -> tuple[Job, RunContext]:
        """Return a job on all rows that other parts name."""
        job, env, _ = self.of(model, method)
        env = env.running(keep=False)  # the models of a fold are of no use
        return replace(job, split=split, label_ratio=LabelRatio()), env

    def finished(self, job: Job, env: RunContext) -> Record | None:
        """Return the record of a job of which nothing is left to do in this race."""
        if job.key in self._again:
            env = env.running(rerun=False)
        return env.finished(job.key)

    def result(self, job: Job, env: RunContext, label: str = "") -> tuple[Record | None, bool]:
        """Run a job, or take it from the store; returns its record, None where it failed, and whether it was there.

        Progress bars have the label before their names.
        """
        if (found := self.finished(job, env)) is not None:
            return found, True
        with labeled(label):
            while (status := work(job, env, in_sweep=True)[0]) == "busy":  # elsewhere
                time.sleep(BUSY_SECONDS)
        self._again.add(job.key)
        return env.store.get(job.key) if status == "done" else None, False


def reason(job: Job, env: RunContext) -> str:
    """Return why a job failed."""
    failure = env.store.failure(job.key) or {}
    return f"{failure.get('status', 'failed')}: {failure.get('error', 'no record was left')}"
