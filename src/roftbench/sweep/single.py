"""One job, or its composed config: through Hydra's Compose API, in this process."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from roftbench.config.compose import clear_errors, clear_options, composed, hydra_app
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.parse import parse
from roftbench.config.references import check_references
from roftbench.console import say
from roftbench.store.downloads import fetch_missing
from roftbench.sweep.arguments import Arguments
from roftbench.sweep.naming import kept_of
from roftbench.sweep.refits import keep_all
from roftbench.sweep.worker import work


def run_single(arguments: Arguments) -> int:
    """Run one job; returns the exit code: 0, or 1 if the job failed or was skipped.

    Raises:
        UsageError: an override cannot be used, or the job cannot be run as requested.
    """
    config, job, context, guesses = prepared(arguments.overrides, arguments.config_dir)
    refits, naming = kept_of([(job, context)])
    if _describes_sweep(config, arguments):
        say("this config describes a sweep; add -m to run all its jobs. Without it, one job:")
    status, _ = work(job, context, guesses, in_sweep=False)
    if status == "done":
        keep_all(refits, quiet=True)
        if naming is not None:
            naming.conclude()
    return int(status != "done")


def prepared(overrides: Sequence[str], config_dir: Path | None) -> tuple[DictConfig, Job, RunContext, list[str]]:
    """Return the config of one job, the job with its published files in place, its context, and what was guessed.

    Raises:
        UsageError: an override cannot be used, or a file cannot be found.
    """
    with clear_errors(overrides, config_dir):
        config = composed(overrides, config_dir, with_hydra=True)
        job, context, guesses = parse(config, config_dir)
        fetch_missing((source, context.places) for source in job.sources())
    return config, job, context, guesses


def show(arguments: Arguments) -> None:
    """Print the composed config (`--cfg`) or what Hydra reports about it (`--info`).

    Raises:
        UsageError: an override cannot be used, or references resolve to too many values.
    """
    with clear_errors(arguments.overrides, arguments.config_dir):
        if arguments.resolve:
            check_references(composed(arguments.overrides, arguments.config_dir))
        with hydra_app(arguments.overrides, arguments.config_dir) as (app, overrides), clear_options():
            if arguments.cfg:
                app.show_cfg("config", overrides, arguments.cfg, arguments.package, arguments.resolve)
            else:
                with _without_handlers():
                    app.show_info(arguments.info or "all", "config", overrides)


@contextmanager
def _without_handlers() -> Iterator[None]:
    """Remove the handlers of the root logger: Hydra prints its information through a handler that it adds."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = before


def _describes_sweep(config: DictConfig, arguments: Arguments) -> bool:
    """Return whether a preset sweeps keys that the command line does not set."""
    named = {text.partition("=")[0] for text in arguments.overrides}
    return bool((config.hydra.sweeper.get("params") or {}).keys() - named)
