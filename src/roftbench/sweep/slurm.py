"""Slurm tasks that a sweep waits for: their state comes from the queue, and from the store where the queue has none.

submitit reads it from Slurm's accounting, which many clusters lack: it would wait for a killed task forever.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import JobPaths, UncompletedJobError
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

from roftbench.console import say

# What `squeue --states=all` shows of a job for some minutes after its end; with any other state it may still run.
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"}
ENDED |= {"REVOKED", "TIMEOUT"}
ENDED |= {"FORGOTTEN", "KILLED"}  # added here: no longer in the queue; its process is gone
UNEVENTFUL = frozenset(["None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime", "Cleaning"])
REMEDIES = {
    "TIMEOUT": ": raise hydra.launcher.timeout_min, {timeout_min} now",
    "OUT_OF_MEMORY": ": raise hydra.launcher.mem_gb, {mem_gb} now",
}
COMMAND_SECONDS = 60.0  # after which a Slurm command counts as unanswered
GONE_SECONDS = 60.0  # a task that Slurm puts into the queue again has no process meanwhile, and must not count as lost
NAMED = 3  # lost tasks in a message
LOOK_SECONDS = 10  # between two looks into the queue at most; at first there are more of them


class QueueWatcher(SlurmInfoWatcher):
    """States of submitit's jobs, from `squeue` instead of `sacct`.

    `interrupted` has a function for each job, in the order of launch, that returns whether its process was killed
    during the job. It decides where the queue does not: `squeue` fails, lacks a job, or shows it as COMPLETING for a
    minute.
    """

    def __init__(self, interrupted: Sequence[Callable[[], bool]]) -> None:
        super().__init__(delay_s=LOOK_SECONDS)
        self._interrupted = interrupted
        self._gone: dict[str, float] = {}  # since when a task's process is known to be gone
        self._said: set[str] = set()

    def tasks(self) -> list[str]:
        """Return the numbers of the jobs, without the number of the whole array, which submitit registers, too."""
        array = len(self._interrupted) > 1
        return sorted((one for one in self._registered if ("_" in one) == array), key=_index)

    def update(self) -> None:
        """Update the states from the queue, and from the store where the queue does not decide."""
        self._num_calls += 1
        queue = self._queue()
        for task in self.tasks():
            if self.state(task) not in ENDED:
                self._info_dict[task] = {"State": self._now(task, queue)}
        self._last_status_check = time.time()
        if queue is not None:
            self._report_pending([queue[task] for task in self.tasks() if task in queue])

    def get_state(self, job_id: str, mode: str = "standard") -> str:
        """Return a state that submitit knows: that of an ended task, or RUNNING."""
        self.get_info(job_id, mode=mode)
        state = self.state(job_id)
        return state if state in ENDED else "RUNNING"

    def state(self, task: str) -> str:
        """Return the last known state of a task; "" if it has not been seen."""
        return str(self._info_dict.get(task, {}).get("State", ""))

    def _now(self, task: str, queue: Mapping[str, tuple[str, str]] | None) -> str:
        before = self.state(task)
        state = before if queue is None else queue.get(task, ("", ""))[0]
        if queue is not None and not state and before:  # Slurm no longer lists it
            return "FORGOTTEN"
        if queue is not None and state not in ("", "COMPLETING"):
            self._gone.pop(task, None)
            return state
        if not self._interrupted[_index(task)]():
            self._gone.pop(task, None)
            return state
        since = self._gone.setdefault(task, time.monotonic())
        return "KILLED" if time.monotonic() - since >= GONE_SECONDS else state

    def _queue(self) -> dict[str, tuple[str, str]] | None:
        """Return state and reason of all jobs of this user by number; None if Slurm does not answer."""
        command = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", "--format=%i|%T|%r"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            words = (getattr(error, "stderr", None) or str(error)).strip().partition("\n")[0]
            self._say_once(
                "squeue", f"Slurm's squeue does not answer ({words}): ended jobs are read from the results folder"
            )
            return None
        rows = (line.strip().split("|", 2) for line in done.stdout.splitlines())
        return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}

    def _report_pending(self, found: Sequence[tuple[str, str]]) -> None:
        """Print once why Slurm starts nothing, where none of the tasks runs."""
        left = [(state, reason) for state, reason in found if state not in ENDED]
        if left and all(state == "PENDING" for state, _ in left):
            for reason in {reason for _, reason in left} - UNEVENTFUL:
                self._say_once(reason, f"Slurm has {len(left)} tasks waiting: {reason}")

    def _say_once(self, subject: str, text: str) -> None:
        if subject not in self._said:
            self._said.add(subject)
            say(text)


@contextmanager
def tasks(launcher: Mapping[str, Any], interrupted: Sequence[Callable[[], bool]]) -> Iterator[None]:
    """Launch and await jobs inside the block; if one is lost, the others are awaited before the error is raised.

    Raises:
        UncompletedJobError: tasks ended without a result; the message has their states and last lines of output.
        FailedJobError: a task could not begin its job; the message is the last line of its traceback.
    """
    before, watcher = SlurmJob.watcher, QueueWatcher(interrupted)
    SlurmJob.watcher = watcher
    try:
        yield
    except UncompletedJobError as error:
        folder = str(launcher["submitit_folder"])
        while left := [one for one in watcher.tasks() if not _over(watcher, folder, one)]:
            watcher.get_info(left[0])
            time.sleep(1)
        lost = [one for one in watcher.tasks() if not JobPaths(folder, one).result_pickle.exists()]
        if not lost:
            raise type(error)(_last_line(str(error))) from error
        words = [_end_of(watcher, launcher, one) for one in lost[:NAMED]]
        more = [f"and {len(lost) - NAMED} more"] if len(lost) > NAMED else []
        raise UncompletedJobError("; ".join([*words, *more])) from error
    finally:
        SlurmJob.watcher = before


def array_limit() -> int | None:
    """Return how many jobs an array may have; None if Slurm does not answer."""
    try:
        command = ["scontrol", "show", "config"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", done.stdout, re.MULTILINE)
    return int(found[1]) if found else None


def outlast_warning() -> None:
    """Keep the signal that announces the time limit from failing the job of this process.

    submitit's handler raises into the job. A job that it has requeued (`max_num_timeout`) must end at once and without
    a trace, as if killed; any other job continues, and may be done before the limit.
    """
    number = getattr(signal, f"SIG{JobEnvironment.USR_SIG}")
    handler = signal.getsignal(number)
    if not callable(handler) or isinstance(handler, _Outlast):
        return
    signal.signal(number, _Outlast(handler))


class _Outlast:
    def __init__(self, handler: Callable[[int, FrameType | None], Any]) -> None:
        self.handler = handler

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            self.handler(number, frame)
        except SystemExit:
            os._exit(1)
        except Exception:  # no timeout is left, or Slurm refuses to requeue the job
            return


def _over(watcher: QueueWatcher, folder: str, task: str) -> bool:
    return watcher.state(task) in ENDED or JobPaths(folder, task).result_pickle.exists()


def _end_of(watcher: QueueWatcher, launcher: Mapping[str, Any], task: str) -> str:
    """Return how a task ended: its state with the remedy, or its last line of output."""
    state = watcher.state(task)
    words = f"Slurm task {task} ended as {state}"
    if state in REMEDIES:
        return words + REMEDIES[state].format_map({"timeout_min": None, "mem_gb": None, **launcher})
    if state in ("CANCELLED", "PREEMPTED", "NODE_FAIL"):  # its process has not ended by itself
        return words
    log = JobPaths(str(launcher["submitit_folder"]), task).stderr
    try:
        last = _last_line(log.read_text(errors="replace"))
    except OSError:
        return words
    return f"{words}: {last} (log: {log})" if last else words


def _last_line(text: str) -> str:
    """Return the last line with a word in it; in an error of submitit, the last before the paths of its logs."""
    text = text.partition("\nYou can check full logs")[0]
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w", line)]
    return lines[-1] if lines else ""


def _index(task: str) -> int:
    return int(task.partition("_")[2] or 0)
