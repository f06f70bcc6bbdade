"""From Hydra's config to a typed, checked job."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf import errors as omega
from torch.overrides import TorchFunctionMode

from roftbench.checksums import Checksum, sha256
from roftbench.data.featurizers import FEATURIZERS, HU
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.predefined import AutoSplit, ColumnSplit, file_sha256
from roftbench.data.spec import DatasetSpec
from roftbench.data.split import ScaffoldSplit
from roftbench.data.table import complete
from roftbench.errors import UsageError, check_choice, check_range, suggest
from roftbench.job import NETWORK, Component, Job, MethodSpec, ModelSpec, TrainSettings
from roftbench.kinds import check_pair, kind_of
from roftbench.methods.base import ENCODER_BLOCKS
from roftbench.models.card import PUBLISHED, ModelCard
from roftbench.models.checkpoints import checked_checkpoint
from roftbench.models.fingerprint import Fingerprint
from roftbench.paths import Paths, absolute
from roftbench.plugins import import_allowed, import_name, load_plugin
from roftbench.schema import first_line, schema_of, typed
from roftbench.sources import Places


@dataclass(frozen=True)
class RunSettings:
    """How a job runs, never what it computes: none of it is in the job's key."""

    device: str = "auto"
    jobs_per_gpu: int = 1
    threads: int | None = None
    rerun: bool = False
    keep: bool = False
    stage_cap_gb: float = 10.0

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_range("threads", self.threads, 1)
        check_range("jobs_per_gpu", self.jobs_per_gpu, 1)
        check_range("stage_cap_gb", self.stage_cap_gb, 0)


@dataclass(frozen=True)
class Env:
    """What a job runs in."""

    run: RunSettings
    results: Path
    cache: Path
    places: Places
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Method:
    name: str
    _target_: str
    summary: str = ""
    search: bool = False
    grid: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Split:
    name: str
    _target_: str
    summary: str = ""


@dataclass(frozen=True)
class _Top:
    """The keys beside the groups."""

    seed: int = 0
    plugins: list[str] = field(default_factory=list)


UNUSED_SEED = 42  # stands in a job's identity where a seed decides nothing
GROUPS = ("model", "method", "dataset", "split", "label_ratio", "train", "run", "paths")


def parse(config: DictConfig) -> tuple[Job, Env, list[str]]:
    """Check a composed config and return the job, what it runs in, and what was guessed, in words.

    Raises:
        UsageError: an unknown key, a wrong type, an impossible value, a file that is missing or not the expected one.
    """
    return Parser().parse(resolved(config))


