"""Lines that a sweep prints: what it is about to run, one result per job, and at the end a table of scores."""

import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from roftbench.console import duration, say, shown
from roftbench.formatting import counted
from roftbench.metrics import METRICS
from roftbench.models.config import PRETRAINING
from roftbench.sweep.outcomes import JobOutcome, Outcomes
from roftbench.sweep.plan import Plan, Planned
from roftbench.sweep.score_table import score_table, varying

LOOK_SECONDS = 2.0  # between two looks into the store, where jobs run in other processes
FEW = 3  # training settings that are listed; of more each job's line names its own


class Progress:
    """Prints the course of a sweep; what jobs have in common, and each warning, is printed once.

    `command` is what the overrides of one job are appended to; `repeat` is the command of the whole sweep.
    """

    def __init__(
        self, plan: Plan, jobs: Sequence[Planned], outcomes: Outcomes, command: Sequence[str], repeat: Sequence[str]
    ) -> None:
        self.plan, self.jobs, self.outcomes = plan, jobs, outcomes
        self.command, self.repeat = command, repeat
        self._left = list(jobs)
        self._varying = varying(plan.jobs)
        self._noticed: set[str] = set()
        self._began = time.monotonic()

    def open(self) -> None:
        """Print how many jobs there are, and what they have in common."""
        say(headline(self.plan))
        if self.jobs:
            for name, text in facts([one for one in self.plan.jobs if one.state != "done"]).items():
                say(f"{name:>9}  {text}")

    def begin(self, one: Planned, number: int) -> None:
        """Print that a job starts in this process, and how long it and the rest will take at the rate so far."""
        left = f", {self._time_left(number)}" if number else ""
        say(f"job {number + 1} of {len(self.jobs)}{left}: {self._overrides(one)}")

    def look(self, *, others: bool = False) -> None:
        """Print a line for each job that has ended; `others`: in other processes, so that no line has announced it."""
        for one in [one for one in self._left if self.outcomes.ended(one)]:
            outcome = self.outcomes.of(one)
            self._left.remove(one)
            if outcome is None:
                continue
            self._say_ended(one, outcome, others=others)
            for text in outcome.notices:
                if text not in self._noticed:
                    self._noticed.add(text)
                    say(text)

    def _say_ended(self, one: Planned, outcome: JobOutcome, *, others: bool) -> None:
        if others:
            say(f"{self._ended():<22}{outcome.status:<9}{self._overrides(one)}  {outcome.words}")
        else:
            say(f"  {outcome.words}, {outcome.seconds}" if outcome.record else f"  {outcome.status}: {outcome.words}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look for ended jobs every few seconds inside the block: they run in other processes."""
        stop = threading.Event()

        def look_on() -> None:
            while not stop.wait(LOOK_SECONDS):
                self.look(others=True)

        thread = threading.Thread(target=look_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.look(others=True)

    def conclude(self) -> int:
        """Print scores, how the jobs ended and the next command; returns how many failed."""
        ended = self._outcomes()
        states = [outcome.status for _, outcome in ended]
        failed, skipped = states.count("failed"), states.count("skipped")
        count, before = len(self.plan.jobs), len(self.plan.jobs) - len(self.jobs)
        if table := score_table(self.plan.jobs, {one.key: outcome for one, outcome in ended}):
            say(f"\n{table}", wrap=False)
        earlier = f" ({before} of them before)" if before else ""
        say(f"\n{counted(count, 'job')}: {count - skipped - failed} done{earlier}, {skipped} skipped, {failed} failed")
        self._name_failed(ended)
        if failed:
            say(f"next: {shlex.join(self.repeat)}  (runs what failed)", wrap=False)
        elif skipped < count:
            folder = [text for text in self.repeat if text.startswith("paths.results=")]
            say(f"next: {shlex.join(['roftbench', 'tables', *folder])}", wrap=False)
        return failed

    def name_failed(self) -> None:
        """Print each failed job with its reason, its log and the command that repeats it."""
        self._name_failed(self._outcomes())

    def _outcomes(self) -> list[tuple[Planned, JobOutcome]]:
        found = ((one, self.outcomes.of(one)) for one in self.jobs)
        return [(one, outcome) for one, outcome in found if outcome is not None]

    def _name_failed(self, ended: Sequence[tuple[Planned, JobOutcome]]) -> None:
        for one, outcome in ended:
            if outcome.status == "failed":
                say(failed_lines(self.command, one, outcome.reason), wrap=False)
                if (log := one.store.log_path(one.key)).exists():
                    say(f"          log: {shown(log)}", wrap=False)

    def _overrides(self, one: Planned) -> str:
        """Return the overrides of a job that differ among the jobs; all of them where none does."""
        own = [text for text in one.overrides if text.partition("=")[0] in self._varying]
        return shlex.join(own or one.overrides)

    def _ended(self) -> str:
        ended = len(self.jobs) - len(self._left)
        text = f"{ended}/{len(self.jobs)}"
        return f"{text} {self._time_left(ended)}" if self._left else text

    def _time_left(self, ended: int) -> str:
        return f"{duration((time.monotonic() - self._began) / ended * (len(self.jobs) - ended))} left"


def facts(jobs: Sequence[Planned]) -> dict[str, str]:
    """Return what jobs have in common: models, data sets with their metrics, split, training and device."""
    models = {one.job.model.name: PRETRAINING[one.job.model.pretraining] for one in jobs}
    found = {"model": ", ".join(f"{name} (pretraining: {text})" for name, text in models.items())}
    found["data set"] = "; ".join(dict.fromkeys(_dataset(one) for one in jobs))
    common = {
        "split": [one.job.split.name for one in jobs],
        "labels": [one.job.label_ratio.name for one in jobs],
        "training": [_training(one) for one in jobs],
        "device": [_device(one) for one in jobs],
    }
    for name, texts in common.items():
        if len(set(texts)) <= FEW:
            found[name] = "; ".join(dict.fromkeys(texts))
    return found


def _dataset(one: Planned) -> str:
    spec = one.job.dataset
    units = f" in {spec.units}" if spec.units else ""
    better = METRICS[str(spec.metric)].direction
    return f"{spec.name} ({spec.task}, {spec.metric}{units}, {better} is better)"


def _training(one: Planned) -> str:
    train = one.job.train
    return f"{train.name}: {train.epochs} epochs per stage, batch {train.batch_size}, Adam {train.lr:g}"


def _device(one: Planned) -> str:
    threads = one.context.run.threads
    return one.context.run.device + ("" if threads is None else f", {threads} thread{'s' * (threads != 1)} per job")


def failed_lines(command: Sequence[str], one: Planned, reason: str) -> str:
    """Return the command that repeats a failed job, with the reason below it."""
    return f"  failed: {shlex.join([*command, *one.overrides])}\n          {' '.join(reason.split())}"


def headline(plan: Plan) -> str:
    """Return how many jobs a sweep has and has to run, with what was guessed about the user's own table below."""
    states = [one.state for one in plan.jobs]
    same = f" ({plan.combinations} combinations)" if plan.combinations != len(states) else ""
    skipped = [f"{states.count('skipped')} skipped before"] if "skipped" in states else []
    parts = [f"{states.count('done')} done", f"{states.count('failed')} failed before", *skipped]
    parts.append(f"{len(plan.open)} to run")
    return "\n".join(
        [f"{counted(len(states), 'job')}{same}: {', '.join(parts)}", *(f"  guessed: {one}" for one in plan.guesses)]
    )
