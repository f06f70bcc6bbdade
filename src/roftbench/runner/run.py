"""One job from config to record: skip what is done, work, write. The one place that catches."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from msgspec import MsgspecError
from msgspec.structs import replace

from roftbench.config.environment import RunContext
from roftbench.config.job import FINGERPRINT, NETWORK, Job
from roftbench.config.plugins import place_of
from roftbench.errors import JobError, SkipJob, UsageError
from roftbench.runner.devices import placed
from roftbench.runner.experiment import Experiment
from roftbench.runner.fingerprint import FingerprintExperiment
from roftbench.runner.memory import forget_peak, peak_mb
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.provenance import environment
from roftbench.store.record_schema import Failure, Record
from roftbench.store.results import Store

NO_MEMORY = (
    "the GPU's memory ran out: fewer jobs at a time on it (run.jobs_per_gpu, {jobs} now) or a smaller train.batch_size"
)
CPU = torch.device("cpu")
Save = Callable[[Experiment, Record], object]
EXPERIMENTS: dict[str, Callable[[Job, RunContext], Experiment]] = {
    NETWORK: NetworkExperiment,
    FINGERPRINT: FingerprintExperiment,
}


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
    env: RunContext,
    announce: Callable[[Experiment], None] = lambda experiment: None,
    save: Save | None = None,
    *,
    wait: bool = True,
) -> Outcome:
    """Run a job, or return its record if it has one; a failure is recorded, not raised.

    `announce` is called once everything is loaded, before any training; `save` with the experiment and its record where
    the run asks for a saved model (run.keep). A job that another process is running is waited for, or with wait=False
    the outcome is "busy".

    Raises:
        UsageError: data, split, labels, model or device cannot be had as asked.
        OSError: a file or folder that the job reads cannot be had, or the store cannot take what came out.
        ValueError: the run asks for a saved model, and there is no `save`.
        KeyboardInterrupt: always passed on; finished stages are kept, nothing half-written is left.
    """
    if env.run.keep and save is None:
        raise ValueError("run.keep=true: run_job needs a function that saves the model")
    store = env.store
    store.check_writable()
    with store.claim(job.key, wait=wait) as ours:
        if not ours:
            return Outcome(None)
        if (done := env.finished(job.key)) is not None:
            return Outcome(done, cached=True)
        if job.model.kind != NETWORK:
            return _worked(job, env, announce, save)
        with placed(env.run.device, env.cache / "gpus", env.run.jobs_per_gpu) as device:
            return _worked(job, env.running(device=device), announce, save)


def _worked(job: Job, env: RunContext, announce: Callable[[Experiment], None], save: Save | None) -> Outcome:
    """Do a job and put what came out into the store."""
    store = env.store
    began = time.monotonic()
    forget_peak()
    device, loaded = CPU, False
    try:
        experiment = EXPERIMENTS[job.model.kind](job, env)
        device, loaded = experiment.device, True
        announce(experiment)
        record = experiment.work()
        if env.run.keep and save is not None:
            _save(save, experiment, record)
    except SkipJob as error:
        return Outcome(put_failure(store, job, str(error), status="skipped", device=device))
    except (UsageError, BrokenPipeError):  # the reader of our output has left: no fault of the job
        raise
    except JobError as error:
        return Outcome(put_failure(store, job, str(error), device=device))
    except Exception as error:
        if isinstance(error, OSError) and not loaded:  # a file or folder that cannot be had
            raise
        reason = f"{type(error).__name__}: {error}{place_of(error, env.plugins)}"
        if "CUDA" in reason and "out of memory" in reason:  # of several types, none of which says only that
            reason = f"{NO_MEMORY.format(jobs=env.run.jobs_per_gpu)}: {str(error).partition('.')[0]}"
        trace = traceback.format_exc()
        return Outcome(put_failure(store, job, reason, trace=trace, device=device))
    if not env.run.rerun and (done := store.get(job.key)) is not None:  # worked again for its model alone
        store.remove_failure(job.key)
        return Outcome(done, cached=True)
    seconds = {**record.seconds, "total": time.monotonic() - began}
    record = replace(record, seconds=seconds, peak_memory_mb=peak_mb())
    try:
        store.put(record)
    except (ValueError, MsgspecError) as error:  # a method of one's own may say what no record can hold
        reason = f"its record could not be read again: {error}"
        return Outcome(put_failure(store, job, reason, device=device))
    return Outcome(record)


def _save(save: Save, experiment: Experiment, record: Record) -> None:
    """Save the model of a job that has done its work; raises JobError where the disk refuses."""
    try:
        save(experiment, record)
    except OSError as error:
        place = error.filename or experiment.store.model_path(experiment.job.key)
        raise JobError(f"its model cannot be kept: {place}: {error.strerror or error}") from error


def put_failure(
    store: Store,
    job: Job,
    reason: str,
    *,
    status: Literal["failed", "skipped"] = "failed",
    trace: str | None = None,
    device: torch.device = CPU,
) -> Failure:
    """Write and return the record of a job that failed or was skipped."""
    env = environment(device)
    failure = Failure(key=job.key, status=status, job=job.identity(), error=reason, traceback=trace, env=env)
    store.put_failure(failure)
    return failure
