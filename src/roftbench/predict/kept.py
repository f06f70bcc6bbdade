"""Saved models by name: their folders, and what `roftbench list kept` shows of them. Imports nothing heavy."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from roftbench.config.paths import absolute, paths_of
from roftbench.errors import UsageError
from roftbench.store.names import Names
from roftbench.store.results import Store

DESCRIPTION = "model.json"
WHOLE = "whole"
PARTS = ("dataset", "model", "method", "split")


def saved_folders(model: str, model_dir: str, paths: Sequence[str]) -> list[Path]:
    """Return the folders of saved models that names or folders give, each separated by commas.

    Args:
        model: Names.
        model_dir: Folders; the name of a single one may contain a comma.
        paths: The overrides of `paths`, whose results folder has the names.

    Raises:
        UsageError: Not exactly one of both is given, or a name is unknown.
    """
    if bool(model) == bool(model_dir):
        hint = "Give either model=NAME (see roftbench list kept) or model_dir=DIR (a saved model's folder)."
        problem = "both model and model_dir are given" if model else "no model is given"
        raise UsageError(problem, key="model", got=model or None, hint=hint)
    if model_dir and Path(model_dir).expanduser().is_dir():
        return [Path(model_dir)]
    key, text = ("model", model) if model else ("model_dir", model_dir)
    found = [one.strip() for one in text.split(",")]
    if not all(found):
        raise UsageError(f"{key}={text}: a name is missing between commas", key=key, got=text)
    if model_dir:
        return [Path(one) for one in found]
    names = Names(Store(results_folder(paths_of(paths).results)))
    return [folder for name in found for folder in names.folders(name)]


def results_folder(results: str | Path | None = None) -> Path:
    """Return a results folder as an absolute path; that of ROFTBENCH_RESULTS, or "results", if none is given."""
    return absolute(str(results) if results is not None else paths_of([]).results)


def folders_or_names(models: Sequence[str | Path], results: str | Path | None = None) -> list[Path]:
    """Return folders of saved models from folders and names; a text without a separator that is a name is one."""
    names = Names(Store(results_folder(results)))
    found: list[Path] = []
    for one in models:
        path = Path(one).expanduser()
        if isinstance(one, str) and one in names:
            found += names.folders(one)
        elif isinstance(one, str) and path.name == one and not path.exists() and (known := names.all()):
            problem = f"'{one}' is neither a kept model of {names.store.root} nor a folder"
            raise UsageError(problem, key="model_dirs", got=one, allowed=known)
        else:
            found.append(path)
    return found


@dataclass(frozen=True)
class KeptRow:
    """One line of `roftbench list kept`: a name, and its models, which predict together.

    Attributes:
        name: The name.
        status: "whole", or why the models cannot be used.
        keys: Keys of the models.
        parts: Names of model, method, dataset and split, each as in the jobs.
        labels: Number of training labels, those of all tasks.
        targets: Names of the tasks.
        task: "regression" or "classification".
        metric: Name of the metric.
        score: Test score, the mean of the models or of the folds that judged them.
        std: Its standard deviation over the folds and their seeds.
        folds: Number of folds.
        seeds: Number of seeds of each fold.
        date: When the name was given.
        size: Bytes of the folders.
    """

    name: str
    status: str
    date: str
    keys: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    labels: int = 0
    targets: tuple[str, ...] = ()
    task: str = ""
    metric: str = ""
    score: float | None = None
    std: float | None = None
    folds: int = 0
    seeds: int = 1
    size: int = 0


def kept_rows(store: Store, filters: Mapping[str, Sequence[str]]) -> Iterator[KeptRow]:
    """Yield the kept models of a results folder that pass filters by part of a job, in order of their names."""
    names = Names(store)
    for name in names.all():
        row = _row(names, name)
        if all(row.parts.get(part) in wanted for part, wanted in filters.items()):
            yield row


def _row(names: Names, name: str) -> KeptRow:
    date = f"{datetime.fromtimestamp(names.path(name).stat().st_mtime):%Y-%m-%d}"
    try:
        keys = names.get(name).keys
    except UsageError:
        return KeptRow(name, "damaged", date)
    folders = [names.store.model_path(key) for key in keys]
    if not all(map(names.store.has_model, keys)):
        return KeptRow(name, "no longer there", date, keys)
    try:
        found = [json.loads((folder / DESCRIPTION).read_bytes()) for folder in folders]
        return KeptRow(name, WHOLE, date, keys, **_facts(found), size=sum(map(_size, folders)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return KeptRow(name, "damaged", date, keys)


def _facts(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of a row that the descriptions of its models hold."""
    first, metric = found[0], str(found[0]["metric"])
    jobs = [one["job"] for one in found]
    parts = {part: " + ".join(dict.fromkeys(str(job[part]["name"]) for job in jobs)) for part in PARTS}
    evaluations = [one["evaluation"] for one in found if "evaluation" in one]
    if len(evaluations) < len(found):
        scores = [one["scores"]["test"][metric] for one in found]
        judged = {"score": fmean(scores) if None not in scores else None}
    else:
        judged = _pooled([one["scores"][metric] for one in evaluations], len(evaluations[0]["jobs"]))
    return {
        "parts": parts,
        "labels": sum(int(one["labels"]) for one in first["labels"]),
        "targets": tuple(map(str, first["targets"])),
        "task": str(first["task"]),
        "metric": metric,
        **judged,
    }


def _pooled(scores: Sequence[dict[str, Any]], folds: int) -> dict[str, Any]:
    """Return mean and standard deviation over the folds of several seeds, from those of each seed."""
    means, deviations = [one["mean"] for one in scores], [one["std"] for one in scores]
    if None in means:
        return {"score": None, "folds": folds, "seeds": len(scores)}
    mean, std = fmean(means), None
    if None not in deviations:
        std = math.sqrt(fmean(own**2 + (one - mean) ** 2 for own, one in zip(deviations, means, strict=True)))
    return {"score": mean, "std": std, "folds": folds, "seeds": len(scores)}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
