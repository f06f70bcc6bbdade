"""From a recorded job back to the command that runs it, and the fewest commands for many jobs."""

import json
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from roftbench.config.registry import options
from roftbench.config.stable_names import present_path
from roftbench.metrics import DEFAULT_LOSS
from roftbench.overrides import as_needed
from roftbench.report.cell_key import canonical_json

AXES = ("seed", "dataset", "method", "split.seed", "label_ratio")  # whose values may be joined by commas, in this order
_ORDER = ("model", "method", "dataset", "split", "label_ratio", "train")  # then all others, the seed last
_FIXED = ("_target_", "sha256", "git_blob")  # what no override changes
_Words = dict[str, str]


class NotShippedError(LookupError):
    """A job cannot be expressed by the names of shipped configs; the message is the reason."""


def overrides(job: Mapping[str, Any]) -> _Words:
    """Return the overrides, key to value, with which `roftbench run` runs a recorded job.

    What a record does not hold decides whether that can be done: only of shipped configs is it known.

    Raises:
        NotShippedError: it cannot.
    """
    words: _Words = {}
    known: dict[str, Any] = {}  # what references of later groups lead to
    for group in ("model", "dataset", "split", "label_ratio", "train", "method"):
        if group == "train" and job["train"]["name"] == "none":  # a fingerprint is not trained
            continue
        name, wanted = _wanted(group, job)
        config = _config(group, name)
        words |= {group: name} if (group, name) != ("train", "paper") else {}  # the default
        given = {field: known.get(_reference(value), value) for field, value in config.items()}
        if "???" in given.values():
            raise NotShippedError(f"{group}={name} reads a file of which the records hold only the checksum")
        changed = {field: value for field, value in wanted.items() if not _equal(given, field, value)}
        if any(field in changed for field in _FIXED):
            raise NotShippedError(f"{group}={name} is not the shipped one: it has the same name and another content")
        words |= {f"{'' if field in given else '+'}{group}.{field}": _text(value) for field, value in changed.items()}
        known |= {f"{group}.{field}": value for field, value in {**given, **wanted}.items()}
    return {**words, "seed": str(job["seed"])}


def commands(jobs: Iterable[_Words]) -> list[str]:
    """Return the command lines that run exactly these jobs, given as `overrides`; each is a full sweep."""
    sweeps: list[dict[str, tuple[str, ...]]] = [{key: (value,) for key, value in job.items()} for job in jobs]
    for axis in AXES:
        joined: dict[tuple[Any, ...], tuple[str, ...]] = {}
        for sweep in sweeps:
            rest = tuple((key, values) for key, values in sweep.items() if key != axis)
            joined[rest] = joined.get(rest, ()) + sweep.get(axis, ())
        sweeps = [{**dict(rest), **({axis: values} if values else {})} for rest, values in joined.items()]
    words = [[f"{key}={','.join(values)}" for key, values in sorted(sweep.items(), key=_place)] for sweep in sweeps]
    return [shlex.join(["roftbench", "run", "-m", *some]) for some in words]


def _wanted(group: str, job: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a config group's option to start from, and the values that it must come to have."""
    part = job[group]
    if group in ("model", "split", "method"):
        wanted = {"_target_": present_path(part["target"]), **part["params"]}
        wanted |= {field: part[field] for field in _FIXED if part.get(field)}
    else:
        wanted = {field: value for field, value in part.items() if field != "name"}
    name = part["name"]
    if group == "label_ratio" and name not in _options(group):
        name = "full"  # any share or count starts from all labels
    if part["name"] == "full":
        wanted.pop("seed")  # decides nothing
    if group == "train" and wanted["loss"] == DEFAULT_LOSS[job["dataset"]["task"]]:
        wanted["loss"] = None  # filled in by the task
    if group == "method" and part["search"]:
        wanted |= {"search": True, **{f"grid.{field}": values for field, values in part["grid"].items()}}
    return name, wanted


def _config(group: str, name: str) -> dict[str, Any]:
    """A shipped option's values, those of the grid as grid.NAME."""
    if name not in _options(group):
        raise NotShippedError(f"{group}={name} is none of the shipped configs")
    config = dict(_options(group)[name])
    return {**config, **{f"grid.{field}": values for field, values in (config.get("grid") or {}).items()}}


@cache
def _options(group: str) -> dict[str, dict[str, Any]]:
    return options(group)


def _equal(given: Mapping[str, Any], field: str, value: Any) -> bool:
    if field not in given:
        return value is None  # a class's own default
    return canonical_json(given[field]) == canonical_json(value)


def _reference(value: Any) -> str:
    return value[2:-1] if isinstance(value, str) and value.startswith("${") else ""


def _text(value: Any) -> str:
    """A value as Hydra reads it."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    return as_needed(value) if isinstance(value, str) else json.dumps(value)


def _place(item: tuple[str, tuple[str, ...]]) -> tuple[int, bool]:
    key = item[0]
    return (_ORDER.index(key) if key in _ORDER else len(_ORDER), key == "seed")
