"""From Hydra's config to a typed, checked job. The only file that knows OmegaConf's structured configs."""

import importlib
import importlib.util
import inspect
import sys
from dataclasses import asdict, dataclass, field, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf import errors as omega

from roftbench.data.split import LabelRatio
from roftbench.data.table import DatasetSpec, complete
from roftbench.errors import UsageError, check_range, suggest
from roftbench.job import Component, Job, MethodSpec, ModelSpec, TrainSettings
from roftbench.methods.base import ENCODER_BLOCKS, Method
from roftbench.models.checkpoints import checkpoint_sha256

PACKAGE = "roftbench"


@dataclass(frozen=True)
class RunSettings:
    """How a job runs, never what it computes: none of it is in the job's key."""

    device: str = "auto"
    threads: int | None = None
    rerun: bool = False
    stage_cap_gb: float = 10.0

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_range("threads", self.threads, 1)
        check_range("stage_cap_gb", self.stage_cap_gb, 0)


@dataclass(frozen=True)
class Paths:
    """Where results go and where computed inputs are kept."""

    results: str = "results"
    cache: str = "~/.cache/roftbench"


@dataclass(frozen=True)
class Env:
    """What a job runs in."""

    run: RunSettings
    results: Path
    cache: Path
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Model:
    name: str
    _target_: str
    summary: str = ""
    checkpoint: str | None = None
    sha256: str | None = None
    pretraining: str = "none"


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


GROUPS = ("model", "method", "dataset", "split", "label_ratio", "train", "run", "paths")


def parse(config: DictConfig) -> tuple[Job, Env, list[str]]:
    """Check a composed config and return the job, what it runs in, and what was guessed, in words.

    Raises:
        UsageError: an unknown key, a wrong type, an impossible value, a file that is missing or not the expected one.
    """
    plain = _resolve(config)
    if unknown := [key for key in plain if key not in (*GROUPS, *asdict(_Top()))]:
        raise UsageError(f"unknown key '{unknown[0]}'.{suggest(unknown[0], (*GROUPS, *asdict(_Top())))}")
    top: _Top = _typed(_Top, {key: value for key, value in plain.items() if key not in GROUPS}, "")
    if top.seed < 0:
        raise UsageError(f"seed must be ≥ 0, got {top.seed}")
    plugins = tuple(_load_plugin(plugin) for plugin in top.plugins)
    dataset, guesses = complete(_typed(DatasetSpec, plain["dataset"], "dataset"))
    settings: TrainSettings = _typed(TrainSettings, plain["train"], "train", extra=("interpolation_epochs",))
    paths: Paths = _typed(Paths, plain["paths"], "paths")
    try:
        settings = settings.for_task(str(dataset.task))
    except ValueError as error:
        raise UsageError(f"train: {error}") from None
    job = Job(
        model=_model(plain["model"], plugins),
        method=_method(plain["method"], plugins),
        dataset=dataset,
        split=_component(_Split, plain["split"], "split", plugins)[1],
        label_ratio=_typed(LabelRatio, plain["label_ratio"], "label_ratio"),
        train=settings,
        seed=top.seed,
    )
    env = Env(
        _typed(RunSettings, plain["run"], "run"),
        Path(paths.results).expanduser().absolute(),
        Path(paths.cache).expanduser().absolute(),
        plugins,
    )
    return job, env, guesses


def build(component: Component) -> Any:
    """Return an instance of a component; its target was checked by `parse`."""
    return _import(component.target)(**component.params)


def _resolve(config: DictConfig) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except omega.MissingMandatoryValue as error:
        key = error.full_key or "a value"
        raise UsageError(f"{key} must be given, for example {key}=VALUE on the command line") from None
    except omega.OmegaConfBaseException as error:
        raise UsageError(_first_line(error)) from None
    assert isinstance(plain, dict)
    plain.pop("hydra", None)
    missing = [group for group in GROUPS if not isinstance(plain.get(group), dict)]
    if missing:
        raise UsageError(f"the config group '{missing[0]}' is not chosen: give {missing[0]}=NAME")
    return {str(key): value for key, value in plain.items()}


