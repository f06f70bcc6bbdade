"""`run.logger=tensorboard`: event files for TensorBoard."""

import json
import shutil

from torch.utils.tensorboard import SummaryWriter

from roftbench.config.callbacks import Callback
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.store.record_schema import Epoch, Failure, Record
from roftbench.trackers.series import config_of, final_scores, status_of, values_of


class TensorBoardTracker(Callback):
    """Writes `<results>/tensorboard/<key>/`: scalars by epoch, configuration as text, final scores and status."""

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None

    def job_began(self, job: Job, context: RunContext) -> None:
        """Open the event file; the curves of an earlier run of the job are replaced."""
        folder = context.results / "tensorboard" / job.key
        shutil.rmtree(folder, ignore_errors=True)
        self._metric = str(job.dataset.metric)
        self._writer = SummaryWriter(str(folder))
        self._writer.add_text("config", f"```\n{json.dumps(config_of(job), indent=1)}\n```")

    def epoch_ended(self, epoch: Epoch, candidate: int | None) -> None:
        """Add the scalars of an epoch."""
        assert self._writer is not None
        for name, value in values_of(epoch, candidate, self._metric).items():
            self._writer.add_scalar(name, value, epoch.epoch)

    def job_ended(self, result: Record | Failure | None) -> None:
        """Add final scores and status, and close the event file."""
        if self._writer is None:
            return
        if isinstance(result, Record):
            for name, value in final_scores(result).items():
                self._writer.add_scalar(name, value, 0)
        self._writer.add_text("status", status_of(result))
        self._writer.close()