class Parser:
    """Checks configs as `parse` does, each group of equal content once: a sweep repeats few of them many times."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Any] = {}

    def parse(self, plain: dict[str, Any]) -> tuple[Job, Env, list[str]]:
        """Return the job, what it runs in, and what was guessed, from a resolved config; raises as `parse` does."""
        top, plugins = self._once(_top, {key: value for key, value in plain.items() if key not in GROUPS})
        paths, places = self._once(_paths, plain["paths"])
        dataset, guesses = self._once(_dataset, plain["dataset"], plain["paths"])
        split = self._once(_split, plain["split"], plain["dataset"], plain["paths"], plugins)
        label_ratio: LabelRatio = self._once(_typed_group, LabelRatio, "label_ratio", plain["label_ratio"])
        train = self._once(_train, plain["train"], str(dataset.task))
        model = self._once(_model, plain["model"], plugins)
        method = self._once(_method, plain["method"], plugins)
        check_pair(model, method)
        job = Job(
            model=model,
            method=method,
            dataset=dataset,
            split=split,
            label_ratio=replace(label_ratio, seed=UNUSED_SEED) if label_ratio.name == "full" else label_ratio,
            train=train,
            seed=top.seed,
        )
        settings: RunSettings = self._once(_typed_group, RunSettings, "run", plain["run"])
        return job, Env(settings, absolute(paths.results), absolute(paths.cache), places, plugins), guesses

    def _once(self, make: Callable[..., Any], *given: Any) -> Any:
        """Return make(*given), made once for equal arguments."""
        key = (make.__name__, json.dumps(given, sort_keys=True, default=repr))
        if key not in self._known:
            self._known[key] = make(*given)
        return self._known[key]


def _top(values: dict[str, Any]) -> tuple[_Top, tuple[str, ...]]:
    if unknown := [key for key in values if key not in asdict(_Top())]:
        raise UsageError(f"unknown key '{unknown[0]}'.{suggest(unknown[0], (*GROUPS, *asdict(_Top())))}")
    top: _Top = typed(_Top, values, "")
    if top.seed < 0:
        raise UsageError(f"seed must be ≥ 0, got {top.seed}")
    return top, tuple(load_plugin(plugin) for plugin in top.plugins)


def _paths(values: dict[str, Any]) -> tuple[Paths, Places]:
    paths: Paths = typed(Paths, values, "paths")
    return paths, paths.places()


def _dataset(values: dict[str, Any], paths: dict[str, Any]) -> tuple[DatasetSpec, list[str]]:
    return complete(typed(DatasetSpec, values, "dataset"), _paths(paths)[1])


def _typed_group(cls: Any, group: str, values: dict[str, Any]) -> Any:
    return typed(cls, values, group)


def _train(values: dict[str, Any], task: str) -> TrainSettings:
    settings: TrainSettings = typed(TrainSettings, values, "train", extra=("interpolation_epochs",))
    try:
        return settings.for_task(task)
    except ValueError as error:
        raise UsageError(f"train: {error}") from None


def build(component: Component) -> Any:
    """Return an instance of a component; its target was checked by `parse`."""
    return import_name(component.target)(**component.params)


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return a composed config in plain values, references followed, Hydra's own part left out.

    Raises:
        UsageError: a group is not chosen, a value that must be given is missing, or a reference leads nowhere.
    """
    check_groups(config)
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return follow(own)


def check_groups(config: DictConfig) -> None:
    """Raise UsageError where a group is not chosen."""
    if missing := [group for group in GROUPS if not isinstance(config.get(group), DictConfig)]:
        raise UsageError(f"the config group '{missing[0]}' is not chosen: give {missing[0]}=NAME")


def follow(config: DictConfig) -> dict[str, Any]:
    """Return a config in plain values, references followed; raises UsageError where that cannot be."""
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except omega.MissingMandatoryValue as error:
        key = error.full_key or "a value"
        raise UsageError(f"{key} must be given, for example {key}=VALUE on the command line") from None
    except omega.OmegaConfBaseException as error:
        raise UsageError(first_line(error)) from None
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _component(base: Any, values: dict[str, Any], where: str, plugins: tuple[str, ...]) -> tuple[Any, Component]:
    """Split a group into its own keys (those of `base`) and the parameters of its `_target_`, and check both."""
    own = {key: value for key, value in values.items() if key in base.__dataclass_fields__}
    head = typed(base, own, where)
    target = import_allowed(head._target_, where, plugins)
    if is_dataclass(target) and vars(target).get("__annotations__") and "__dataclass_params__" not in vars(target):
        raise UsageError(
            f"{where}._target_={head._target_} has fields of its own: put @dataclass(frozen=True) above it"
        )
    params = asdict(typed(schema_of(target), {key: value for key, value in values.items() if key not in own}, where))
    return head, Component(head.name, head._target_, params)


def _split(
    values: dict[str, Any], dataset_values: dict[str, Any], paths: dict[str, Any], plugins: tuple[str, ...]
) -> Component:
    """Return the way of cutting, with what "auto" stands for and the checksum of a file of parts filled in."""
    dataset = _dataset(dataset_values, paths)[0]
    split: Component = _component(_Split, values, "split", plugins)[1]
    if import_name(split.target) is AutoSplit:
        name, chosen = ("scaffold", ScaffoldSplit) if dataset.split_column is None else ("column", ColumnSplit)
        params = {one.name: split.params[one.name] for one in fields(chosen)}
        checked = asdict(typed(chosen, params, "split"))
        split = Component(name, f"{chosen.__module__}.{chosen.__qualname__}", checked)
    if "sha256" in split.params:
        if dataset.duplicates != "keep":
            raise UsageError(
                f"dataset.duplicates={dataset.duplicates} does not know the parts of a file: name them in a column of"
                " the table (dataset.split_column), or mend the duplicates in the table"
            )
        digest = file_sha256(split.params["path"])
        if split.params["sha256"] not in (None, digest):
            raise UsageError(f"split.path has sha256 {digest}, but split.sha256={split.params['sha256']}")
        split = replace(split, params={**split.params, "sha256": digest})
    if not getattr(import_name(split.target), "seeded", True):  # the same job, whatever the seed
        split = replace(split, params={**split.params, "seed": UNUSED_SEED})
    return split


