"""`run.logger=csv`: the epochs of a job as a table, readable while it runs."""

import csv
import json
from pathlib import Path
from typing import IO

from roftbench.config.callbacks import Callback
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.store.files import write_text
from roftbench.store.record_schema import Epoch, Failure, Record
from roftbench.trackers.series import config_of, final_scores, status_of

COLUMNS = ("candidate", "stage", "epoch", "train_loss", "val_score")


class CsvTracker(Callback):
    """Writes `<results>/csv/<key>/epochs.csv` line by line, and `job.json` with configuration, status and scores."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    def job_began(self, job: Job, context: RunContext) -> None:
        """Begin both files; those of an earlier run of the job are replaced."""
        self._job, self._folder = job, context.results / "csv" / job.key
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_job("running", {})
        self._file = Path(self._folder / "epochs.csv").open("w", newline="", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def epoch_ended(self, epoch: Epoch, candidate: int | None) -> None:
        """Append a line."""
        self._writer.writerow([candidate, epoch.stage, epoch.epoch, epoch.train_loss, epoch.val_score])

    def job_ended(self, result: Record | Failure | None) -> None:
        """Close the table, and write status and scores."""
        if self._file is None:
            return
        self._file.close()
        self._write_job(status_of(result), final_scores(result) if isinstance(result, Record) else {})

    def _write_job(self, status: str, scores: dict[str, float]) -> None:
        content = {
            "status": status,
            "scores": scores,
            "metric": self._job.dataset.metric,
            "config": config_of(self._job),
        }
        write_text(self._folder / "job.json", json.dumps(content, indent=1) + "\n")
