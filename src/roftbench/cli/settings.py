"""Settings of commands whose key=value words are no overrides of the config."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from roftbench.config.schema import typed
from roftbench.errors import UsageError


def given_settings(kind: Any, overrides: Sequence[str], checked: Sequence[str]) -> Any:
    """Return key=value overrides as settings, a dataclass of this kind.

    Args:
        kind: The dataclass.
        overrides: The words.
        checked: Names of the fields that are no texts; texts are taken as they are, as "${" in the name of a file is no
            reference.

    Raises:
        UsageError: A key is unknown, or a value has the wrong type.
    """
    given, allowed = dict(text.split("=", 1) for text in overrides), kind.__dataclass_fields__
    if unknown := [key for key in given if key not in allowed]:
        raise UsageError(f"unknown key '{unknown[0]}'", key=unknown[0], got=unknown[0], allowed=allowed)
    texts: dict[str, Any] = {key: value for key, value in given.items() if value != "null"}
    values = {key: texts.pop(key) for key in checked if key in texts}
    return replace(typed(kind, values, ""), **texts)
