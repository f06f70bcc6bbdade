"""`run.logger=wandb`: a run of Weights & Biases for each job."""

import os
from typing import Any

import wandb

from roftbench.config.callbacks import Callback
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.store.record_schema import Epoch, Failure, Record
from roftbench.trackers.series import config_of, final_scores, status_of, title, values_of


class WandbTracker(Callback):
    """Writes `<results>/wandb/`, to be sent by `wandb sync`; WANDB_MODE=online sends while the job runs.

    The project is WANDB_PROJECT, or "roftbench"; the other variables of wandb have their effects, too.
    """

    def __init__(self) -> None:
        self._run: Any = None

    def job_began(self, job: Job, context: RunContext) -> None:
        """Begin the run with its configuration."""
        context.results.mkdir(parents=True, exist_ok=True)
        self._metric = str(job.dataset.metric)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "roftbench",
            name=title(job),
            config=config_of(job),
            dir=str(context.results),
            mode=os.environ.get("WANDB_MODE") or "offline",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._run.define_metric("*", step_metric="epoch")

    def epoch_ended(self, epoch: Epoch, candidate: int | None) -> None:
        """Log an epoch."""
        self._run.log({"epoch": epoch.epoch, **values_of(epoch, candidate, self._metric)})

    def job_ended(self, result: Record | Failure | None) -> None:
        """Write final scores and status into the summary, and finish the run; its exit code is 0 for a done job."""
        if self._run is None:
            return
        self._run.summary["status"] = status_of(result)
        if isinstance(result, Record):
            self._run.summary.update(final_scores(result))
        self._run.finish(exit_code=int(status_of(result) != "done"))
