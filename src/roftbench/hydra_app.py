"""`roftbench run`: Hydra composes the config and launches jobs; its errors become one clear message each."""

import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from roftbench.catalog import GROUPS, conf_dir, existing
from roftbench.components import build
from roftbench.config import Env, parse
from roftbench.data.dataset import load_dataset
from roftbench.errors import JobError, UsageError, suggest
from roftbench.launchers import follow, threads
from roftbench.plan import Plan, plan_sweep
from roftbench.progress import say
from roftbench.quoting import quoted
from roftbench.space import expand
from roftbench.sweep import Answer, Sweep, fetch_sources
from roftbench.work import work

MULTIRUN = ("-m", "--multirun")
FLAGS_WITH_VALUE = ("--config-dir", "-cd", "--cfg", "-c", "--package", "-p", "--info", "-i")
FLAGS = (*MULTIRUN, *FLAGS_WITH_VALUE, "--resolve", "--hydra-help")


GRID = "method.grid."
_PARENT = "ROFTBENCH_PARENT"  # the process that waits for the jobs, so that a worker knows that it is none
_ended: list[int | UsageError] = []  # the exit code of the one job that this process was asked for, or its error


def run(arguments: Sequence[str]) -> int:
    """Run one job, or with -m a sweep of jobs, and return the exit code: 0, or 1 if a job failed.

    Raises:
        UsageError: an override that cannot be understood, before any job starts; or a single job that cannot be run
            as asked.
    """
    sweep, flags, overrides = _understood(arguments)
    if not sweep and not any(flag in ("--cfg", "-c", "--info", "-i") for flag in flags):
        precheck(overrides, _config_folder(flags))
    os.environ |= {"HYDRA_FULL_ERROR": "1", _PARENT: str(os.getpid())}  # 1: Hydra raises instead of printing
    sys.argv = ["roftbench", *(["--multirun"] if sweep else []), *flags, *overrides]  # argparse wants flags first
    application = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(_task)
    _ended.clear()
    try:
        with clear_errors(overrides, _config_folder(flags)):
            application()
    except JobError as error:
        print(f"roftbench: {error}", file=sys.stderr)
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
    _, flags, overrides = _understood(arguments)
    folder = _config_folder(flags)
    with clear_errors(overrides, folder):
        settings = composed([text for text in overrides if not _is_sweep(text)], folder, with_hydra=True).hydra
        return plan_sweep(expand(sweep_texts(settings, overrides), lambda texts: composed(texts, folder))), settings


def launch_sweep(arguments: Sequence[str], context: HydraContext, config: DictConfig, launcher: Launcher) -> None:
    """Run the sweep that Hydra was asked for; called by the plug-in.

    Raises:
        JobError: jobs failed, or could not be launched.
        UsageError: nothing can be run as asked.
    """

    def compose_job(texts: Sequence[str]) -> DictConfig:
        return context.config_loader.load_sweep_config(config, list(texts))

    def launch(batch: Sequence[Sequence[str]], number: int) -> list[Answer]:
        returned = launcher.launch(batch, initial_job_idx=number)
        return [answer for one in returned if (answer := _returned(one)) is not None]

    jobs = plan_sweep(expand(sweep_texts(config.hydra, arguments), compose_job))
    _, flags, _ = _understood(sys.argv[1:])
    Sweep(jobs, launch, config.hydra.launcher, ["roftbench", "run", *flags]).run()


def _returned(one: JobReturn) -> Answer | None:
    """Return what a job returned, or raise what it raised; Hydra's `return_value` would print about it, too."""
    if isinstance(one._return_value, BaseException):
        raise one._return_value
    return Answer(*one._return_value) if one._return_value else None


