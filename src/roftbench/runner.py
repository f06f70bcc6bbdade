"""One job from config to record: skip what is done, work, write. The one place that catches."""

import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from roftbench import record as records
from roftbench.bench import Bench
from roftbench.config import Env
from roftbench.errors import JobError, SkipJob, UsageError
from roftbench.fingerprint_bench import FingerprintBench
from roftbench.job import FINGERPRINT, NETWORK, Job
from roftbench.store import Record, Store
from roftbench.workbench import Workbench

BENCHES: dict[str, Callable[[Job, Env, Store], Bench]] = {NETWORK: Workbench, FINGERPRINT: FingerprintBench}


@dataclass(frozen=True)
class Outcome:
    """What became of a job: status done, failed or skipped, its record, and whether it had been done before."""

    status: str
    record: Record
    cached: bool = False


def run_job(job: Job, env: Env, announce: Callable[[Bench], None] = lambda bench: None) -> Outcome:
    """Run a job, or return its record if it has one; a failure is recorded, not raised.

    `announce` is called once everything is loaded, before any training.

    Raises:
        UsageError: data, split, labels, model or device cannot be had as asked.
        KeyboardInterrupt: always passed on; finished stages are kept, nothing half-written is left.
    """
    store = Store(env.results, env.run.stage_cap_gb)
    store.check_writable()
    with store.job_lock(job.key):
        if not env.run.rerun and (done := store.get(job.key)) is not None:
            return Outcome("done", done, cached=True)
        began = time.monotonic()
        bench = BENCHES[job.model.kind](job, env, store)
        announce(bench)
        try:
            record = bench.work()
        except SkipJob as error:
            return Outcome("skipped", _put_failure(bench, "skipped", str(error), None))
        except (UsageError, BrokenPipeError):  # the reader of our output has left: no fault of the job
            raise
        except JobError as error:
            return Outcome("failed", _put_failure(bench, "failed", str(error), None))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return Outcome("failed", _put_failure(bench, "failed", reason, traceback.format_exc()))
        record["seconds"]["total"] = time.monotonic() - began
        record["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        store.put(record)
        return Outcome("done", record)


def _put_failure(bench: Bench, status: str, reason: str, trace: str | None) -> Record:
    record = {
        **records.head(bench.job, status),
        "error": reason,
        "traceback": trace,
        "env": records.environment(bench.device),
    }
    bench.store.put_failure(record)
    return record
