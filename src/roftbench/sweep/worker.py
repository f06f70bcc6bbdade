"""One job as `roftbench run` does it: told on the terminal, written to its log, its failure kept in the store."""

from collections.abc import Sequence

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.console import logged, note, say
from roftbench.errors import UsageError
from roftbench.predict.save import save
from roftbench.runner.run import put_failure, run_job
from roftbench.store.record_schema import Failure, Record
from roftbench.store.results import Store
from roftbench.sweep.job_summary import announce, conclude


def work(
    job: Job, env: RunContext, guesses: Sequence[str], *, in_sweep: bool, quiet: bool, bars: bool = False
) -> tuple[str, str]:
    """Run a job; returns how it ended (done, failed, skipped, busy), and what the store could not be told, or "".

    In a sweep nothing but an interruption is raised: what went wrong is a failure in the store. With `quiet` nothing is
    printed; the log has it. `bars` shows progress bars all the same.

    Raises:
        UsageError: outside a sweep, data, split, labels, model or device cannot be had as asked, or results cannot be
            written.
    """
    if not in_sweep:  # whoever begins a sweep has done it
        env.tidy()
    store, done = env.store, env.finished(job.key)
    with logged(store.log_path(job.key) if done is None else None, quiet=quiet, bars=bars):
        for guess in guesses:
            say(f"  guessed: {guess}")
        if done is not None:  # told even where nothing can be written
            conclude(done, store.record_path(job.key), cached=True)
            return "done", ""
        try:
            store.check_writable()
        except UsageError as error:
            if not in_sweep:
                raise
            return "failed", str(error)
        try:
            return _run(job, env, store, in_sweep=in_sweep), ""
        except BrokenPipeError:  # the reader of our output has left: no fault of the job
            raise
        except (UsageError, OSError, SystemExit) as error:
            reason = _words(error)
            if not in_sweep:
                raise UsageError(reason) from error
            return _failed(job, store, reason)


def _run(job: Job, env: RunContext, store: Store, *, in_sweep: bool) -> str:
    outcome = run_job(job, env, announce, save, wait=not in_sweep)
    if isinstance(outcome.record, Record):
        conclude(outcome.record, store.record_path(job.key), cached=outcome.cached)
    elif isinstance(outcome.record, Failure):
        conclude(outcome.record, store.failure_path(job.key))
        if outcome.record.traceback:
            note(outcome.record.traceback)
    return outcome.status


def _failed(job: Job, store: Store, reason: str) -> tuple[str, str]:
    say(f"failed: {reason}")
    try:
        put_failure(store, job, reason)
    except OSError as error:
        return "failed", no_room(store, error)
    return "failed", ""


def no_room(store: Store, error: OSError) -> str:
    """Return in words that a results folder takes nothing more."""
    return f"{store.root} can no longer be written: {error.strerror or error}."


def _words(error: BaseException) -> str:
    if isinstance(error, OSError):
        place = error.filename or "a file"
        return f"{place}: {error.strerror or error}. Set paths.results and paths.cache to folders of yours."
    return str(error) if isinstance(error, UsageError) else f"code of a plug-in ended the process: {error!r}"