def sweep_texts(settings: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep: those of the config's own (`hydra.sweeper.params`) before the command line's.

    Raises:
        UsageError: several presets at once, of which each has its own.
    """
    named = {text.split("=", 1)[0].lstrip("+") for text in overrides}
    if several := [text for text in overrides if text.startswith("experiment=") and _is_sweep(text)]:
        raise UsageError(f"{several[0]} names several presets: run one after another, what they share is done once")
    preset = settings.sweeper.get("params") or {}
    return [*(f"{key}={value}" for key, value in preset.items() if key not in named), *overrides]


def _task(config: DictConfig) -> tuple[str, str]:
    """Run one composed job; Hydra calls this, in this process or in a launcher's worker. Returns an `Answer`."""
    hydra_config = HydraConfig.get()
    job, env, guesses = parse(config)
    if hydra_config.mode == RunMode.MULTIRUN:
        parent = int(os.environ.get(_PARENT, "0"))
        own = parent == os.getpid()
        if not own:
            follow(hydra_config.launcher, parent)
        return job.key, work(job, _with_threads(env, hydra_config.launcher), [], in_sweep=True, quiet=not own)[1]
    if hydra_config.sweeper.get("params"):
        say("this config describes a sweep; add -m to run all its jobs. Without it, one job:")
    try:
        _ended.append(int(work(job, env, guesses, in_sweep=False, quiet=False)[0] != "done"))
    except UsageError as error:  # Hydra would print the arguments and more before passing it on
        _ended.append(error)
    return job.key, ""


def _with_threads(env: Env, launcher: DictConfig) -> Env:
    """Return what a job of several at a time runs in: its share of the cores, unless it asks for threads."""
    return env if env.run.threads else replace(env, run=replace(env.run, threads=threads(launcher)))


def precheck(overrides: Sequence[str], folder: Path | None) -> None:
    """Check a single job, and fetch the files that it needs.

    Raises:
        UsageError: a name, type or value that no job can have.
    """
    with clear_errors(overrides, folder):
        job, env, _ = parse(composed(overrides, folder))
        fetch_sources([(job, env.places)])


def composed(overrides: Sequence[str], folder: Path | None, *, with_hydra: bool = False) -> DictConfig:
    """Return the config that Hydra composes for one job."""
    search = [] if folder is None else [f"hydra.searchpath=[file://{folder.absolute()}]"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="roftbench"):
        try:
            return compose("config", overrides=[*overrides, *search], return_hydra_config=with_hydra)
        except ValueError as error:  # a group that is null or a number
            raise UsageError(str(error).strip().splitlines()[0]) from error


def _is_sweep(text: str) -> bool:
    return OverridesParser.create().parse_override(text).is_sweep_override()


def _understood(arguments: Sequence[str]) -> tuple[bool, list[str], list[str]]:
    """Return whether a sweep is asked for, the other flags of Hydra's, and the overrides."""
    sweep = any(argument in MULTIRUN for argument in arguments)
    return sweep, *_separate([argument for argument in arguments if argument not in MULTIRUN])


def _separate(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
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
        if not takes_value and argument.startswith("-") and name not in FLAGS:
            raise UsageError(f"unknown option '{name}'.{suggest(name, FLAGS)}")
        takes_value = not takes_value and argument in FLAGS_WITH_VALUE
    if takes_value:
        raise UsageError(f"{arguments[-1]} needs a value")
    return flags, overrides


def _config_folder(flags: Sequence[str]) -> Path | None:
    for position, flag in enumerate(flags):
        name, _, value = flag.partition("=")
        if name in ("--config-dir", "-cd"):
            return existing(Path(value or flags[position + 1]))
    return None


@contextmanager
def clear_errors(overrides: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Turn the errors of Hydra and OmegaConf into a UsageError with a hint."""
    try:
        yield
    except MissingConfigException as error:
        raise UsageError(_missing_option(error)) from error
    except OverrideParseException as error:
        raise UsageError(f"cannot understand '{error.override}': {_how_to_write(str(error.override))}") from error
    except ConfigCompositionException as error:
        raise UsageError(_wrong_override(f"{error}\n{error.__cause__}", overrides, folder)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"a config file is no valid YAML: {' '.join(str(error).split())}") from error
    except BrokenPipeError:
        raise
    except OSError as error:  # Hydra makes the sweep's folder before the first job
        raise UsageError(_no_file(error)) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(str(error).strip().splitlines()[0]) from error


def _how_to_write(override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return "write key=value, for example method=lp"
    shown = _in_quotes(key, value.strip("'\""))
    return f"put a value with blanks, brackets, commas or quotes into quotes within quotes: {shown}"


def _in_quotes(key: str, value: str) -> str:
    """Return the word of a command line that gives a key this text as its value."""
    word = f"{key}={quoted(value)}"
    return shlex.quote(word) if set(word) & set('\\$`"') else f'"{word}"'


def _missing_option(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return str(error).strip().splitlines()[0]
    hint = " For any other share or count: label_ratio.fraction=0.3 or label_ratio.count=80." * (group == "label_ratio")
    if group == "dataset" and (Path(name).suffix or Path(name).exists()):
        hint = f" For a table of your own: dataset=csv dataset.path={name}"
    return f"unknown {group} '{name}'.{suggest(name, error.options or [])}{hint}"


def _no_file(error: OSError) -> str:
    return f"{error.filename or 'a file'}: {error.strerror}. Set paths.results and paths.cache to folders of yours."


def _wrong_override(message: str, overrides: Sequence[str], folder: Path | None) -> str:
    first = message.strip().splitlines()[0]
    found = re.search(r"'([^']+)'", first)
    if found is None or "override " in found.group(1):
        return first
    if "Ambiguous value" in first or "requires --multirun" in first:
        key, _, value = found.group(1).partition("=")
        single = f", or {_in_quotes(key, value)} for one text with a comma" if value else ""
        return f"'{found.group(1)}' has several values: add -m for a sweep, or write key=[a,b] for one list{single}"
    whole = re.search(r"full_key: (\S+)", message)  # of a value that is a dictionary, the key inside
    key = whole.group(1) if whole else found.group(1).split("=")[0].lstrip("+~").split("@")[0]
    known = _known_keys(overrides, folder)
    if key.startswith(GRID):
        there = ", ".join(name.removeprefix(GRID) for name in known if name.startswith(GRID)) or "nothing"
        return f"method.grid has no '{key.removeprefix(GRID)}', only {there}. To search it as well: +{key}=[…]"
    close = get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"unknown key '{key}'.{hint} `roftbench run --cfg job` shows all keys."


def _known_keys(overrides: Sequence[str], folder: Path | None) -> list[str]:
    """Return every dotted key of the config with the chosen groups, as far as they compose."""
    chosen = [text for text in overrides if text.split("=")[0] in GROUPS]
    try:
        config = composed(chosen, folder)
    except (HydraException, OmegaConfBaseException):
        config = composed([], folder)
    return list(_flatten(OmegaConf.to_container(config), ""))


def _flatten(node: Any, prefix: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _flatten(value, f"{prefix}{key}.")


def load_split(overrides: Sequence[str], folder: Path | None) -> dict[str, list[int]]:
    """Return the data rows of the parts, labels cut, that a config asks for."""
    with clear_errors(overrides, folder):
        job, env, _ = parse(composed(overrides, folder and existing(folder)))
        dataset = load_dataset(job.dataset, env.cache / "data", env.places)
        _, parts = dataset.cut(build(job.split), job.label_ratio)
    return {name: dataset.rows[index].tolist() for name, index in parts.to_dict().items()}
