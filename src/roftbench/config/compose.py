"""Configs composed by Hydra from overrides, with its errors turned into one clear message each."""

import logging
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from roftbench.config.registry import GROUPS, conf_dir, existing, given, options
from roftbench.errors import UsageError, first_line
from roftbench.overrides import elements, opened, quoted, quoted_list, shell_word

GRID = "method.grid."
WORDS = ("null", "true", "false", "nan", "inf", "+inf", "-inf")  # that Hydra does not read as text
OTHER_NAMES = {  # names of keys in other programs
    "learning_rate": "lr", "max_lr": "lr", "num_epochs": "epochs", "n_epochs": "epochs", "max_epochs": "epochs",
    "bs": "batch_size", "batchsize": "batch_size", "wd": "weight_decay", "random_state": "seed", "random_seed": "seed",
}  # fmt: skip
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def composed(overrides: Sequence[str], folder: Path | None, *, with_hydra: bool = False) -> DictConfig:
    """Return the config that Hydra composes for one job."""
    with hydra_app(overrides, folder) as (_, texts), clear_options():
        return compose("config", overrides=texts, return_hydra_config=with_hydra)


@contextmanager
def hydra_app(overrides: Sequence[str], folder: Path | None) -> Iterator[tuple[Hydra, list[str]]]:
    """Yield Hydra on the shipped configs, and the overrides that let it search a user's config folder, too."""
    search = [] if folder is None else [f"hydra.searchpath=[{quoted(f'file://{existing(folder).absolute()}')}]"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="roftbench"):
        app = GlobalHydra.instance().hydra
        assert app is not None
        yield app, [*map(opened, overrides), *search]


@contextmanager
def clear_options() -> Iterator[None]:
    """Turn a ValueError of Hydra while it composes, such as for a group that is `true`, into a UsageError."""
    try:
        yield
    except ValueError as error:
        raise UsageError(first_line(error)) from error


@contextmanager
def clear_logging() -> Iterator[None]:
    """Turn errors of Python's logging about hydra.job_logging or hydra.hydra_logging into a UsageError."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, ImportError, KeyError) as error:
        if not any(frame.name == "configure_log" for frame in traceback.extract_tb(error.__traceback__)):
            raise
        logging.shutdown()  # closes files opened before the error
        reason = " ".join(str(error.__cause__ or error).split())
        raise UsageError(
            f"hydra.job_logging and hydra.hydra_logging cannot be used: {error} ({reason})",
            key="hydra.job_logging",
            hint="Leave them out: roftbench writes a log for each job",
        ) from error


@contextmanager
def clear_errors(overrides: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Turn the errors of Hydra and OmegaConf into a UsageError with a hint.

    Raises:
        UsageError: also at once, if a config group is given a list or a number, which Hydra would misread.
    """
    for text in overrides:
        _check_not_removed(text)
        _check_option(*text.partition("=")[::2], folder)
    try:
        yield
    except MissingConfigException as error:
        raise _missing_option(error) from error
    except OverrideParseException as error:
        got = str(error.override)
        raise UsageError(f"cannot understand '{got}': {_how_to_write(got)}", got=got) from error
    except ConfigCompositionException as error:
        raise UsageError(_wrong_override(f"{error}\n{error.__cause__}", overrides, folder)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"a config file is not valid YAML: {' '.join(str(error).split())}") from error
    except BrokenPipeError:
        raise
    except OSError as error:  # Hydra creates the folder of a sweep before the first job
        raise UsageError(_no_file(error)) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(first_line(error)) from error


def _check_not_removed(text: str) -> None:
    group = text.removeprefix("~").partition("=")[0]
    if text.startswith("~") and group in GROUPS and group != "experiment":
        hint = f"Leave it out, or choose {group}=NAME"
        raise UsageError(f"{text} removes the {group}, which every job needs", key=group, got=text, hint=hint)


def _check_option(key: str, value: str, folder: Path | None) -> None:
    if key not in GROUPS:
        return
    if value.startswith("["):
        raise UsageError(
            f"{key} is one option, but {key}={value} is a list",
            key=key,
            got=value,
            hint=f"Several are a sweep: roftbench run -m {key}={','.join(elements(value))}",
        )
    if wrong := [name for name in value.split(",") if _is_no_name(name)]:
        several = key == "label_ratio" and len(wrong) == len(value.split(",")) > 1
        raise _unknown_option(key, value if several else wrong[0], options(key, folder))


def _is_no_name(text: str) -> bool:
    """Return whether Hydra would read a text as a number or as null, and not as the name of an option."""
    return text.strip().lower() in WORDS or bool(NUMBER.fullmatch(text.strip()))


