"""Classes by import path: those of roftbench, and those of plug-ins that the user names."""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from functools import cache
from pathlib import Path
from typing import Any

from roftbench.errors import UsageError
from roftbench.overrides import listed
from roftbench.store.checksums import sha256

PACKAGE = "roftbench"
VARIABLE = "ROFTBENCH_PLUGINS"


def import_allowed(path: str, where: str, plugins: tuple[str, ...], bases: tuple[type, ...]) -> type[Any]:
    """Return the class of a `_target_`; as it will be called, it must lie in roftbench or in a plug-in of the user.

    Args:
        path: dotted import path.
        where: the config group, or the key that names the class, for messages.
        plugins: module names of the plug-ins.
        bases: the class must be a subclass of one of these.

    Raises:
        UsageError: the class lies elsewhere, cannot be imported, is abstract or has another base.
    """

    def refused(problem: str, hint: str = "") -> UsageError:
        key = where if "." in where else f"{where}._target_"
        return UsageError(f"{key}={path} {problem}", key=key, got=path, hint=hint)

    if not any(path.startswith(f"{name}.") for name in (PACKAGE, *plugins)):
        root = path.partition(".")[0]
        hint = f"If you trust it, give plugins=[PATH/{root}.py], or plugins=[{root}] if Python finds it."
        raise refused(f"is neither in roftbench nor in a plug-in (now: {', '.join(plugins) or 'none'})", hint)
    try:
        found = import_name(path)
    except Exception as error:  # a plug-in's own code may raise anything
        raise refused(f"cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, bases)):
        allowed_bases = " or ".join(f"{base.__module__}.{base.__qualname__}" for base in bases)
        raise refused(f"is no subclass of {allowed_bases}")
    if inspect.isabstract(found):
        lacking = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise refused(f"is abstract: it lacks {lacking}", "Name a class that has them.")
    return found


def code_of(target: type, plugins: tuple[str, ...]) -> str | None:
    """Return a digest (16 hex digits) of the plug-in files that define a class and its bases; None without such files.

    Code that those files import is not included.
    """
    modules = {one.__module__ for one in target.__mro__}
    own = sorted(name for name in modules if any(f"{name}.".startswith(f"{plugin}.") for plugin in plugins))
    files = [
        file for name in own if (file := getattr(sys.modules.get(name), "__file__", None)) and Path(file).is_file()
    ]
    return sha256("".join(map(_sha256_of, files)).encode())[:16] if files else None


def place_of(error: BaseException, plugins: tuple[str, ...]) -> str:
    """Return the last line of a plug-in file in an error's traceback, as " (mine.py, line 8)", or ""."""
    files = {str(getattr(sys.modules.get(name), "__file__", None)) for name in plugins}
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f" ({Path(lines[-1].filename).name}, line {lines[-1].lineno})" if lines else ""


@cache  # of the imported content, even if the file changes later
def _sha256_of(file: str) -> str:
    return sha256(Path(file).read_bytes())


def import_name(path: str) -> Any:
    """Return the class at a dotted path, which is a shipped one or was checked by `import_allowed`."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


_loaded: dict[str, Path] = {}  # plug-ins given as files, by module name


def file_of(target: str) -> str | None:
    """Return the file of the plug-in that holds a class, where it was given as a file."""
    path = _loaded.get(target.partition(".")[0])
    return None if path is None else str(path)


def default_plugins() -> list[str]:
    """Return the plug-ins of the environment variable `VARIABLE`, separated by commas."""
    return listed(os.environ.get(VARIABLE, ""))


def plugins_of(text: str | None) -> list[str]:
    """Return plug-ins written as A,B or [A,B]; None stands for `default_plugins`."""
    return default_plugins() if text is None else listed(text)


def load_plugin(plugin: str) -> str:
    """Import a plug-in, a module name or the path of a .py file, and return its module name."""
    if not plugin.endswith(".py"):
        return plugin
    path = Path(plugin).expanduser()
    if not path.is_file():
        raise UsageError(f"plugins: {plugin} does not exist (path: {path.resolve()})", key="plugins", got=plugin)
    name, path = path.stem, path.resolve()
    if _loaded.get(name) == path:
        return name
    if name in sys.modules and name not in _loaded:
        problem = f"plugins: {plugin}: a module '{name}' exists already: rename the file"
        raise UsageError(problem, key="plugins", got=plugin)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name], _loaded[name] = module, path
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the plug-in's own code may raise anything
        del sys.modules[name], _loaded[name]
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"plugins: {plugin} cannot be imported: {reason}", key="plugins", got=plugin) from error
    return name
