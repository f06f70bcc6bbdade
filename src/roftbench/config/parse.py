"""Typed, checked jobs from Hydra's configs."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf import errors as omega

from roftbench.config.callbacks import check_logger
from roftbench.config.components import UNUSED_SEED, method_of, model_of, names_parts, split_of, with_own_graphs
from roftbench.config.environment import RunContext, RunSettings
from roftbench.config.job import FOLD, Job, TrainSettings
from roftbench.config.kinds import check_can_be_kept, check_graphs, check_no_pretrained, check_pair
from roftbench.config.paths import Paths, absolute
from roftbench.config.plugins import default_plugins, load_plugin
from roftbench.config.references import check_references
from roftbench.config.registry import BESIDE, OF_A_JOB
from roftbench.config.schema import typed
from roftbench.data.config import DatasetSpec
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.table.load import complete
from roftbench.errors import UsageError, check_range, first_line
from roftbench.store.downloads import Places


@dataclass(frozen=True)
class _Top:
    """Top-level keys that are not groups; without `plugins` those of the environment are used."""

    seed: int = 0
    plugins: list[str] | None = None


GROUPS = (*OF_A_JOB, *BESIDE)


def parse(config: DictConfig, folder: Path | None = None) -> tuple[Job, RunContext, list[str]]:
    """Return the job of a composed config, its context, and the guesses about a user's table, as text.

    `folder` is the user's config folder, whose featurizers a model may name.

    Raises:
        UsageError: a key is unknown, a value has the wrong type or is impossible, or a file is missing or not the
            expected one.
    """
    return Parser(folder).parse(resolved(config))


class Parser:
    """Parses configs as `parse` does, but groups of equal content only once: a sweep has many jobs and few groups."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[tuple[str, str], Any] = {}

    def parse(self, plain: dict[str, Any]) -> tuple[Job, RunContext, list[str]]:
        """Return the job, its context and the guesses of a resolved config; raises as `parse` does."""
        top, plugins = self._once(_top, _values_beside_groups(plain))
        paths, places = self._once(_paths, plain["paths"])
        column = plain["split"].get("column")
        column = column if column is None else str(column)  # a name such as 2020
        dataset, guesses = self._once(_dataset, plain["dataset"], plain["paths"], column)
        split = self._once(split_of, plain["split"], dataset, plugins)
        if not names_parts(split):  # the column has no effect, neither on the key nor on merged duplicates
            dataset = replace(dataset, split_column=None)
        label_ratio: LabelRatio = self._once(_typed_group, LabelRatio, "label_ratio", plain["label_ratio"])
        train = self._once(_train, plain["train"], str(dataset.task))
        model = self._once(model_of, with_own_graphs(plain["model"], dataset), plugins, self._folder)
        method = self._once(method_of, plain["method"], plugins)
        check_pair(model, method)
        check_graphs(model, dataset)
        job = Job(
            model=model,
            method=method,
            dataset=dataset,
            split=split,
            label_ratio=LabelRatio(seed=UNUSED_SEED) if label_ratio.name == "full" else label_ratio,
            train=train,
            seed=top.seed,
        )
        given: RunSettings = self._once(_typed_group, RunSettings, "run", plain["run"])
        settings, name = given.named(folds=job.has_folds)
        check_can_be_kept(model, method, settings.keep)
        if name:
            self._once(check_no_pretrained, "run.keep", name, self._folder)
        self._once(check_logger, settings.logger, plugins)
        context = RunContext(settings, absolute(paths.results), absolute(paths.cache), places, plugins, name)
        return job, context, guesses

    def _once(self, make: Callable[..., Any], *given: Any) -> Any:
        """Return make(*given), made once for equal arguments."""
        key = (make.__name__, json.dumps(given, sort_keys=True, default=repr))
        if key not in self._known:
            self._known[key] = make(*given)
        return self._known[key]


def _values_beside_groups(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the top-level values; a cross-validation without a fold, which no job is, has no seed either."""
    values = {key: value for key, value in plain.items() if key not in GROUPS}
    if values.get("seed", 0) is None and plain["split"].get(FOLD, 0) is None:
        del values["seed"]
    return values


def _top(values: dict[str, Any]) -> tuple[_Top, tuple[str, ...]]:
    if unknown := [key for key in values if key not in asdict(_Top())]:
        allowed = (*GROUPS, *asdict(_Top()))
        raise UsageError(f"unknown key '{unknown[0]}'", key=unknown[0], got=unknown[0], allowed=allowed)
    top: _Top = typed(_Top, values, "")
    check_range("seed", top.seed, 0)
    named = default_plugins() if top.plugins is None else top.plugins
    return top, tuple(load_plugin(plugin) for plugin in named)


def _paths(values: dict[str, Any]) -> tuple[Paths, Places]:
    paths: Paths = typed(Paths, values, "paths")
    return paths, paths.places()


def _dataset(values: dict[str, Any], paths: dict[str, Any], column: str | None) -> tuple[DatasetSpec, list[str]]:
    """Return the complete data set; `column` is the one that the split reads, which is no label."""
    spec: DatasetSpec = typed(DatasetSpec, values, "dataset")
    if column is not None and spec.path is None:
        problem = f"split.column={column} needs a table of your own, whose columns are known: {spec.name} is published"
        raise UsageError(problem, key="split.column", got=column)
    return complete(replace(spec, group_column=column), _paths(paths)[1])


def _typed_group(cls: Any, group: str, values: dict[str, Any]) -> Any:
    return typed(cls, values, group)


def _train(values: dict[str, Any], task: str) -> TrainSettings:
    settings: TrainSettings = typed(TrainSettings, values, "train", extra=("interpolation_epochs",))
    try:
        return settings.for_task(task)
    except UsageError as error:
        raise error.under("train.") from None


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return a composed config as plain values, with references resolved, without Hydra's own part.

    Raises:
        UsageError: a group is not chosen, a required value is missing, or a reference leads nowhere.
    """
    check_groups(config)
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return follow(own)


def check_groups(config: DictConfig) -> None:
    """Raise UsageError if a group is not chosen."""
    if missing := [group for group in GROUPS if not isinstance(config.get(group), DictConfig)]:
        raise UsageError(
            f"the config group '{missing[0]}' is not chosen", key=missing[0], hint=f"Give {missing[0]}=NAME"
        )


def _check_written_out(config: DictConfig, group: str) -> None:
    """Raise UsageError if addresses contain references: an environment variable would be sent to a server."""
    found = OmegaConf.to_container(config, resolve=False).get(group)  # type: ignore[union-attr]
    sources = found.get("sources") if isinstance(found, dict) else found
    if "${" in json.dumps(sources, default=str):
        problem = f"{group}.sources contains a reference (${{…}}): write out each address"
        raise UsageError(problem, key=f"{group}.sources")


def follow(config: DictConfig) -> dict[str, Any]:
    """Return a config as plain values with references resolved; raises UsageError if that is impossible."""
    for group in ("dataset", "model"):
        _check_written_out(config, group)
    check_references(config)
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except omega.MissingMandatoryValue as error:
        key = error.full_key or "a value"
        value = "FILE" if key.endswith((".checkpoint", ".path")) else "VALUE"
        sources = OmegaConf.select(config, "model.sources") if key == "model.checkpoint" else None
        where = f" (published at {sources[0]})" if sources else ""
        raise UsageError(f"{key} must be given: {key}={value} on the command line{where}", key=key) from None
    except omega.OmegaConfBaseException as error:
        raise UsageError(first_line(error)) from None
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
