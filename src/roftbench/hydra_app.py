"""`roftbench run`: Hydra composes the config and launches jobs; its errors become one clear message each."""

import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from roftbench.announce import announce, conclude
from roftbench.catalog import GROUPS, conf_dir, existing
from roftbench.config import build, parse
from roftbench.data.dataset import load_dataset
from roftbench.errors import JobError, UsageError, suggest
from roftbench.progress import say
from roftbench.runner import run_job
from roftbench.sources import fetch, present
from roftbench.store import Store

MULTIRUN = ("-m", "--multirun")
FLAGS_WITH_VALUE = ("--config-dir", "-cd", "--cfg", "-c", "--package", "-p", "--info", "-i")
FLAGS = (*MULTIRUN, *FLAGS_WITH_VALUE, "--resolve", "--hydra-help")


class JobFailed(JobError):  # noqa: N818 (it tells a launcher's worker that a job did not end well)
    """A job of a sweep failed in a worker process; its reason is in the store."""


@dataclass(frozen=True)
class Ended:
    """How a job of this process ended: its overrides, and done, skipped, failed or unusable with the reason."""

    overrides: str
    status: str
    reason: str = ""


_ended: list[Ended] = []
_PARENT = "ROFTBENCH_PARENT"  # the process that waits for the jobs, so that a worker knows that it is none


def run(arguments: Sequence[str]) -> int:
    """Run one job, or with -m a sweep of jobs, and return the exit code: 0, or 1 if a job failed.

    Raises:
        UsageError: an override that cannot be understood, before any job starts; or a single job that cannot be run
            as asked.
    """
    sweep = any(argument in MULTIRUN for argument in arguments)
    flags, overrides = _separate([argument for argument in arguments if argument not in MULTIRUN])
    if not any(flag in ("--cfg", "-c", "--info", "-i") for flag in flags):
        precheck(overrides, _config_folder(flags), sweep=sweep)
    os.environ |= {"HYDRA_FULL_ERROR": "1", _PARENT: str(os.getpid())}  # 1: Hydra raises instead of printing
    sys.argv = ["roftbench", *(["--multirun"] if sweep else []), *flags, *overrides]  # argparse wants flags first
    application = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(_task)
    _ended.clear()
    try:
        with clear_errors(overrides, _config_folder(flags)):
            application()
    except JobFailed as error:
        print(f"roftbench: {error}", file=sys.stderr)
        return 1
    return _conclude_sweep(flags) if sweep else _conclude_single()


def _conclude_single() -> int:
    for ended in _ended:
        if ended.status == "unusable":
            raise UsageError(ended.reason)
    return int(any(ended.status != "done" for ended in _ended))


def _conclude_sweep(flags: Sequence[str]) -> int:
    """Name the jobs that did not end well, with the command that repeats each; returns the exit code."""
    bad = [ended for ended in _ended if ended.status in ("failed", "unusable")]
    skipped = sum(ended.status == "skipped" for ended in _ended)
    if _ended:
        say(f"\n{len(_ended)} jobs: {len(_ended) - len(bad) - skipped} done, {skipped} skipped, {len(bad)} failed")
    for ended in bad:
        say(f"  failed: {shlex.join(['roftbench', 'run', *flags])} {ended.overrides}\n          {ended.reason}")
    return int(bool(bad))


def _task(config: DictConfig) -> str:
    """Run one composed job; Hydra calls this, in this process or in a launcher's worker."""
    hydra_config = HydraConfig.get()
    overrides = shlex.join(hydra_config.overrides.task)
    if hydra_config.mode == RunMode.MULTIRUN:
        say(f"\njob {hydra_config.job.num + 1}: {overrides}")
    elif hydra_config.sweeper.get("params"):
        say("this config describes a sweep; add -m to run all its jobs. Without it, one job:")
    try:
        ended = Ended(overrides, *_run_composed(config))
    except UsageError as error:
        ended = Ended(overrides, "unusable", str(error))
    except OSError as error:
        ended = Ended(overrides, "unusable", _no_file(error))
    if os.environ.get(_PARENT) != str(os.getpid()) and ended.status in ("failed", "unusable"):
        raise JobFailed(f"{ended.overrides}: {ended.reason}")
    _ended.append(ended)
    return ended.status


