"""`roftbench.run`: one job of the benchmark."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from roftbench.api.options import overrides_of
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.registry import default_folder
from roftbench.console import logged
from roftbench.errors import JobError, SkipJob
from roftbench.store.record_schema import Record
from roftbench.sweep.naming import kept_of
from roftbench.sweep.refits import keep_all
from roftbench.sweep.single import prepared
from roftbench.sweep.worker import work


def run(
    *overrides: str,
    results: str | Path | None = None,
    config_dir: str | Path | None = None,
    verbose: bool = False,
    **options: Any,
) -> Record:
    """Run one job as `roftbench run` does, or return the record of a finished one.

    Args:
        *overrides: Overrides as on the command line, such as "train.epochs=30".
        results: Folder of records; by default ROFTBENCH_RESULTS or "results".
        config_dir: Folder with configs of your own; by default ROFTBENCH_CONFIG_DIR.
        verbose: Whether the job's settings and result are printed.
        **options: Options by group (`method="lp"`), or keys of a group (`train={"epochs": 30}`).

    Returns:
        The record: `record.scores.test["rmse"]`, `record.history`, `record.test_predictions` and more.

    Raises:
        UsageError: An option is unknown or cannot be used.
        JobError: The job failed. The reason is in the error, and with the traceback in the results folder.
        SkipJob: The job makes no sense for its model or data.

    Example:
        ```python
        import roftbench

        record = roftbench.run(method="roftmol", dataset="esol", label_ratio="n50")
        print(record.scores.test["rmse"])
        ```
    """
    place = {} if results is None else {"paths": {"results": str(results)}}
    folder = None if config_dir is None else Path(config_dir).expanduser()
    words = [*overrides, *overrides_of({**place, **options})]
    return record_of(words, folder, quiet=not verbose)[0]


def record_of(
    words: Sequence[str], config_dir: Path | None = None, *, quiet: bool = True, cache: Path | None = None
) -> tuple[Record, Job, RunContext]:
    """Run the job of overrides; returns its record, the job and its context.

    `quiet`: only progress bars appear, on a terminal. `cache`: a folder of featurized data in place of that of the
    config. Raises as `run` does.
    """
    with logged(None, quiet=quiet, bars=True):
        _, job, context, guesses = prepared(words, config_dir or default_folder())
    if cache is not None:
        context = replace(context, cache=_with_slots(cache, context.cache))
    refits, naming = kept_of([(job, context)])
    status, _ = work(job, context, guesses, in_sweep=False, quiet=quiet)
    if status == "done":
        keep_all(refits, quiet=quiet)
        if naming is not None:
            with logged(None, quiet=quiet):
                naming.conclude()
    record = context.store.get(job.key) if status == "done" else None
    if record is None:
        failure = context.store.failure(job.key)
        reason = "its record cannot be read" if failure is None else failure.error
        raise (SkipJob if status == "skipped" else JobError)(reason)
    return record, job, context


def _with_slots(cache: Path, shared: Path) -> Path:
    """Return a folder of featurized data in which the slots of GPUs (run.jobs_per_gpu) are those of all processes."""
    link = cache / "gpus"
    with suppress(OSError):  # without a cache that can be written, slots are not shared
        (shared / "gpus").mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(shared / "gpus", target_is_directory=True)
    return cache
