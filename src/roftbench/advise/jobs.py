"""Jobs of a race: the job of a data set with another model, method, split or seed."""

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
from roftbench.store.record_schema import Record
from roftbench.sweep.worker import work

BUSY_SECONDS = 1.0
SEARCHED = ("ridge",)  # methods whose grid is always searched, as it takes less than a second


class Jobs:
    """Composes and runs jobs that differ from the given overrides in model, method, parts and seed."""

    def __init__(self, overrides: Sequence[str], folder: Path | None, *, search: bool) -> None:
        self.overrides, self.folder, self.search = list(overrides), folder, search
        self._known: dict[tuple[str, str], tuple[Job, RunContext, list[str]]] = {}
        self._again: set[str] = set()  # keys of the jobs that were repeated by run.rerun

    def of(self, model: str, method: str) -> tuple[Job, RunContext, list[str]]:
        """Return a job with the split and the seed of the overrides, its run context, and what was guessed.

        Raises:
            UsageError: The overrides are invalid.
        """
        if (model, method) not in self._known:
            search = self.search or method in SEARCHED
            texts = [f"model={model}", f"method={method}", f"method.search={str(search).lower()}"]
            with clear_errors([*texts, *self.overrides], self.folder):
                self._known[model, method] = parse(composed([*texts, *self.overrides], self.folder), self.folder)
        return self._known[model, method]

    def on(self, model: str, method: str, split: Component) -> tuple[Job, RunContext]:
        """Return a job with another split and all of its labels, and its run context."""
        job, env, _ = self.of(model, method)
        env = env.running(keep=False)  # models of folds are not used
        return replace(job, split=split, label_ratio=LabelRatio()), env

    def finished(self, job: Job, env: RunContext) -> Record | None:
        """Return the record of a job that is finished for this race, or None."""
        if job.key in self._again:
            env = env.running(rerun=False)
        return env.finished(job.key)

    def result(self, job: Job, env: RunContext, label: str = "") -> tuple[Record | None, bool]:
        """Run a job or read it from the store; return its record, None if it failed, and whether it was stored.

        The names of progress bars begin with the label.
        """
        if (found := self.finished(job, env)) is not None:
            return found, True
        with labeled(label):
            while (status := work(job, env, in_sweep=True)[0]) == "busy":
                time.sleep(BUSY_SECONDS)  # another process runs it
        self._again.add(job.key)
        return env.store.get(job.key) if status == "done" else None, False


def reason(job: Job, env: RunContext) -> str:
    """Return why a job failed."""
    failure = env.store.failure(job.key)
    return f"{failure.status}: {failure.error}" if failure else "failed: no record was left"