def _typed(cls: Any, values: dict[str, Any], where: str, extra: tuple[str, ...] = ()) -> Any:
    """Return an instance of a dataclass from plain values, names, types and ranges checked.

    `extra` keys may be there but are not the class's: other parts of the config refer to them.
    """
    prefix = f"{where}." if where else ""
    values = {key: value for key, value in values.items() if key not in extra}
    schema = OmegaConf.structured(cls)
    OmegaConf.set_readonly(schema, False)
    names = [str(key) for key in schema]  # `in schema` would deny those without a value yet
    if unknown := [key for key in values if key not in names]:
        raise UsageError(f"unknown key '{prefix}{unknown[0]}'.{suggest(unknown[0], names)}")
    for key, value in values.items():
        try:
            schema[key] = value
        except (omega.ValidationError, omega.UnsupportedValueType) as error:
            raise UsageError(f"{prefix}{key}: {_first_line(error)}") from None
    fields = {str(key): _plain(schema[key]) for key in schema if not OmegaConf.is_missing(schema, key)}
    try:
        return cls(**fields)
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from None
    except ValueError as error:
        raise UsageError(f"{prefix}{error}") from None


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if isinstance(value, (DictConfig, ListConfig)) else value


def _component(base: Any, values: dict[str, Any], where: str, plugins: tuple[str, ...]) -> tuple[Any, Component]:
    """Split a group into its own keys (those of `base`) and the parameters of its `_target_`, and check both."""
    own = {key: value for key, value in values.items() if key in base.__dataclass_fields__}
    head = _typed(base, own, where)
    target = _import_allowed(head._target_, where, plugins)
    schema = target if is_dataclass(target) else _signature(target)
    params = asdict(_typed(schema, {key: value for key, value in values.items() if key not in own}, where))
    return head, Component(head.name, head._target_, params)


def _model(values: dict[str, Any], plugins: tuple[str, ...]) -> ModelSpec:
    head, component = _component(_Model, values, "model", plugins)
    try:
        with torch.device("meta"):  # sizes are checked without memory or time
            build(component)
    except ValueError as error:
        raise UsageError(f"model: {error}") from None
    sha256 = checkpoint_sha256(head.checkpoint, head.sha256) if head.checkpoint is not None else None
    return ModelSpec(component.name, component.target, component.params, head.checkpoint, sha256, head.pretraining)


def _method(values: dict[str, Any], plugins: tuple[str, ...]) -> MethodSpec:
    head, component = _component(_Method, values, "method", plugins)
    method = build(component)
    if not isinstance(method, Method):
        raise UsageError(f"method._target_={component.target} is no subclass of roftbench.methods.base.Method")
    for name, choices in head.grid.items():
        if name not in component.params:
            raise UsageError(f"unknown key 'method.grid.{name}'.{suggest(name, component.params)}")
        if choices == ENCODER_BLOCKS:
            continue
        if not isinstance(choices, list) or not choices:
            raise UsageError(f"method.grid.{name} must be a list of values, got {choices!r}")
        for choice in choices:
            _typed(type(method), {**component.params, name: choice}, "method.grid")
    if head.search and not head.grid:
        raise UsageError(f"method.search=true, but {component.name} has no grid: set method.search=false")
    return MethodSpec(component.name, component.target, component.params, head.search, head.grid)


def _signature(target: Any) -> type:
    """Return a dataclass with the parameters of a class's __init__, for the same checks as a dataclass gets."""
    hints = get_type_hints(target.__init__)
    parameters = list(inspect.signature(target).parameters.values())
    required = [(p.name, hints.get(p.name, Any)) for p in parameters if p.default is p.empty]
    optional = [
        (p.name, hints.get(p.name, Any), field(default=p.default)) for p in parameters if p.default is not p.empty
    ]
    return make_dataclass(target.__name__, [*required, *optional], frozen=True)


def _import_allowed(path: str, where: str, plugins: tuple[str, ...]) -> Any:
    """Import a `_target_`: it is code, so only our own names and those of plug-ins that the user names are allowed."""
    root = path.partition(".")[0]
    allowed = (PACKAGE, *plugins)
    if not any(path.startswith(f"{name}.") for name in allowed):
        raise UsageError(
            f"{where}._target_={path} is neither in roftbench nor in a plug-in. If you trust it, say plugins=[{root}]"
            f" (now: {', '.join(plugins) or 'none'})."
        )
    try:
        return _import(path)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{where}._target_={path} cannot be imported: {error}") from None


def _import(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _load_plugin(plugin: str) -> str:
    """Import a plug-in, a module name or the path of a .py file, and return its module name."""
    if not plugin.endswith(".py"):
        return plugin
    path = Path(plugin).expanduser()
    if not path.is_file():
        raise UsageError(f"plugins: there is no file {plugin} (looked at {path.resolve()})")
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    return path.stem


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