def _model(values: dict[str, Any], plugins: tuple[str, ...]) -> ModelSpec:
    head, component = _component(ModelCard, values, "model", plugins)
    model = None
    try:
        model = without_weights(component)
    except ValueError as error:
        raise UsageError(f"model: {error}") from None
    except RuntimeError:  # an encoder that looks into its weights while it is built needs memory: the job will tell
        pass
    kind = NETWORK if model is None else kind_of(model, "model", component.target)
    parts = (component.name, component.target, component.params, head.checkpoint)
    if isinstance(model, Fingerprint):
        if head.checkpoint is not None:
            raise UsageError(f"model.checkpoint={head.checkpoint}: {component.name} is a fingerprint, without weights")
        return ModelSpec(*parts, kind=kind, version=model.version)
    featurizer = _featurizer(component.target, import_name(component.target) if model is None else model)
    return _weights(head, ModelSpec(*parts, featurizer=featurizer))


def _featurizer(target: str, encoder: Any) -> str:
    """Return the name of the graphs that an encoder, or its class, reads."""
    featurizer = str(getattr(encoder, "featurizer", HU))
    try:
        check_choice("featurizer", featurizer, FEATURIZERS)
    except ValueError as error:
        raise UsageError(f"model._target_={target}: {error}") from None
    return featurizer


def _weights(card: ModelCard, spec: ModelSpec) -> ModelSpec:
    """Return the spec with what names its weights; a published file is not read for that, one of the user's is."""
    if card.checkpoint is None:
        return spec
    known = card.checksum()
    source = card.source() if card.checkpoint == PUBLISHED else None
    if source is None:
        content = checked_checkpoint(card.checkpoint, known)
        if not known:
            known = Checksum(sha256(content))
            card.check_kind(content)
    return replace(
        spec,
        sha256=known.sha256,
        pretraining=card.pretraining,
        git_blob=known.git_blob,
        source=source,
        cautions=tuple(card.cautions()),
    )


def without_weights(component: Component) -> Any:
    """Return a model whose tensors have sizes and no content: what can be known of it without memory or time.

    Raises:
        ValueError: a size that it cannot have.
        RuntimeError: it looks into its weights while it is built.
    """
    with torch.device("meta"), _Unfilled():
        return build(component)


class _Unfilled(TorchFunctionMode):
    """Weights are not filled with random numbers: on the meta device torch imports for a second before it does."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if getattr(function, "__module__", "") == "torch.nn.init":
            return args[0] if args else named["tensor"]
        return function(*args, **named)


def _method(values: dict[str, Any], plugins: tuple[str, ...]) -> MethodSpec:
    head, component = _component(_Method, values, "method", plugins)
    method = build(component)
    kind = kind_of(method, "method", component.target)
    grid: dict[str, Any] = {}
    for name, choices in head.grid.items():
        if name not in component.params:
            raise UsageError(f"unknown key 'method.grid.{name}'.{suggest(name, component.params)}")
        if choices == ENCODER_BLOCKS and kind == NETWORK:
            grid[name] = choices
            continue
        if not isinstance(choices, list) or not choices:
            raise UsageError(f"method.grid.{name} must be a list of values, got {choices!r}")
        tried = (typed(type(method), {**component.params, name: choice}, "method.grid") for choice in choices)
        grid[name] = [getattr(one, name) for one in tried]  # 1 becomes 1.0 where the method wants a float
    search = head.search and bool(grid)  # a method without a grid has one candidate: the same job, searched or not
    return MethodSpec(component.name, component.target, component.params, search, grid, kind)