def _run_composed(config: DictConfig) -> tuple[str, str]:
    job, env, guesses = parse(config)
    for guess in guesses:
        say(f"  guessed: {guess}")
    outcome = run_job(job, env, announce)
    store = Store(env.results)
    done = outcome.status == "done"
    conclude(outcome, store.record_path(job.key) if done else store.failure_path(job.key))
    return outcome.status, "" if done else outcome.record["error"]


def precheck(overrides: Sequence[str], folder: Path | None, *, sweep: bool) -> None:
    """Check every value that the overrides name before any job starts; each swept value once, not every combination.

    Raises:
        UsageError: a name, type or value that no job can have.
    """
    with clear_errors(overrides, folder):
        for choice in _one_at_a_time(overrides, folder) if sweep else [list(overrides)]:
            job, env, _ = parse(composed(choice, folder))
            for source in (job.dataset.source() if job.dataset.sources else None, job.model.source):
                if source is not None and present(source, env.places) is None:
                    fetch(source, env.places)  # now, and not after hours of other jobs


def composed(overrides: Sequence[str], folder: Path | None, *, with_hydra: bool = False) -> DictConfig:
    """Return the config that Hydra composes for one job."""
    search = [] if folder is None else [f"hydra.searchpath=[file://{folder.absolute()}]"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="roftbench"):
        try:
            return compose("config", overrides=[*overrides, *search], return_hydra_config=with_hydra)
        except ValueError as error:  # a group that is null or a number
            raise UsageError(str(error).strip().splitlines()[0]) from error


def _one_at_a_time(overrides: Sequence[str], folder: Path | None) -> Iterator[list[str]]:
    """Yield the overrides of some jobs of a sweep, so that each swept value occurs in one of them."""
    fixed = [text for text in overrides if not _is_sweep(text)]
    params = composed(fixed, folder, with_hydra=True).hydra.sweeper.params or {}
    preset = [f"{key}={value}" for key, value in params.items()]
    named = {text.split("=", 1)[0].lstrip("+") for text in overrides}
    texts = [text for text in preset if text.split("=", 1)[0] not in named] + list(overrides)
    parsed = OverridesParser.create().parse_overrides(texts)
    choices = [[one for [one] in BasicSweeper.split_arguments([override], None)[0]] for override in parsed]
    yield [choice[0] for choice in choices]
    for position, choice in enumerate(choices):
        for value in choice[1:]:
            yield [*(other[0] for other in choices[:position]), value, *(other[0] for other in choices[position + 1 :])]


def _is_sweep(text: str) -> bool:
    return OverridesParser.create().parse_override(text).is_sweep_override()


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
        raise UsageError(f"cannot understand '{error.override}': write key=value, for example method=lp") from error
    except ConfigCompositionException as error:
        raise UsageError(_wrong_override(str(error) or str(error.__cause__), overrides, folder)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"a config file is no valid YAML: {' '.join(str(error).split())}") from error
    except OSError as error:  # Hydra makes the sweep's folder before the first job
        raise UsageError(_no_file(error)) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(str(error).strip().splitlines()[0]) from error


def _missing_option(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return str(error).strip().splitlines()[0]
    hint = " For any other share or count: label_ratio.fraction=0.3 or label_ratio.count=80." * (group == "label_ratio")
    return f"unknown {group} '{name}'.{suggest(name, error.options or [])}{hint}"


def _no_file(error: OSError) -> str:
    return f"{error.filename or 'a file'}: {error.strerror}. Set paths.results and paths.cache to folders of yours."


def _wrong_override(message: str, overrides: Sequence[str], folder: Path | None) -> str:
    first = message.strip().splitlines()[0]
    found = re.search(r"'([^']+)'", first)
    if found is None or "override " in found.group(1):
        return first
    if "Ambiguous value" in first or "requires --multirun" in first:
        return f"'{found.group(1)}' has several values: add -m for a sweep, or write key=[a,b] for one list"
    key = found.group(1).split("=")[0].lstrip("+~").split("@")[0]
    close = get_close_matches(key, _known_keys(overrides, folder), n=1, cutoff=0.5)
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
