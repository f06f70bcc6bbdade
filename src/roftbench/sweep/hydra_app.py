"""`roftbench run` and `roftbench plan`: one job through Hydra's Compose API, a sweep through its launchers."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from roftbench.config.compose import clear_errors, clear_logging, clear_options, composed, hydra_app
from roftbench.config.environment import RunContext
from roftbench.config.job import NETWORK
from roftbench.config.parse import parse
from roftbench.config.registry import OF_A_JOB
from roftbench.errors import JobError, UsageError
from roftbench.formatting import printable
from roftbench.overrides import opened
from roftbench.runner.devices import choose_device
from roftbench.sweep.arguments import Arguments
from roftbench.sweep.grid import Compose, expand
from roftbench.sweep.in_process import InProcess, suffices
from roftbench.sweep.launchers import outlast_warning, set_following, threads, workers
from roftbench.sweep.naming import Naming, kept_of
from roftbench.sweep.plan import Plan, plan_sweep
from roftbench.sweep.refits import Refit, keep_all
from roftbench.sweep.scheduler import JobReply, JobsFailedError, Launch, Scheduler
from roftbench.sweep.single import run_single, show
from roftbench.sweep.worker import work

if TYPE_CHECKING:
    from roftbench.sweep.search import Search


def run(words: Sequence[str]) -> int:
    """Run one job, or with -m a sweep of jobs, and return the exit code: 0, or 1 if a job failed.

    Raises:
        UsageError: an override that cannot be understood, before any job starts; or a single job that cannot be run
            as requested.
    """
    arguments = Arguments.parse(words)
    if arguments.cfg or arguments.info:
        show(arguments)
        return 0
    return run_sweep(arguments) if arguments.multirun else run_single(arguments)


def plan(words: Sequence[str]) -> tuple[Plan, DictConfig]:
    """Return the jobs that `run -m` would run with the same words, and Hydra's part of the config; nothing runs.

    Raises:
        UsageError: as `run` does.
    """
    arguments = Arguments.parse(words, plan=True)
    overrides, folder = arguments.overrides, arguments.config_dir
    with clear_errors(overrides, folder):
        settings = hydra_settings(arguments)
        found = plan_sweep(expand(sweep_texts(settings, overrides), lambda texts: composed(texts, folder)), folder)
    check_devices(found, settings.launcher)
    _refits(found)
    jobs = tuple(replace(one, context=_with_threads(one.context, settings.launcher)) for one in found.jobs)
    return replace(found, jobs=jobs), settings


def hydra_settings(arguments: Arguments) -> DictConfig:
    """Return Hydra's part of the config of a sweep; raises what Hydra does."""
    found: DictConfig = composed(_for_hydra(arguments.overrides), arguments.config_dir, with_hydra=True).hydra
    return found


def planned_search(words: Sequence[str]) -> "Search | None":
    """Return the hyperparameter search that `run -m` would run with the same words; None if it is a sweep.

    Raises:
        UsageError: as `run` does.
    """
    arguments = Arguments.parse(words, plan=True)
    folder = arguments.config_dir
    if not any(text.startswith("hydra/sweeper=") for text in arguments.overrides):  # no preset may choose one
        return None
    with clear_errors(arguments.overrides, folder):
        settings = hydra_settings(arguments)
        if not str(settings.sweeper.get("_target_")).endswith(".OptunaSweeper"):
            return None
        found = search_of(settings, arguments, lambda texts: composed(texts, folder))
    check_devices(found.first, settings.launcher)
    return found


def search_of(settings: DictConfig, arguments: Arguments, compose: Compose) -> "Search":
    """Return the hyperparameter search of a command line; raises UsageError if it is impossible."""
    if find_spec("optuna") is None:
        problem = "hydra/sweeper=optuna needs a package that is not installed: pip install 'roftbench[optuna]'"
        raise UsageError(problem, key="hydra/sweeper")
    from roftbench.sweep.search import Search  # here: it imports Optuna

    return Search.create(sweep_texts(settings, arguments.overrides), settings, compose, arguments.config_dir)


