"""Names of saved models: `<results>/kept/NAME.json` holds the keys of the models that a name stands for."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roftbench.errors import UsageError
from roftbench.store.files import locked, write_text, writing
from roftbench.store.results import Store

KEPT = "kept"
LONGEST = 32
NAME = re.compile(rf"[A-Za-z](?:[A-Za-z0-9._-]{{0,{LONGEST - 2}}}[A-Za-z0-9])?")
RULE = f"a letter, then letters, digits, '.', '_' or '-', at most {LONGEST} characters, the last a letter or a digit"
RESERVED = ("all", "auto", "best", "false", "inf", "nan", "no", "none", "null", "off", "on", "true", "yes")
_KEY = re.compile(r"[0-9a-f]{16}")


def is_name(text: object) -> bool:
    """Return whether a text can be the name of a saved model: not a path, a value of a key, or the key of a job."""
    return (
        isinstance(text, str)
        and NAME.fullmatch(text) is not None
        and text.lower() not in RESERVED
        and not _KEY.fullmatch(text)
    )


def check_name(what: str, name: object) -> None:
    """Raise UsageError unless a text can be the name of a saved model; `what` is the key that it came from."""
    if not is_name(name):
        hint = f"A name is {RULE}, and neither a value such as {RESERVED[0]} nor the key of a job."
        raise UsageError(f"{what}={name} is no name for a model", key=what, got=name, hint=hint)


@dataclass(frozen=True)
class Kept:
    """A name, the keys of the models that it stands for, and what gave it.

    Attributes:
        name: The name.
        keys: Keys of the models, which predict together.
        by: Folder of the advice that gave the name and may give it to its next winner; "" for `roftbench run`.
    """

    name: str
    keys: tuple[str, ...]
    by: str = ""


class Names:
    """The names of the models in a results folder. A name is written after its models and points to nothing else."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = store.root / KEPT

    def path(self, name: str) -> Path:
        """Return the file of a name."""
        return self.folder / f"{name}.json"

    def all(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.json") if NAME.fullmatch(path.stem))

    def __contains__(self, name: str) -> bool:
        return NAME.fullmatch(name) is not None and self.path(name).is_file()

    def get(self, name: str) -> Kept:
        """Return what a name stands for.

        Raises:
            UsageError: There is no such name, or its file is damaged.
        """
        if name not in self:
            hint = "`roftbench list kept` shows them; run.keep=NAME of `roftbench run` gives one."
            problem = f"no kept model is named '{name}' in {self.store.root}"
            raise UsageError(problem, key="model", got=name, allowed=self.all(), hint=hint)
        try:
            return _kept(name, json.loads(self.path(name).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"{self.path(name)} is damaged: {error}"
            hint = "Repeat the command that gave the name, with run.overwrite=true."
            raise UsageError(problem, key="model", got=name, hint=hint) from None

    def folders(self, name: str) -> list[Path]:
        """Return the folders of the models that a name stands for.

        Raises:
            UsageError: There is no such name, or a model is no longer there.
        """
        kept = self.get(name)
        if lost := [key for key in kept.keys if not self.store.has_model(key)]:
            problem = f"'{name}' stands for a model that is no longer there: {self.store.model_path(lost[0])}"
            hint = "Repeat the command that gave the name."
            raise UsageError(problem, key="model", got=name, hint=hint)
        return [self.store.model_path(key) for key in kept.keys]

    def is_free(self, kept: Kept) -> bool:
        """Return whether a name may be given without being asked.

        It may if it stands for nothing, as where its models were removed, for the same models, or for an earlier winner
        of the same advice.
        """
        try:
            self.folders(kept.name)
            found = self.get(kept.name)
        except UsageError:
            return True
        return found.keys == kept.keys or (bool(kept.by) and found.by == kept.by)

    def check_free(self, what: str, kept: Kept, *, overwrite: bool) -> None:
        """Raise UsageError unless a name `is_free` or may be overwritten."""
        if not (overwrite or self.is_free(kept)):
            found = self.get(kept.name)
            jobs = ", ".join(found.keys[:3]) + ", …" * (len(found.keys) > 3)
            problem = f"{what}={kept.name} is the name of another model (job{'s' * (len(found.keys) > 1)} {jobs})"
            hint = "Give another name, or run.overwrite=true: the earlier model then stays without a name."
            raise UsageError(problem, key=what, got=kept.name, hint=hint)

    def put(self, what: str, kept: Kept, *, overwrite: bool) -> Path:
        """Give a name to models that are saved, in one step; returns the file of the name.

        Raises:
            UsageError: It is that of other models, or cannot be written.
            ValueError: A model is not saved.
        """
        check_name(what, kept.name)
        if lost := [key for key in kept.keys if not self.store.has_model(key)]:
            raise ValueError(f"the models of '{kept.name}' are not saved: {', '.join(lost)}")
        path = self.path(kept.name)
        with writing(path, kept.name, what), locked(path):
            self.check_free(what, kept, overwrite=overwrite)
            text = json.dumps({"models": list(kept.keys), "by": kept.by}, indent=1)
            write_text(path, text + "\n")
        return path


def _kept(name: str, content: Any) -> Kept:
    keys, by = content["models"], content["by"]
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        raise ValueError("it names no models")
    if not isinstance(by, str):
        raise ValueError("'by' is no text")
    return Kept(name, tuple(keys), by)
