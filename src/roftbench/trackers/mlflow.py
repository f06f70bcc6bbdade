"""`run.logger=mlflow`: a run of MLflow for each job."""

import logging
import os
import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from roftbench.config.callbacks import Callback
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.store.files import locked
from roftbench.store.record_schema import Epoch, Failure, Record
from roftbench.trackers.series import config_of, final_scores, status_of, title, values_of

FLUSH_SECONDS = 2.0  # an epoch may take milliseconds, and a call of the store 40
MOST_METRICS, MOST_PARAMS = 1000, 100  # of one call, MLflow's limits
STATUS = {"done": "FINISHED", "interrupted": "KILLED"}


class MlflowTracker(Callback):
    """Logs to MLFLOW_TRACKING_URI, or to the file `<results>/mlflow.db` if that is not set.

    The experiment is MLFLOW_EXPERIMENT_NAME, or "roftbench". Each run of a job is a run of MLflow.
    """

    def __init__(self) -> None:
        self._run = ""
        self._waiting: list[Metric] = []
        self._flushed = time.monotonic()

    def job_began(self, job: Job, context: RunContext) -> None:
        """Create the run with its parameters."""
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        database = context.results / "mlflow.db"
        self._metric = str(job.dataset.metric)
        with locked(database):  # the first of several processes makes tables and experiment
            self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{database}")
            experiment = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or "roftbench", context)
        self._run = self._client.create_run(experiment, run_name=title(job), tags={"key": job.key}).info.run_id
        params = [Param(name, str(value)) for name, value in config_of(job).items()]
        for first in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(self._run, params=params[first : first + MOST_PARAMS])

    def _experiment(self, name: str, context: RunContext) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        beside = None if os.environ.get("MLFLOW_TRACKING_URI") else (context.results / "mlruns").as_uri()
        return str(self._client.create_experiment(name, artifact_location=beside))

    def epoch_ended(self, epoch: Epoch, candidate: int | None) -> None:
        """Log the metrics of an epoch; several epochs are sent together."""
        self._add(values_of(epoch, candidate, self._metric), epoch.epoch)
        if time.monotonic() - self._flushed > FLUSH_SECONDS or len(self._waiting) > MOST_METRICS - 2:
            self._flush()

    def _add(self, values: dict[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, step) for name, value in values.items()]

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._client.log_batch(self._run, metrics=waiting)
        self._flushed = time.monotonic()

    def job_ended(self, result: Record | Failure | None) -> None:
        """Log final scores, and end the run as FINISHED, FAILED or KILLED."""
        if not self._run:
            return
        try:
            if isinstance(result, Record):
                self._add(final_scores(result), 0)
            self._flush()
            self._client.set_tag(self._run, "roftbench.status", status_of(result))
        finally:
            self._client.set_terminated(self._run, STATUS.get(status_of(result), "FAILED"))
