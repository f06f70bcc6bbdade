"""Texts as values of overrides, quoted so that Hydra reads the same text."""

import re
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress

from roftbench.errors import suggest

_PLAIN = re.compile(r"[A-Za-z_][\w.-]*")
_OPEN = re.compile(r"model\.(kwargs|pool_kwargs|blocks)[.=]")  # dictionaries whose keys the config does not list
_VALUES = ("true", "false", "null", "nan", "inf")  # not read as text by Hydra, in upper or lower case
_BEFORE_QUOTE = re.compile(r"(\\*)('|$)")


def quoted(text: str) -> str:
    """Return a text in single quotes; as in Hydra's grammar, backslashes are doubled only before a quote."""
    inside = _BEFORE_QUOTE.sub(lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text)
    return f"'{inside}'"


def as_needed(text: str) -> str:
    """Return a text in quotes, or unchanged if Hydra reads it as text without them."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _VALUES else quoted(text)


def quoted_list(texts: Iterable[str]) -> str:
    """Return texts as a list that Hydra reads, each in quotes where it needs them."""
    return f"[{','.join(map(as_needed, texts))}]"


def elements(text: str) -> list[str]:
    """Return the elements of a list written with commas, with or without brackets and quotes."""
    inside = text.strip("'\"").removeprefix("[").removesuffix("]")
    return [part.strip().strip("'\"") for part in inside.split(",")]


def listed(text: str) -> list[str]:
    """Return the elements of such a list without empty ones."""
    return [name for name in elements(text) if name]


def opened(override: str) -> str:
    """Return an override of arguments for another program's class as one that may add a key."""
    return f"++{override}" if _OPEN.match(override) else override


def shell_word(key: str, value: str) -> str:
    """Return the shell word key=value; the value is already in Hydra's syntax."""
    word = f"{key}={value}"
    return shlex.quote(word) if set(word) & set('\\$`"') else f'"{word}"'


def as_written(name: str, names: Sequence[str], key: str) -> str:
    """Return how to write a name such as true or 1e5, which Hydra reads as a value; for other names a suggestion.

    `key` is the option that gives it; `dataset.targets` is a list.
    """
    meant = [one for one in names if as_needed(one) != one and name in _readings(one)]
    if not meant:
        return suggest(name, set(names))
    written = shell_word(key, quoted_list(meant[:1]) if key == "dataset.targets" else quoted(meant[0]))
    return f" In quotes '{meant[0]}' is a name, not a value: {written}"


def _readings(name: str) -> set[str]:
    """Return the texts that a name can turn into if it is read as a value: True, None, 100000.0."""
    found = {name.capitalize(), "None" if name.lower() == "null" else name}
    with suppress(ValueError, OverflowError):  # no number; nan and inf are no whole ones
        found.add(str(float(name)))
        found.add(str(int(float(name))))
    return found - {name}
