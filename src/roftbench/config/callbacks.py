"""Callbacks, which follow jobs as they run: their protocol, and the values of `run.logger`."""

from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.plugins import import_allowed, import_name
from roftbench.errors import UsageError
from roftbench.store.record_schema import Epoch, Failure, Record

TRACKERS = {  # class of each tracker, and the package that it needs, which is also the name of an extra of roftbench
    "csv": ("roftbench.trackers.csv_files.CsvTracker", None),
    "tensorboard": ("roftbench.trackers.tensorboard.TensorBoardTracker", "tensorboard"),
    "mlflow": ("roftbench.trackers.mlflow.MlflowTracker", "mlflow"),
    "wandb": ("roftbench.trackers.wandb.WandbTracker", "wandb"),
}


@runtime_checkable
class Callback(Protocol):
    """Follows one job. `run.logger=MODULE.CLASS` makes an instance, without arguments, for each job that is run.

    A subclass overrides the calls that it needs. The first error that one raises is reported, and ends the calls other
    than `job_ended`; it costs the log, not the job. A job that is finished already is not run, and so makes no call.
    """

    def job_began(self, job: Job, context: RunContext) -> None:
        """Called before anything is loaded.

        Args:
            job: The job; `job.key` names it, and `job.identity()` is its whole configuration as plain values.
            context: Its folders and settings; `context.results` is the results folder.
        """

    def epoch_ended(self, epoch: Epoch, candidate: int | None) -> None:
        """Called after each epoch, and for all epochs of a stage that was stored before.

        Args:
            epoch: Stage, number from 1, training loss and validation score by the job's metric (None: undefined).
            candidate: Number of the candidate of a search (`method.search=true`) from 0; None for a single one.
        """

    def job_ended(self, result: Record | Failure | None) -> None:
        """Called once at the end.

        Args:
            result: The record of the finished job, that of a failed or skipped one, or None if it was interrupted or
                could not be run as requested.
        """


def check_logger(name: str | None, plugins: tuple[str, ...]) -> None:
    """Check a value of `run.logger`: the name of a tracker, or the import path of a callback in a plug-in.

    Raises:
        UsageError: It is neither, or the package of the tracker is not installed.
    """
    if name is None:
        return
    if name in TRACKERS:
        package = TRACKERS[name][1]
        if package is not None and find_spec(package) is None:
            problem = f"run.logger={name} needs the package {package}, which is not installed"
            hint = f'Install it: pip install "roftbench[{package}]".'
            raise UsageError(problem, key="run.logger", got=name, hint=hint)
    elif "." in name:
        base: Any = Callback
        import_allowed(name, "run.logger", plugins, (base,))
    else:
        hint = "For a class of your own: run.logger=MODULE.CLASS plugins=[MODULE.py]."
        raise UsageError(f"run.logger is '{name}'", key="run.logger", got=name, allowed=TRACKERS, hint=hint)


def callback_of(context: RunContext) -> Callback | None:
    """Return a new callback for a job: that of `run.logger`, which `check_logger` has checked; None without one."""
    name = context.run.logger
    if name is None:
        return None
    made: Callback = import_name(TRACKERS[name][0] if name in TRACKERS else name)()
    return made
