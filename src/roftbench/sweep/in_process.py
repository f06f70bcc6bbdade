"""Jobs of a sweep in its own process, as they were planned: without Hydra, which composes the config of each again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from roftbench.config.job import Job
from roftbench.sweep.plan import Plan
from roftbench.sweep.scheduler import JobReply, Launch
from roftbench.sweep.worker import work


class InProcess:
    """Launches planned jobs; one whose files have changed since then goes to `hydra`, which plans it anew.

    Composing a config takes 0.1 s, more than a small estimator's whole job.
    """

    def __init__(self, plan: Plan, hydra: Launch) -> None:
        self._planned = {one.overrides: one for one in plan.jobs}
        self._stamps = {path: _stamp(path) for one in plan.jobs for path in _files(one.job)}
        self._hydra = hydra

    def __call__(self, batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        """Run a batch of jobs, given by their overrides; `number` is that of the first."""
        return [reply for first, texts in enumerate(batch, number) for reply in self._launch(texts, first)]

    def _launch(self, texts: Sequence[str], number: int) -> Sequence[JobReply]:
        one = self._planned[tuple(texts)]
        if any(_stamp(path) != self._stamps[path] for path in _files(one.job)):
            return self._hydra([texts], number)
        status, refusal = work(one.job, one.context, in_sweep=True)
        return [JobReply(number, one.key, not refusal and status != "busy", refusal)]


def suffices(settings: DictConfig) -> bool:
    """Return whether jobs can run without Hydra, which only other launchers, callbacks and job settings need."""
    asked = settings.get("callbacks"), settings.job.get("chdir"), settings.job.get("env_set")
    return str(settings.launcher.get("_target_", "")).endswith(".BasicLauncher") and not any(asked)


def _files(job: Job) -> Iterator[Path]:
    """Yield the user's files that decide a job's numbers (`bundled:FILE` is none); plug-ins are imported already."""
    for path in (job.dataset.path, job.split.params.get("path"), job.model.checkpoint):
        if path:
            yield Path(path)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return time and size of a file; None for one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