def _how_to_write(override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return "write key=value, for example method=lp"
    is_list = value.startswith("[") and value.endswith("]")
    shown = shell_word(key, quoted_list(elements(value)) if is_list else quoted(value.strip("'\"")))
    return f"a value with blanks, brackets, commas, quotes or letters such as µ needs quotes within quotes: {shown}"


def _missing_option(error: MissingConfigException) -> UsageError:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return UsageError(first_line(error))
    return _unknown_option(group, name, error.options or [])


def _unknown_option(group: str, name: str, known: Iterable[str]) -> UsageError:
    problem = f"unknown {group} '{name}'"
    if group == "label_ratio" and "-" not in name and all(map(NUMBER.fullmatch, name.split(","))):
        counts = all(part.isdigit() for part in name.split(","))
        way = (
            f"label_ratio.count={name} for a number of molecules"
            if counts
            else f"label_ratio.fraction={name} for a share"
        )
        return UsageError(problem, key=group, got=name, hint=f"Give {way}, or an option such as r25 or n50")
    hint = "For any other share or count: label_ratio.fraction=0.3 or label_ratio.count=80." * (group == "label_ratio")
    if group == "dataset" and (Path(name).suffix or Path(name).exists()):
        hint = f"For a table of your own: dataset=csv dataset.path={name}"
    return UsageError(problem, key=group, got=name, allowed=known, hint=hint)


def _no_file(error: OSError) -> str:
    advice = "Set paths.results and paths.cache to folders that you can write."
    return f"{error.filename or 'a file'}: {error.strerror}. {advice}"


def _wrong_override(message: str, overrides: Sequence[str], folder: Path | None) -> str:
    first = message.strip().splitlines()[0]
    found = re.search(r"'([^']+)'", first)
    if found is None or "override " in found.group(1):
        return first
    if "Ambiguous value" in first or "requires --multirun" in first:
        key, _, value = found.group(1).partition("=")
        several = f"'{found.group(1)}' has several values: add -m for a sweep"
        if key in GROUPS:
            return several
        single = f", or {shell_word(key, quoted(value))} for one text with a comma" if value else ""
        return f"{several}, or write key=[a,b] for one list{single}"
    whole = re.search(r"full_key: (\S+)", message)  # inside a dictionary value
    key = whole.group(1) if whole else found.group(1).split("=")[0].lstrip("+~").split("@")[0]
    if key.partition(".")[0] in GROUPS and (lacking := _lacking(key, overrides, folder)):
        return f"{lacking} has no '{key}': run it in a sweep of its own"
    if removal := next((text for text in overrides if text.partition("=")[0] == f"~{key}"), None):
        return f"{removal} removes a key that does not exist, or that is also set: leave it out"
    known = _known_keys(overrides, folder)
    if key.startswith(GRID):
        there = ", ".join(name.removeprefix(GRID) for name in known if name.startswith(GRID)) or "nothing"
        return f"method.grid has no '{key.removeprefix(GRID)}', only {there}. To search it as well: +{key}=[…]"
    close = _meant(key, known)
    if (own := _own_file(key, overrides, folder)) and not (close or "").startswith(f"{key.partition('.')[0]}."):
        return f"{own} does not list '{key.partition('.')[2]}': add it there with its default, or set +{key}=…"
    if (others := _having(key, folder)) and (
        wanted := next((one for one in overrides if one.startswith(f"{key}=")), "")
    ):
        group = key.partition(".")[0]
        shown = ", ".join(others[:3]) + ", …" * (len(others) > 3)
        verb = "has" if len(others) == 1 else "have"
        return f"the chosen {group} has no '{key}'. {group}={shown} {verb} it: {group}={others[0]} {wanted}"
    hint = f" Did you mean '{close}'?" if close else ""
    return f"unknown key '{key}'.{hint} `roftbench run --cfg job` shows all keys."


def _own_file(key: str, overrides: Sequence[str], folder: Path | None) -> Path | None:
    """Return the file in the user's config folder that a key would have to be in; None without one."""
    group, _, name = key.partition(".")
    chosen = given(group, overrides)
    if folder is None or not name or not chosen:
        return None
    path = folder / group / f"{chosen}.yaml"
    return path if path.is_file() else None


def _having(key: str, folder: Path | None) -> list[str]:
    """Return the options of a key's group that have the key, `csv` first."""
    group, _, name = key.partition(".")
    if group not in GROUPS or not name:
        return []
    found = [option for option, content in options(group, folder).items() if name.partition(".")[0] in content]
    return sorted(found, key=lambda option: option != "csv")


def _meant(key: str, known: Sequence[str]) -> str | None:
    """Return the key that an unknown one most likely means: by another common name, then by similarity."""
    group, _, last = key.rpartition(".")
    last = OTHER_NAMES.get(last, last)
    if f"{group}.{last}" in known:
        return f"{group}.{last}"
    if same := [name for name in known if name.rpartition(".")[2] == last]:
        return min(same, key=lambda name: not name.startswith("train."))
    beside = {name.rpartition(".")[2]: name for name in known if group and name.rpartition(".")[0] == group}
    if close := get_close_matches(last, beside, n=1, cutoff=0.6):
        return beside[close[0]]
    return next(iter(get_close_matches(key, known, n=1, cutoff=0.75)), None)


def _lacking(key: str, overrides: Sequence[str], folder: Path | None) -> str | None:
    """Return an option of a sweep that lacks a key which another swept option has; None if there is none."""
    group = key.partition(".")[0]
    swept = [text for text in overrides if text.startswith(f"{group}=")]
    known = options(group, folder)
    names = [name for name in elements(swept[-1].partition("=")[2]) if name in known] if swept else []
    lacks = [name for name in names if key not in _known_keys([f"{group}={name}"], folder)]
    return f"{group}={lacks[0]}" if 0 < len(lacks) < len(names) else None


def _known_keys(overrides: Sequence[str], folder: Path | None) -> list[str]:
    """Return every dotted key of the config with the chosen groups, or of the default config if it does not compose."""
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
