"""Run one job and store its record; the only place that handles job failures."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from msgspec import MsgspecError
from msgspec.structs import replace

from roftbench.config.environment import RunContext
from roftbench.config.job import NETWORK, Job
from roftbench.config.plugins import place_of
from roftbench.errors import JobError, SkipJob, UsageError
from roftbench.runner.devices import CPU, reserved_device, set_threads
from roftbench.runner.estimators import EstimatorExperiment
from roftbench.runner.experiment import Experiment
from roftbench.runner.memory import peak_mb, reset_peak
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.provenance import environment
from roftbench.runner.tracking import Tracking
from roftbench.store.record_schema import Failure, Record
from roftbench.store.results import Store

NO_MEMORY = (
    "the GPU's memory ran out: fewer jobs at a time on it (run.jobs_per_gpu, {jobs} now) or a smaller train.batch_size"
)
Announce = Callable[[Experiment], None]
Save = Callable[[Experiment, Record], object]


@dataclass(frozen=True)
class StartTime:
    """When a job began, in seconds of the clock and of this process on all cores."""

    wall: float = field(default_factory=lambda: time.monotonic())  # looked up when used: scripts replace the clock
    cpu: float = field(default_factory=lambda: time.process_time())


@dataclass(frozen=True)
class Outcome:
    """The record of a job, None while another process runs it, and whether it had been done before."""

    record: Record | Failure | None
    cached: bool = False

    @property
    def status(self) -> str:
        """How the job ended: "done", "failed" or "skipped"; "busy" while another process runs it."""
        return "busy" if self.record is None else self.record.status


def run_job(
    job: Job,
    context: RunContext,
    announce: Announce = lambda experiment: None,
    save: Save | None = None,
    *,
    wait: bool = True,
) -> Outcome:
    """Run a job, or return its record if it has one; a failure is recorded, not raised.

    Of a refit, neither is stored: it has no test scores, and its result is the saved model.

    Args:
        job: what to compute.
        context: device, threads and folders.
        announce: called once everything is loaded, before any training.
        save: called with the experiment and its record where the run asks for a saved model (run.keep).
        wait: whether to wait for another process that runs the job; otherwise the outcome is "busy".

    Raises:
        UsageError: data, split, labels, model or device are not available as requested.
        OSError: a file or folder that the job reads is not available, or the store cannot be written.
        ValueError: the run asks for a saved model, and there is no `save`.
        KeyboardInterrupt: always passed on; finished stages are kept, and no partial file is left.
    """
    if context.run.keep is True and save is None:
        raise ValueError("run.keep=true: run_job needs a function that saves the model")
    store = context.store
    store.check_writable()
    with store.claim(job.key, wait=wait) as claimed:
        if not claimed:
            return Outcome(None)
        if (done := context.finished(job.key)) is not None:
            return Outcome(done, cached=True)
        if job.model.kind != NETWORK:
            return _tracked(job, context, announce, save)
        with reserved_device(context.run.device, context.cache / "gpus", context.run.jobs_per_gpu) as device:
            return _tracked(job, context.running(device=device), announce, save)


def load_experiment(job: Job, context: RunContext) -> Experiment:
    """Return a job with everything loaded, and set torch's threads for it; raises as `run_job` does."""
    set_threads(context)
    kind: type[NetworkExperiment] | type[EstimatorExperiment] = NetworkExperiment if job.trains else EstimatorExperiment
    return kind.load(job, context)


def _tracked(job: Job, context: RunContext, announce: Announce, save: Save | None) -> Outcome:
    """Run a job without its record, followed by the callback of the run."""
    tracking = Tracking(context)
    with tracking.around(job):
        outcome = _run(job, context, announce, save, tracking)
        tracking.result = outcome.record
    return outcome


def _run(job: Job, context: RunContext, announce: Announce, save: Save | None, tracking: Tracking) -> Outcome:
    """Run a job without its record and store the result."""
    store = context.store
    began = StartTime()
    reset_peak()
    device, loaded = CPU, False
    try:
        experiment = load_experiment(job, context)
        device, loaded = experiment.device, True
        experiment.on_epoch = tracking.epoch_ended
        announce(experiment)
        record = experiment.work()
        if context.run.keep is True and save is not None:
            _save(save, experiment, record)
    except SkipJob as error:
        return Outcome(put_failure(store, job, str(error), status="skipped", device=device))
    except (UsageError, BrokenPipeError):  # a closed standard output is no failure of the job
        raise
    except JobError as error:
        return Outcome(put_failure(store, job, str(error), device=device))
    except Exception as error:
        if isinstance(error, OSError) and not loaded:  # a file or folder that is not available
            raise
        reason = f"{type(error).__name__}: {error}{place_of(error, context.plugins)}"
        if "CUDA" in reason and "out of memory" in reason:  # torch raises several types for it
            reason = f"{NO_MEMORY.format(jobs=context.run.jobs_per_gpu)}: {str(error).partition('.')[0]}"
        trace = traceback.format_exc()
        return Outcome(put_failure(store, job, reason, trace=trace, device=device))
    return Outcome(record) if job.refit else _stored(job, context, record, began, device)


def _stored(job: Job, context: RunContext, record: Record, began: StartTime, device: torch.device) -> Outcome:
    """Store the record of a finished job, unless it was run again only to save its model."""
    store = context.store
    if not context.run.rerun and (done := store.get(job.key)) is not None:
        store.renew(job.key)
        return Outcome(done, cached=True)
    seconds = {**record.seconds, "total": time.monotonic() - began.wall}
    cpu_seconds = {**record.cpu_seconds, "total": time.process_time() - began.cpu}
    record = replace(record, seconds=seconds, cpu_seconds=cpu_seconds, peak_memory_mb=peak_mb())
    try:
        store.put(record)
    except (ValueError, MsgspecError) as error:  # a plug-in's method may return what no record can hold
        reason = f"its record could not be read again: {error}"
        return Outcome(put_failure(store, job, reason, device=device))
    return Outcome(record)


def _save(save: Save, experiment: Experiment, record: Record) -> None:
    """Save the model of a finished job; raises JobError where the disk refuses."""
    try:
        save(experiment, record)
    except OSError as error:
        path = error.filename or experiment.store.model_path(experiment.job.key)
        raise JobError(f"its model cannot be kept: {path}: {error.strerror or error}") from error


def put_failure(
    store: Store,
    job: Job,
    reason: str,
    *,
    status: Literal["failed", "skipped"] = "failed",
    trace: str | None = None,
    device: torch.device = CPU,
) -> Failure:
    """Write and return the record of a job that failed or was skipped; that of a refit is not written."""
    env = environment(device)
    failure = Failure(key=job.key, status=status, job=job.identity(), error=reason, traceback=trace, env=env)
    if not job.refit:
        store.put_failure(failure)
    return failure
