"""One job as `roftbench run` does it: printed on the terminal, written to its log, its failure put into the store."""

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
    job: Job,
    context: RunContext,
    guesses: Sequence[str] = (),
    *,
    in_sweep: bool,
    bars: bool = True,
    quiet: bool = False,
) -> tuple[str, str]:
    """Run a job; returns its status (done, failed, skipped, busy), and why the store cannot record it, or "".

    In a sweep only the log has the job's lines, and nothing but an interruption is raised: what goes wrong is a failure
    in the store. `bars`: progress bars are shown. `quiet`: only warnings and bars appear on the terminal.

    Raises:
        UsageError: outside a sweep, data, split, labels, model or device cannot be had as requested, or results cannot
            be written.
    """
    if not in_sweep:  # a sweep has done it before its first job
        context.tidy()
    store, done = context.store, context.finished(job.key)
    with logged(store.log_path(job.key) if done is None else None, quiet=in_sweep or quiet, bars=bars):
        for guess in guesses:
            say(f"  guessed: {guess}")
        if done is not None:  # also where nothing can be written
            conclude(done, store.record_path(job.key), cached=True)
            return "done", ""
        try:
            store.check_writable()
        except UsageError as error:
            if not in_sweep:
                raise
            return "failed", str(error)
        try:
            return _run(job, context, store, in_sweep=in_sweep), ""
        except BrokenPipeError:  # the reader of standard output has left: not an error of the job
            raise
        except (UsageError, OSError, SystemExit) as error:
            refusal = error if isinstance(error, UsageError) else _refusal(error)
            if in_sweep:
                return _failed(job, store, str(refusal))
            if refusal is error:
                raise
            raise refusal from error


def _run(job: Job, context: RunContext, store: Store, *, in_sweep: bool) -> str:
    outcome = run_job(job, context, announce, save, wait=not in_sweep)
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
    """Return the message that a results folder cannot be written."""
    return f"{store.root} can no longer be written: {error.strerror or error}."


def _refusal(error: BaseException) -> UsageError:
    """Return the error of a file that is not available, or of a plug-in's code that exits, as a UsageError."""
    if isinstance(error, OSError):
        file = error.filename or "a file"
        hint = "Set paths.results and paths.cache to folders that you can write."
        return UsageError(f"{file}: {error.strerror or error}", got=file, hint=hint)
    return UsageError(f"code of a plug-in exited: {error!r}", key="plugins")
