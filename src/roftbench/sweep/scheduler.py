"""A sweep at work: what is missing is launched, and what a lost worker leaves is launched again; the store decides.

Whatever the launcher, a job has ended when its record or its failure is in the store. What launchers say themselves is
not relied on: one forgets the jobs that a dead worker had, another calls failed jobs completed.
"""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

from roftbench.console import duration, say, shown
from roftbench.errors import JobError
from roftbench.runner.run import put_failure
from roftbench.store.downloads import fetch_missing
from roftbench.sweep.launchers import awaited, most_at_once, remedy, workers
from roftbench.sweep.outcomes import Ending, Endings
from roftbench.sweep.plan import Plan, Planned, in_groups
from roftbench.sweep.watch import Watch
from roftbench.sweep.worker import no_room


class JobReply(NamedTuple):
    """What a worker says of a job.

    number: the launch's first one plus its place in it. key: its name as the worker understood it, "" of a job that no
    longer can be. ended: whether its record or its failure is written. refusal: why it cannot be, or not be recorded.
    """

    number: int
    key: str
    ended: bool
    refusal: str


Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReply]]
BUSY_SECONDS = 1.0
# Exceptions of a launch that had begun; a worker that is killed while it starts has no job yet, and gets a second try.
WORKER_DIED = ("UncompletedJobError", "TerminatedWorkerError")
IDLE = 3  # launches in a row that may run nothing: another sweep may just have left what it had at work
SEEN_SECONDS = 90.0  # after which a shared folder shows what another machine has written: NFS needs up to 60
KEPT = "Finished jobs are kept: the same command goes on"
CHANGED = (
    "a job was not the one that was planned: a file that decides its numbers (a table, a checkpoint, a plug-in) or"
    " roftbench itself has changed since the sweep began, or is another one on the worker"
)
UNSEEN = (
    "{count} jobs have ended, but nothing of them is in paths.results={root} as this machine sees it. Workers on other"
    " machines must have that very folder: set paths.results to one that all of them share"
)
LOST = "its worker process was lost twice ({reason}){remedy}"


class JobsFailedError(JobError):
    """Jobs of a sweep failed; they have been named."""


