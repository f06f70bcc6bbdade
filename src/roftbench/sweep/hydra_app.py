"""`roftbench run`: Hydra composes the config and launches jobs; its errors become one clear message each."""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from roftbench.config.compose import clear_errors, clear_logging, clear_options, composed
from roftbench.config.environment import RunContext
from roftbench.config.job import NETWORK
from roftbench.config.parse import parse
from roftbench.config.references import check_references
from roftbench.config.registry import OF_A_JOB, conf_dir, existing
from roftbench.console import say
from roftbench.errors import JobError, UsageError
from roftbench.formatting import printable
from roftbench.runner.devices import choose_device
from roftbench.store.downloads import fetch_missing
from roftbench.sweep.grid import expand
from roftbench.sweep.launchers import outlast_warning, set_following, threads, workers
from roftbench.sweep.plan import Plan, plan_sweep
from roftbench.sweep.scheduler import JobReply, Scheduler
from roftbench.sweep.worker import work

MULTIRUN = ("-m", "--multirun")
FLAGS_WITH_VALUE = ("--config-dir", "-cd", "--cfg", "-c", "--package", "-p", "--info", "-i")
SHOW = ("--cfg", "-c", "--info", "-i")
FLAGS = (*MULTIRUN, *FLAGS_WITH_VALUE, "--resolve", "--hydra-help")
PLAN_FLAGS = (*MULTIRUN, "--config-dir", "-cd", "--json")


_PARENT = "ROFTBENCH_PARENT"  # the process that waits for the jobs, so that a worker knows that it is none
_asked: list[str] = []  # the overrides of the command line; of a sweep Hydra itself is not told all of them
_ended: list[int | UsageError] = []  # the exit code of the one job that this process was asked for, or its error


def run(arguments: Sequence[str]) -> int:
    """Run one job, or with -m a sweep of jobs, and return the exit code: 0, or 1 if a job failed.

    Raises:
        UsageError: an override that cannot be understood, before any job starts; or a single job that cannot be run
            as asked.
    """
    sweep, flags, overrides = _understood(arguments)
    shown = [flag for flag in flags if flag.partition("=")[0] in SHOW]
    if sweep and shown:
        raise UsageError(
            f"{shown[0]} shows one job: leave -m out. Of a sweep, roftbench plan tells the jobs.", key=shown[0]
        )
    if "--resolve" in flags and not any(flag.startswith(("-c", "--cfg")) for flag in shown):
        raise UsageError("--resolve belongs to --cfg job: roftbench run --cfg job --resolve", key="--resolve")
    if not sweep and not shown:
        precheck(overrides, _config_folder(flags))
    if "--resolve" in flags:
        with clear_errors(overrides, _config_folder(flags)):
            check_references(composed(overrides, _config_folder(flags)))
    os.environ |= {"HYDRA_FULL_ERROR": "1", _PARENT: str(os.getpid())}  # 1: Hydra raises instead of printing
    _asked[:] = overrides
    application = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(_task)
    _ended.clear()
    try:
        with clear_errors(overrides, _config_folder(flags)), clear_logging():
            told = _for_hydra(overrides) if sweep else overrides
            sys.argv = ["roftbench", *(["--multirun"] if sweep else []), *flags, *told]  # argparse wants flags first
            application()
    except JobError as error:
        print(printable(f"roftbench: {error}"), file=sys.stderr)
        return 1
    for ended in _ended:
        if isinstance(ended, UsageError):
            raise ended
        return ended
    return 0


def plan(arguments: Sequence[str]) -> tuple[Plan, DictConfig]:
    """Return the jobs that `run` would run with the same arguments, and Hydra's part of the config; nothing runs.

    Raises:
        UsageError: as `run` does.
    """
    _, flags, overrides = _understood(arguments, PLAN_FLAGS)
    folder = _config_folder(flags)
    with clear_errors(overrides, folder):
        settings = composed(_for_hydra(overrides), folder, with_hydra=True).hydra
        found = plan_sweep(expand(sweep_texts(settings, overrides), lambda texts: composed(texts, folder)))
    check_devices(found, settings.launcher)
    jobs = tuple(replace(one, env=_with_threads(one.env, settings.launcher)) for one in found.jobs)
    return replace(found, jobs=jobs), settings


def launch_sweep(context: HydraContext, config: DictConfig, launcher: Launcher) -> None:
    """Run the sweep that `run` was asked for; called by the plug-in.

    Raises:
        JobError: jobs failed, or could not be launched.
        UsageError: nothing can be run as asked.
    """

    def compose_job(texts: Sequence[str]) -> DictConfig:
        with clear_options():
            return context.config_loader.load_sweep_config(config, list(texts))

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        returned = launcher.launch(batch, initial_job_idx=number)
        return [answer for one in returned if (answer := _returned(one)) is not None]

    jobs = plan_sweep(expand(sweep_texts(config.hydra, _asked), compose_job))
    check_devices(jobs, config.hydra.launcher)
    set_following(launcher, config.hydra.launcher)
    Scheduler(jobs, launch, config.hydra.launcher, command(sys.argv[1:])).run()