def run_sweep(arguments: Arguments) -> int:
    """Run the jobs of a sweep by way of Hydra's launchers; returns the exit code.

    Raises:
        UsageError: nothing can be run as requested.
    """
    try:
        with (
            clear_errors(arguments.overrides, arguments.config_dir),
            clear_logging(),
            hydra_app(_for_hydra(arguments.overrides), arguments.config_dir) as (app, overrides),
        ):
            app.multirun("config", SweepTask(arguments), [*overrides, "hydra.mode=MULTIRUN"])
    except JobError as error:
        print(printable(f"roftbench: {error}"), file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class JobTask:
    """One job of a sweep, as launchers call it: in the process of the sweep, whose id is `parent`, or in a worker."""

    parent: int

    def __call__(self, config: DictConfig) -> tuple[Any, ...]:
        """Run a composed job; returns the fields of a `JobReply`."""
        settings = HydraConfig.get()
        is_worker = self.parent != os.getpid()
        if is_worker:
            outlast_warning(settings.launcher)
        try:
            job, context, _ = parse(config, _config_dir(settings.searchpath))
        except UsageError as error:  # it was valid when planned: a file may have been removed since
            return tuple(JobReply(settings.job.num, "", False, str(error)))
        context = _with_threads(context, settings.launcher)
        status, refusal = work(job, context, in_sweep=True, bars=not is_worker)
        return tuple(JobReply(settings.job.num, job.key, not refusal and status != "busy", refusal))


class SweepTask(JobTask):
    """The sweep that a command line describes; the sweeper plug-in receives it from Hydra as its task."""

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(os.getpid())
        self._arguments = arguments

    @property
    def job(self) -> JobTask:
        """What launchers call for each job."""
        return JobTask(self.parent)

    def launch(self, context: HydraContext, config: DictConfig, launcher: Launcher) -> None:
        """Plan the sweep and run it.

        Raises:
            JobError: jobs failed, or could not be launched.
            UsageError: nothing can be run as requested.
        """
        given = self._arguments
        points = expand(sweep_texts(config.hydra, given.overrides), _composing(context, config))
        jobs = plan_sweep(points, given.config_dir)
        check_devices(jobs, config.hydra.launcher)
        refits, naming = _refits(jobs)
        launched = _launching(launcher, config)(jobs)
        try:
            Scheduler(jobs, launched, config.hydra.launcher, given.command, given.overrides).run()
        except JobsFailedError:
            keep_all(refits, quiet=True)  # of the configurations without a failure
            raise
        keep_all(refits, quiet=True)
        if naming is not None:
            naming.conclude()

    def search(self, context: HydraContext, config: DictConfig, launcher: Launcher) -> None:
        """Run a hyperparameter search.

        Raises:
            JobError: no trial has a score, or jobs could not be launched.
            UsageError: nothing can be run as requested.
        """
        found = search_of(config.hydra, self._arguments, _composing(context, config))
        check_devices(found.first, config.hydra.launcher)
        found.run(_launching(launcher, config), self._arguments.command)


def _composing(context: HydraContext, config: DictConfig) -> Compose:
    """Return what composes the config of one job of a sweep."""

    def compose_job(texts: Sequence[str]) -> DictConfig:
        with clear_options():
            return context.config_loader.load_sweep_config(config, list(texts))

    return compose_job


def _launching(launcher: Launcher, config: DictConfig) -> Callable[[Plan], Launch]:
    """Return what launches the jobs of a plan: in this process as planned, where Hydra is not needed for each."""

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        returned = launcher.launch(batch, initial_job_idx=number)
        return [reply for one in returned if (reply := _returned(one)) is not None]

    set_following(launcher, config.hydra.launcher)
    return (lambda plan: InProcess(plan, launch)) if suffices(config.hydra) else (lambda _: launch)


def _config_dir(searchpath: Sequence[str]) -> Path | None:
    """Return the user's config folder, which `hydra_app` puts last into Hydra's search path."""
    folders = [text.removeprefix("file://") for text in searchpath if text.startswith("file://")]
    return Path(folders[-1]) if folders else None


def _refits(plan: Plan) -> tuple[list[Refit], Naming | None]:
    return kept_of([(one.job, one.context) for one in plan.jobs])


def check_devices(plan: Plan, launcher: DictConfig) -> None:
    """Raise UsageError if jobs are to run on this machine and it lacks their device; a cluster may have it."""
    if workers(launcher) is not None:
        for name in {one.context.run.device for one in plan.open if one.job.model.kind == NETWORK}:
            choose_device(name)


def _returned(one: JobReturn) -> JobReply | None:
    """Return the reply of a job, or raise its error; Hydra's own `return_value` would print it, too."""
    if isinstance(one._return_value, BaseException):
        raise one._return_value
    return JobReply(*one._return_value) if one._return_value else None


def sweep_texts(settings: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep: those of its preset (`hydra.sweeper.params`), then those of the command line.

    Raises:
        UsageError: several presets at once, each of which has its own.
    """
    named = {text.split("=", 1)[0].lstrip("+") for text in overrides}
    if several := [text for text in overrides if text.startswith("experiment=") and _is_sweep(text)]:
        problem = f"{several[0]} names several presets: run one after another, shared jobs are run once"
        raise UsageError(problem, key="experiment", got=several[0])
    preset = settings.sweeper.get("params") or {}
    texts = [*(f"{key}={value}" for key, value in preset.items() if key not in named), *overrides]
    return list(map(opened, texts))


def _with_threads(context: RunContext, launcher: DictConfig) -> RunContext:
    """Return the context of one of several concurrent jobs: its share of the cores, unless run.threads is set."""
    return context if context.run.threads else context.running(threads=threads(launcher))


def _for_hydra(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep that Hydra's own part of the config may depend on.

    The others are composed with each job: method.weight=1 beside method=l2_sp,bss fits no default method.
    """
    own = (*OF_A_JOB, "seed")
    others = [text for text in overrides if re.split(r"[=.@]", text.lstrip("+~"))[0] not in own]
    return [text for text in others if not _is_sweep(text)]


def _is_sweep(text: str) -> bool:
    return OverridesParser.create().parse_overrides([text])[0].is_sweep_override()
