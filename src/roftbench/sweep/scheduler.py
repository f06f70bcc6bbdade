"""Launch missing jobs and relaunch those of lost workers; completion is read from the store.

Whatever the launcher, a job has ended when its record or its failure is in the store. What launchers report is not
relied on: one forgets the jobs of a dead worker, another calls failed jobs completed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from roftbench.console import duration, say
from roftbench.errors import JobError
from roftbench.formatting import counted
from roftbench.runner.run import put_failure
from roftbench.store.downloads import fetch_missing
from roftbench.sweep.launchers import awaited, most_at_once, remedy, workers
from roftbench.sweep.outcomes import Outcomes
from roftbench.sweep.plan import Plan, Planned, in_groups
from roftbench.sweep.progress import Progress
from roftbench.sweep.worker import no_room


class JobReply(NamedTuple):
    """A worker's report on a job.

    number: the launch's first number plus the job's position in it. key: of the job as the worker parsed it, "" if it
    can no longer be parsed. ended: its record or its failure is written. refusal: why it cannot run, or be recorded.
    """

    number: int
    key: str
    ended: bool
    refusal: str


Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReply]]
BUSY_SECONDS = 1.0
# Exceptions of workers that died: one that is killed while it starts has no job yet, and is launched once more.
WORKER_DIED = ("UncompletedJobError", "TerminatedWorkerError")
IDLE = 3  # launches in a row that may run nothing: another sweep may just have released its jobs
SEEN_SECONDS = 90.0  # until a shared folder shows files of another machine: NFS needs up to 60
RESUME = "Finished jobs are kept; the same command continues"
CHANGED = (
    "a job differs from the planned one: a file that decides its numbers (a table, a checkpoint, a plug-in) or"
    " roftbench itself has changed since the sweep began, or differs on the worker"
)
UNSEEN = (
    "{count} jobs have ended, but paths.results={root} on this machine has no file of them. Workers on other machines"
    " must use the same folder: set paths.results to one that all machines share"
)
LOST = "its worker process was lost twice ({reason}){remedy}"


class JobsFailedError(JobError):
    """Jobs of a sweep failed; each has been printed with its reason."""


class Scheduler:
    """Launches the missing jobs of a plan.

    Args:
        plan: the sweep.
        launch: takes the overrides of jobs and the number of the first, and returns the replies of jobs not lost.
        launcher: the config of Hydra's launcher.
        command: what the overrides of a job are appended to, to repeat it.
        overrides: those of the whole sweep.
        progress: class of what is printed.
    """

    def __init__(
        self,
        plan: Plan,
        launch: Launch,
        launcher: Mapping[str, Any],
        command: Sequence[str],
        overrides: Sequence[str] = (),
        progress: Callable[..., Progress] = Progress,
    ) -> None:
        self.plan, self.launch, self.launcher = plan, launch, launcher
        self.parallel = workers(launcher) != 1
        ordered = in_groups(plan.open) if self.parallel else plan.open
        # What ran when a process was killed may be the reason, for example by its use of memory: it comes last.
        self.todo = sorted(ordered, key=lambda one: one.store.interrupted(one.key))
        self.number = {one.key: number for number, one in enumerate(self.todo)}
        self.outcomes = Outcomes(self.todo)
        self.progress = progress(plan, self.todo, self.outcomes, command, [*command, "-m", *overrides])
        self.began = time.monotonic()

    def run(self) -> None:
        """Run all missing jobs.

        Raises:
            JobsFailedError: jobs failed; all others are done.
            UsageError: results cannot be written, or a required file is missing; no job has begun.
            JobError: results can no longer be written, or are not visible here, the launcher itself failed before a job
                began, or a file that decides numbers was changed meanwhile. Failed jobs have been printed.
        """
        self.progress.open()
        prepare(self.todo)
        try:
            self.work()
        except JobError:
            self.progress.name_failed()
            raise
        if failed := self.progress.conclude():
            spent = duration(time.monotonic() - self.began)
            raise JobsFailedError(f"{failed} of {len(self.plan.jobs)} jobs failed ({spent})")

    def work(self) -> None:
        """Run all missing jobs, and leave it to the caller to report failed ones; raises JobError as `run` does."""
        left, suspects, idle, fruitless = self.todo, list[Planned](), 0, 0
        while left or suspects:
            alone = not left
            batch = left or [suspects.pop(0)]
            reason = self._launch(batch)
            left = [one for one in batch if not self.outcomes.ended(one)]
            idle = idle + 1 if len(left) == len(batch) and not self._at_work(left) else 0
            if idle > IDLE and not reason:
                raise JobError(f"the launcher returned {idle} times without running any of {len(left)} jobs")
            if reason and alone and left:
                self._give_up(left.pop(), reason)
            elif reason:
                lost = [one for one in left if one.store.interrupted(one.key)]
                fruitless = fruitless + 1 if len(left) == len(batch) and not lost else 0
                if fruitless > reason.startswith(WORKER_DIED):
                    raise JobError(f"the launcher failed before any of {len(left)} jobs began: {reason}")
                say(f"a worker process was lost ({reason}); still to be run: {counted(len(left), 'job')}")
                suspects += lost  # one of them may kill its worker again: each is relaunched alone
                left = [one for one in left if one not in lost]
            elif left:
                self._wait(left)

    def _launch(self, batch: Sequence[Planned]) -> str:
        """Launch jobs, one by one where they run in this process; returns the error of the launcher, or ""."""
        for chunk in self._chunks(batch):
            number = self.number[chunk[0].key]
            if not self.parallel:
                if self.outcomes.ended(chunk[0]):  # another sweep has run it
                    continue
                self.progress.begin(chunk[0], number)
            try:
                replies = self._launch_chunk(chunk, number)
            except BrokenPipeError:  # the reader of standard output has left
                raise
            except Exception as error:  # launchers raise various types when a worker dies
                return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            self._check_replies(replies, {number + place: one for place, one in enumerate(chunk)})
            if not self.parallel:
                self.progress.look()
        return ""

    def _launch_chunk(self, chunk: Sequence[Planned], number: int) -> Sequence[JobReply]:
        texts = [one.overrides for one in chunk]
        if not self.parallel:
            return self.launch(texts, number)
        interrupted = [partial(one.store.interrupted, one.key) for one in chunk]
        with self.progress.watching(), awaited(self.launcher, interrupted):
            return self.launch(texts, number)

    def _chunks(self, batch: Sequence[Planned]) -> list[Sequence[Planned]]:
        size = (most_at_once(self.launcher) or len(batch)) if self.parallel else 1
        return [batch[first : first + size] for first in range(0, len(batch), size)]

    def _check_replies(self, replies: Sequence[JobReply], launched: Mapping[int, Planned]) -> None:
        """Check the replies of workers against the launched jobs, by their numbers, and wait for ended ones."""
        for reply in replies:
            one = launched[reply.number]
            if not reply.key:
                self._fail(one, reply.refusal)
            elif reply.refusal:
                raise JobError(f"{reply.refusal} {RESUME}.")
            elif reply.key != one.key:
                raise JobError(f"{CHANGED}. {RESUME} with what is there now.")
        waiting, began = [launched[reply.number] for reply in replies if reply.ended], time.monotonic()
        while waiting := [one for one in waiting if not self.outcomes.ended(one)]:
            if time.monotonic() - began > SEEN_SECONDS:
                raise JobError(f"{UNSEEN.format(count=len(waiting), root=waiting[0].store.root)}. {RESUME}.")
            time.sleep(BUSY_SECONDS)

    def _give_up(self, one: Planned, reason: str) -> None:
        self._fail(one, LOST.format(reason=reason, remedy=remedy(self.launcher)))
        one.store.running_path(one.key).unlink(missing_ok=True)

    def _fail(self, one: Planned, reason: str) -> None:
        try:
            put_failure(one.store, one.job, reason)
        except OSError as error:
            raise JobError(f"{no_room(one.store, error)} {RESUME}.") from error

    def _at_work(self, jobs: Sequence[Planned]) -> bool:
        return any(one.store.at_work(one.key) for one in jobs)

    def _wait(self, busy: Sequence[Planned]) -> None:
        """Wait until another sweep has ended one of the jobs that it is running, or its process is gone."""
        if self._at_work(busy):
            say(f"waiting for {counted(len(busy), 'job')} that another sweep is running")
        while all(one.store.at_work(one.key) for one in busy):
            time.sleep(BUSY_SECONDS)


def prepare(jobs: Sequence[Planned]) -> None:
    """Tidy the folders of jobs and download what they lack, before the first of them begins.

    Raises:
        UsageError: results cannot be written, or a required file is missing.
    """
    if jobs:
        jobs[0].store.check_writable()
        jobs[0].context.tidy()
        fetch_missing((source, one.context.places) for one in jobs for source in one.job.sources())
