"""Keyword arguments as overrides of the config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roftbench.errors import UsageError
from roftbench.overrides import as_needed


def overrides_of(options: Mapping[str, Any]) -> list[str]:
    """Return options as overrides: {"method": "lp", "train": {"epochs": 5}} gives method=lp, train.epochs=5.

    Raises:
        UsageError: A value is neither plain (text, number, bool, None, path) nor a list or a dictionary of such.
    """
    words: list[str] = []
    for key, value in options.items():
        if isinstance(value, Mapping):
            words += overrides_of({f"{key}.{name}": one for name, one in value.items()})
        else:
            words.append(f"{key}={_written(key, value)}")
    return words


def _written(key: str, value: Any) -> str:
    """Return a value in Hydra's syntax."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a scalar of NumPy
        value = value.item()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | Path):
        return as_needed(str(value))
    if isinstance(value, list | tuple):
        return f"[{','.join(_written(key, one) for one in value)}]"
    raise UsageError(
        f"{key} is a {type(value).__name__}",
        key=key,
        got=value,
        hint="Give a text, a number, a bool, None, a path, or a list or dictionary of such",
    )
