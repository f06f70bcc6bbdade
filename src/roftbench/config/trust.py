"""Checks of a user's config folder, which may come from a stranger: it may set values, but not run code."""

import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from roftbench.errors import UsageError

LARGEST = 1 << 20  # bytes of a file
NODES = 100_000  # of a file, with aliases expanded
_PACKAGE = re.compile(r"^\s*#\s*@package\s+(\S+)", re.MULTILINE)
_RESERVED = ("hydra", "plugins")
_ALLOWED = ("hydra.sweeper.params",)  # the values of a sweep


def check_folder(folder: Path) -> None:
    """Check every YAML file of a config folder; a file is checked again only after a change.

    Raises:
        UsageError: a file is not regular or not YAML, expands to more than `NODES` values, or sets keys that can run
            code (`plugins` and `hydra.…`), which only the command line may set.
    """
    try:
        for path in sorted(folder.rglob("*.yaml")):
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):  # a pipe or a device may never end
                raise UsageError(f"{path} is no regular file: a config is one", key=str(path))
            _check_file(path, folder, found.st_mtime_ns, found.st_size)
    except OSError as error:
        name = str(error.filename or folder)
        raise UsageError(f"{name} cannot be read: {error.strerror or error}", key=name) from None


@lru_cache(maxsize=4096)
def _check_file(path: Path, folder: Path, _changed: int, size: int) -> None:
    if size > LARGEST:
        raise UsageError(f"{path} has {size:,} bytes: a config has at most {LARGEST:,}", key=str(path))
    text = read_text(path)
    content = load(text, path)
    inside = path.relative_to(folder).parts
    if inside == ("config.yaml",):  # ignored: the shipped one is used
        return
    group = inside[0]
    package = (_PACKAGE.findall(text) or [group])[0]
    if package.replace("_global_.", "").partition(".")[0].strip("@/") in _RESERVED and group != "hydra":
        _refuse(path, package)
    for key in _of_launcher(content, inside) if group == "hydra" else _reserved(content):
        _refuse(path, key)


def _refuse(path: Path, key: str) -> None:
    problem = (
        f"{path} sets {key}, which can run code: only the command line may do so, not a config folder. If you trust it,"
        f" give {'plugins=[FILE.py]' if key.startswith('plugins') else 'hydra.…=…'} there. A preset may set"
        " hydra.sweeper.params alone"
    )
    raise UsageError(problem, key=str(path), got=key)


def _of_launcher(content: Any, inside: tuple[str, ...]) -> Iterator[str]:
    """Yield the forbidden parts of a file below `hydra/`: only launchers, chosen on the command line, are allowed."""
    if inside[1:2] != ("launcher",):
        yield "/".join(inside)
    target = content.get("_target_") if isinstance(content, dict) else None
    if target is not None and not str(target).startswith("hydra_plugins."):
        yield f"hydra.launcher._target_={target}"


def _reserved(content: Any) -> Iterator[str]:
    """Yield the keys of a config that can run code."""
    if not isinstance(content, dict):
        return
    for name, value in _flat({key: one for key, one in content.items() if str(key).split(".")[0] in _RESERVED}, ""):
        if not any(name.startswith(f"{allowed}.") or (name == allowed and not value) for allowed in _ALLOWED):
            yield name
    swept = content.get("hydra")
    for part in ("sweeper", "params"):
        swept = swept.get(part) if isinstance(swept, dict) else None
    names = [str(key) for key in swept] if isinstance(swept, dict) else []
    yield from (f"hydra.sweeper.params.{name}" for name in names if _names_reserved(name))
    yield from (f"defaults: {entry}" for entry in _entries(content.get("defaults")) if _names_reserved(entry))


def _names_reserved(text: str) -> bool:
    """Return whether an override or an entry of a defaults list leads to keys that can run code."""
    return any(word in text for word in _RESERVED) or ("@" in text and "$" in text)


def _entries(defaults: Any) -> Iterator[str]:
    for entry in defaults if isinstance(defaults, list) else []:
        yield from map(str, entry) if isinstance(entry, dict) else [str(entry)]


def _flat(node: dict[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def read_text(path: Path) -> str:
    """Return the text of a config file; raises UsageError if it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: {error}", key=str(path)) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", key=str(path)) from None


def load(text: str, path: Path) -> Any:
    """Return the content of a YAML file; raises UsageError if it is invalid, or expands to too many values."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None and _count(root, {}) > NODES:
            raise UsageError(f"{path}: its anchors expand to more than {NODES:,} values", key=str(path))
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}", key=str(path)) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        reason = "it is nested too deeply, or a value is impossible"
        raise UsageError(f"{path} is not valid YAML: {reason}", key=str(path)) from None


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node expands to; more than `NODES` if it contains itself."""
    if id(node) not in known:
        known[id(node)] = NODES + 1  # until it is counted: a node that contains itself is endless
        below: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            below = [one for pair in node.value for one in pair]
        elif isinstance(node, yaml.SequenceNode):
            below = node.value
        known[id(node)] = 1 + sum(_count(one, known) for one in below)
    return known[id(node)]