def command(arguments: Sequence[str]) -> list[str]:
    """Return what comes before the overrides of one job of a sweep to run it alone."""
    return ["roftbench", "run", *_understood(arguments)[1]]


def check_devices(plan: Plan, launcher: DictConfig) -> None:
    """Raise UsageError where jobs are to run on this machine and it lacks their device; a cluster's may have it."""
    if workers(launcher) is not None:
        for name in {one.env.run.device for one in plan.open if one.job.model.kind == NETWORK}:
            choose_device(name)


def _returned(one: JobReturn) -> JobReply | None:
    """Return what a job returned, or raise what it raised; Hydra's `return_value` would print about it, too."""
    if isinstance(one._return_value, BaseException):
        raise one._return_value
    return JobReply(*one._return_value) if one._return_value else None


def sweep_texts(settings: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep: those of the config's own (`hydra.sweeper.params`) before the command line's.

    Raises:
        UsageError: several presets at once, of which each has its own.
    """
    named = {text.split("=", 1)[0].lstrip("+") for text in overrides}
    if several := [text for text in overrides if text.startswith("experiment=") and _is_sweep(text)]:
        problem = f"{several[0]} names several presets: run one after another, what they share is done once"
        raise UsageError(problem, key="experiment", got=several[0])
    preset = settings.sweeper.get("params") or {}
    return [*(f"{key}={value}" for key, value in preset.items() if key not in named), *overrides]


def _task(config: DictConfig) -> tuple[Any, ...] | None:
    """Run one composed job, called by Hydra in this process or in a launcher's worker; returns a sweep's `JobReply`."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode == RunMode.MULTIRUN:
        return tuple(_one_of_many(config, hydra_config))
    job, env, guesses = parse(config)
    named = {text.partition("=")[0] for text in hydra_config.overrides.task}
    if (hydra_config.sweeper.get("params") or {}).keys() - named:
        say("this config describes a sweep; add -m to run all its jobs. Without it, one job:")
    try:
        _ended.append(int(work(job, env, guesses, in_sweep=False, quiet=False)[0] != "done"))
    except UsageError as error:  # Hydra would print the arguments and more before passing it on
        _ended.append(error)
    return None


def _one_of_many(config: DictConfig, hydra_config: HydraConf) -> JobReply:
    parent = int(os.environ.get(_PARENT, "0"))
    own = parent == os.getpid()
    if not own:
        outlast_warning(hydra_config.launcher)
    try:
        job, env, _ = parse(config)
    except UsageError as error:  # it was right when it was planned: a file is gone, say
        return JobReply(hydra_config.job.num, "", False, str(error))
    status, refusal = work(job, _with_threads(env, hydra_config.launcher), [], in_sweep=True, quiet=not own)
    return JobReply(hydra_config.job.num, job.key, not refusal and status != "busy", refusal)


def _with_threads(env: RunContext, launcher: DictConfig) -> RunContext:
    """Return what a job of several at a time runs in: its share of the cores, unless it asks for threads."""
    return env if env.run.threads else env.running(threads=threads(launcher))


def precheck(overrides: Sequence[str], folder: Path | None) -> None:
    """Check a single job, and fetch the files that it needs.

    Raises:
        UsageError: a name, type or value that no job can have.
    """
    with clear_errors(overrides, folder):
        job, env, _ = parse(composed(overrides, folder))
        fetch_missing((source, env.places) for source in job.sources())


def _for_hydra(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that Hydra's own part of the config may depend on, for a sweep.

    What belongs to a job is told with each job: method.weight=1 beside method=l2_sp,bss fits no default method.
    """
    own = (*OF_A_JOB, "seed")
    others = [text for text in overrides if re.split(r"[=.@]", text.lstrip("+~"))[0] not in own]
    return [text for text in others if not _is_sweep(text)]


def _is_sweep(text: str) -> bool:
    return OverridesParser.create().parse_overrides([text])[0].is_sweep_override()


def _understood(arguments: Sequence[str], allowed: Sequence[str] = FLAGS) -> tuple[bool, list[str], list[str]]:
    """Return whether a sweep is asked for, the other flags of Hydra's, and the overrides."""
    sweep = any(argument in MULTIRUN for argument in arguments)
    return sweep, *_separate([argument for argument in arguments if argument not in MULTIRUN], allowed)


def _separate(arguments: Sequence[str], allowed: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate Hydra's flags (with their values) from the overrides."""
    flags: list[str] = []
    overrides: list[str] = []
    takes_value = False
    for argument in arguments:
        if takes_value or argument.startswith("-"):
            flags.append(argument)
        else:
            overrides.append(argument)
        name = argument.partition("=")[0]
        if not takes_value and argument.startswith("-") and name not in allowed:
            raise UsageError(f"unknown option '{name}'", key=name, got=name, allowed=allowed)
        takes_value = not takes_value and argument in FLAGS_WITH_VALUE
    if takes_value:
        raise UsageError(f"{arguments[-1]} needs a value", key=arguments[-1])
    return flags, overrides


def _config_folder(flags: Sequence[str]) -> Path | None:
    for position, flag in enumerate(flags):
        name, _, value = flag.partition("=")
        if name in ("--config-dir", "-cd"):
            return existing(Path(value or flags[position + 1]))
    return None
