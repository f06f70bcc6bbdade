"""The config folders, which are the registry of models, methods, data sets and splits."""

import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from roftbench.config.trust import check_folder, load, read_text
from roftbench.errors import UsageError

OF_A_JOB = ("model", "method", "dataset", "split", "label_ratio", "train")
BESIDE = ("run", "paths")  # no part of a job's identity
GROUPS = (*OF_A_JOB, *BESIDE, "experiment")
VARIABLE = "ROFTBENCH_CONFIG_DIR"
_Card = TypeVar("_Card")


def conf_dir() -> Path:
    """Return the folder of the shipped configs: inside an installed package, at the top of a source checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def options(group: str, extra: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the content of the options of a config group by name, including those of a user's folder `extra`."""
    files = _files(group, extra)
    return {name: _content(name, files) for name in sorted(files)}


def cards(group: str, kind: type[_Card], extra: Path | None = None) -> dict[str, _Card]:
    """Return the options of a group by name as cards, a dataclass whose fields are some of their keys.

    Raises:
        UsageError: an option lacks a required key, or has an impossible value.
    """
    keys, found = kind.__dataclass_fields__, dict[str, _Card]()  # type: ignore[attr-defined]
    for name, content in options(group, extra).items():
        try:
            found[name] = kind(**{key: value for key, value in content.items() if key in keys})
        except (TypeError, ValueError) as error:
            raise UsageError(f"{group}/{name}.yaml: {error}", key=f"{group}/{name}.yaml") from None
    return found


def names(group: str, extra: Path | None = None) -> list[str]:
    """Return the names of a group's options."""
    return sorted(_files(group, extra))


def given(group: str, overrides: Iterable[str]) -> str | None:
    """Return what overrides choose for a group, the last of several; None if they leave the default."""
    found = [text.partition("=")[2] for text in overrides if text.startswith(f"{group}=")]
    return found[-1] if found else None


def chosen(group: str, overrides: Iterable[str], extra: Path | None = None) -> dict[str, Any]:
    """Return the content of the option that overrides choose for a group, or of its default; empty if there is none."""
    defaults = _read(conf_dir() / "config.yaml")["defaults"]
    default = next((entry[group] for entry in defaults if isinstance(entry, dict) and group in entry), None)
    own = given(group, overrides)
    name = (str(default) if own is None else own).partition(",")[0]
    files = _files(group, extra)
    return _content(name, files) if name in files else {}


def default_folder() -> Path | None:
    """Return the user's config folder that the environment variable `VARIABLE` names; None if it names none.

    Raises:
        UsageError: it names a folder that does not exist.
    """
    text = os.environ.get(VARIABLE)
    folder = Path(text).expanduser() if text else None
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{VARIABLE}={text}: the folder does not exist", key=VARIABLE, got=text)
    return folder


def existing(folder: Path) -> Path:
    """Return a user's config folder; raises UsageError if it does not exist or `check_folder` refuses its content."""
    if not folder.is_dir():
        raise UsageError(f"--config-dir {folder}: the folder does not exist", key="--config-dir", got=str(folder))
    check_folder(folder)
    return folder


def _files(group: str, extra: Path | None) -> dict[str, Path]:
    folders = [conf_dir()] if extra is None else [conf_dir(), existing(extra)]
    return {path.stem: path for folder in folders for path in (folder / group).glob("*.yaml")}


def _content(name: str, files: Mapping[str, Path], below: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the content of an option merged over its `defaults` from the same group, as Hydra composes them."""
    own = _read(files[name])
    bases = own.pop("defaults", None) or []
    found: dict[str, Any] = {}
    for entry in bases if "_self_" in bases else [*bases, "_self_"]:
        base = str(entry).removeprefix(f"/{files[name].parent.name}/")
        if base == "_self_":
            found = _merged(found, own)
        elif base in files and base not in (name, *below):
            found = _merged(found, _content(base, files, (name, *below)))
    return found


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return two nested dictionaries merged; values of the second win."""
    merged = dict(first)
    for key, value in second.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _read(path: Path) -> dict[str, Any]:
    found = path.stat()
    return deepcopy(_content_of(path, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=1024)  # parsing all options of a group takes a tenth of a second
def _content_of(path: Path, _changed: int, _size: int) -> dict[str, Any]:
    content = load(read_text(path), path) or {}
    if not isinstance(content, dict):
        raise UsageError(f"{path} must consist of key: value lines", key=str(path))
    return content
