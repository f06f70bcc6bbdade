"""The folder of an ensemble: one saved model directly in it, or several in folders of their own."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from roftbench.errors import UsageError
from roftbench.predict.model_card import card
from roftbench.predict.saved_model import DESCRIPTION, FILES, SavedModel, write_saved
from roftbench.store.files import write_text, writing
from roftbench.store.folders import new_folder
from roftbench.store.leftovers import remove_leftovers

ENSEMBLE = "ensemble.json"  # names the folders of several models


def write_ensemble(saved: Sequence[SavedModel], folder: Path, files: Mapping[str, str]) -> None:
    """Write models and further text files into a folder, in one step; a model in it before is replaced.

    Raises:
        UsageError: The folder holds other things than a saved model, or cannot be written.
    """
    earlier = {*FILES, *files, ENSEMBLE, *(path.name for path in folders_of(folder))}
    if folder.exists() and not ((folder / DESCRIPTION).is_file() or (folder / ENSEMBLE).is_file() or _empty(folder)):
        problem = f"{folder} holds no saved model, but other files: nothing is written into it"
        raise UsageError(problem, key="folder", got=str(folder), hint="Give a new folder")
    remove_leftovers([folder.parent], folder.name)
    names = [str(one.facts["key"]) for one in saved]
    with writing(folder, folder, "folder"), new_folder(folder, earlier) as new:
        for name, one in zip(names, saved, strict=True):
            moved = replace(one, folder=new / name if len(saved) > 1 else new)
            write_saved(moved, card(moved))
        if len(saved) > 1:
            write_text(new / ENSEMBLE, json.dumps({"models": names}, indent=1) + "\n")
        for name, text in files.items():
            write_text(new / name, text)


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def folders_of(folder: Path) -> list[Path]:
    """Return the folders of the models that a folder stands for: those that it names, or itself.

    Raises:
        UsageError: The list of its models is damaged.
    """
    path = folder / ENSEMBLE
    if not path.is_file():
        return [folder]
    names: object = None
    with suppress(OSError, ValueError, TypeError, KeyError):
        names = json.loads(path.read_text(encoding="utf-8"))["models"]
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and Path(n).name == n for n in names):
        raise UsageError(f"model_dir={folder} is damaged: {ENSEMBLE} names no models", key="model_dir", got=str(folder))
    return [folder / name for name in names]


def check_same_tasks(saved: Sequence[SavedModel]) -> None:
    """Raise UsageError unless the models predict the same quantities from the same molecules."""
    first, *others = saved
    for one in others:
        for name, value in _quantities(one).items():
            if value != (wanted := _quantities(first)[name]):
                found, other = (", ".join(map(str, v[:5])) if isinstance(v, list) else v for v in (value, wanted))
                problem = (
                    f"models with different {name} cannot predict together: {one.folder} has {found}, {first.folder}"
                    f" has {other}"
                )
                raise UsageError(problem, key="model_dir", got=str(one.folder))


def _quantities(one: SavedModel) -> dict[str, object]:
    classes = f"'{one.classes[1]}' against '{one.classes[0]}'" if one.task == "classification" else None
    salts = {"dataset.strip_salts": one.strip_salts, "units": one.facts["units"]}
    return {"targets": one.targets, "task": one.task, "classes": classes, **salts}