class Scheduler:
    """The missing jobs of a plan, and how to launch them.

    `launch` takes the overrides of jobs and the number of the first one, and returns the answers of those that it did
    not lose; `launcher` is the config of what launches, `command` comes before a job's overrides to repeat it.
    """

    def __init__(self, plan: Plan, launch: Launch, launcher: Mapping[str, Any], command: Sequence[str]) -> None:
        self.plan, self.launch, self.launcher, self.command = plan, launch, launcher, command
        self.parallel = workers(launcher) != 1
        ordered = in_groups(plan.open) if self.parallel else plan.open
        # What a killed process had at work may have killed it, for want of memory for example: it comes last.
        self.todo = sorted(ordered, key=lambda one: one.store.interrupted(one.key))
        self.number = {one.key: number for number, one in enumerate(self.todo)}
        self.endings = Endings(self.todo)
        self.began = time.monotonic()

    def run(self) -> None:
        """Run what is missing, to the end.

        Raises:
            JobsFailedError: jobs failed; all others are done.
            UsageError: results cannot be written, or a file that is needed cannot be had; no job has begun.
            JobError: results can no longer be written, or are not seen here, the launcher itself failed before a job
                began, or a file that decides numbers was changed meanwhile. What failed until then has been named.
        """
        say(headline(self.plan))
        if self.todo:
            self.todo[0].store.check_writable()
            self.todo[0].env.tidy()
            fetch_missing((source, one.env.places) for one in self.todo for source in one.job.sources())
        try:
            self._work()
        except JobError:
            self._name_failed()
            raise
        self._conclude()

    def _work(self) -> None:
        left, suspects, idle, fruitless = self.todo, list[Planned](), 0, 0
        while left or suspects:
            alone = not left
            batch = left or [suspects.pop(0)]
            reason = self._launch(batch)
            left = [one for one in batch if not self.endings.ended(one)]
            idle = idle + 1 if len(left) == len(batch) and not self._at_work(left) else 0
            if idle > IDLE and not reason:
                raise JobError(f"the launcher came back {idle} times without having run any of {len(left)} jobs")
            if reason and alone and left:
                self._give_up(left.pop(), reason)
            elif reason:
                lost = [one for one in left if one.store.interrupted(one.key)]
                fruitless = fruitless + 1 if len(left) == len(batch) and not lost else 0
                if fruitless > reason.startswith(WORKER_DIED):
                    raise JobError(f"the launcher failed before any of {len(left)} jobs began: {reason}")
                say(f"a worker process was lost ({reason}); {len(left)} jobs are still to be run")
                suspects += lost  # one of them may kill its worker again: each gets one more, of its own
                left = [one for one in left if one not in lost]
            elif left:
                self._wait(left)

    def _launch(self, batch: Sequence[Planned]) -> str:
        """Launch jobs, one by one where they run in this process; returns why a launcher did not come to its end."""
        for chunk in self._chunks(batch):
            number = self.number[chunk[0].key]
            if not self.parallel:
                if self.endings.ended(chunk[0]):  # another sweep was quicker
                    continue
                say(f"\n{self._progress(number)}: {shlex.join(chunk[0].overrides)}")
            try:
                interrupted = [partial(one.store.interrupted, one.key) for one in chunk]
                watch = Watch(chunk, self.endings) if self.parallel else nullcontext()
                with watch, awaited(self.launcher, interrupted):
                    answers = self.launch([one.overrides for one in chunk], number)
            except BrokenPipeError:  # the reader of our output has left
                raise
            except Exception as error:  # whatever a launcher raises when a worker of its own dies
                return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            self._heed(answers, {number + place: one for place, one in enumerate(chunk)})
        return ""

    def _chunks(self, batch: Sequence[Planned]) -> list[Sequence[Planned]]:
        size = (most_at_once(self.launcher) or len(batch)) if self.parallel else 1
        return [batch[first : first + size] for first in range(0, len(batch), size)]

    def _heed(self, answers: Sequence[JobReply], asked: Mapping[int, Planned]) -> None:
        """Take note of what workers say of the jobs that they were asked for, by the numbers of these."""
        for answer in answers:
            one = asked[answer.number]
            if not answer.key:
                self._fail(one, answer.refusal)
            elif answer.refusal:
                raise JobError(f"{answer.refusal} {KEPT}.")
            elif answer.key != one.key:
                raise JobError(f"{CHANGED}. {KEPT} with what is there now.")
        waiting, began = [asked[answer.number] for answer in answers if answer.ended], time.monotonic()
        while waiting := [one for one in waiting if not self.endings.ended(one)]:
            if time.monotonic() - began > SEEN_SECONDS:
                raise JobError(f"{UNSEEN.format(count=len(waiting), root=waiting[0].store.root)}. {KEPT}.")
            time.sleep(BUSY_SECONDS)

    def _progress(self, number: int) -> str:
        """Return which job begins, and how long it and the rest will take at the rate of those before it."""
        text = f"job {number + 1} of {len(self.todo)}"
        if not number:
            return text
        return f"{text}, {duration((time.monotonic() - self.began) / number * (len(self.todo) - number))} left"

    def _give_up(self, one: Planned, reason: str) -> None:
        self._fail(one, LOST.format(reason=reason, remedy=remedy(self.launcher)))
        one.store.running_path(one.key).unlink(missing_ok=True)

    def _fail(self, one: Planned, reason: str) -> None:
        try:
            put_failure(one.store, one.job, reason)
        except OSError as error:
            raise JobError(f"{no_room(one.store, error)} {KEPT}.") from error

    def _at_work(self, jobs: Sequence[Planned]) -> bool:
        return any(one.store.at_work(one.key) for one in jobs)

    def _wait(self, busy: Sequence[Planned]) -> None:
        """Wait until another sweep has ended one of the jobs that it has at work, or its process is gone."""
        if self._at_work(busy):
            say(f"waiting for {len(busy)} jobs that another sweep has at work")
        while all(one.store.at_work(one.key) for one in busy):
            time.sleep(BUSY_SECONDS)

    def _conclude(self) -> None:
        """Say how the jobs ended, and name the failed ones with reason, log and the command that repeats each."""
        bad, skipped = self._ended("failed"), len(self._ended("skipped"))
        jobs, before = len(self.plan.jobs), len(self.plan.jobs) - len(self.todo)
        kept = f" ({before} of them before)" if before else ""
        done = jobs - skipped - len(bad)
        say(f"\n{jobs} jobs: {done} done{kept}, {skipped} skipped, {len(bad)} failed")
        self._name_failed()
        if bad:
            raise JobsFailedError(f"{len(bad)} of {jobs} jobs failed ({duration(time.monotonic() - self.began)})")

    def _ended(self, status: str) -> list[tuple[Planned, Ending]]:
        found = ((one, self.endings.of(one)) for one in self.todo)
        return [(one, ending) for one, ending in found if ending is not None and ending.status == status]

    def _name_failed(self) -> None:
        for one, ending in self._ended("failed"):
            say(failed_lines(self.command, one, ending.words))
            if (log := one.store.log_path(one.key)).exists():
                say(f"          log: {shown(log)}")


def failed_lines(command: Sequence[str], one: Planned, reason: str) -> str:
    """Return the command that repeats a failed job, with the reason below it."""
    return f"  failed: {shlex.join([*command, *one.overrides])}\n          {' '.join(reason.split())}"


def headline(plan: Plan) -> str:
    """Return in a line what a sweep has to do, with what was guessed of the user's own table below."""
    states = [one.state for one in plan.jobs]
    same = f" ({plan.combinations} combinations)" if plan.combinations != len(states) else ""
    skipped = [f"{states.count('skipped')} skipped before"] if "skipped" in states else []
    parts = [f"{states.count('done')} done", f"{states.count('failed')} failed before", *skipped]
    parts.append(f"{len(plan.open)} to run")
    return "\n".join([f"{len(states)} jobs{same}: {', '.join(parts)}", *(f"  guessed: {one}" for one in plan.guesses)])
