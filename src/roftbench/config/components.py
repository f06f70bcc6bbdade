"""Config groups that name a class by `_target_` (split, model, method), as checked components of a job."""

from contextlib import suppress
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from roftbench.config.featurizers import graph_kind
from roftbench.config.job import FINGERPRINT, NETWORK, Component, MethodSpec, ModelSpec
from roftbench.config.kinds import bases_of, kind_of
from roftbench.config.model_cards import check_encoder
from roftbench.config.plugins import code_of, import_allowed, import_name
from roftbench.config.schema import naming_params, schema_of, typed
from roftbench.config.stated_arguments import with_stated_arguments
from roftbench.data.config import DatasetSpec
from roftbench.data.cross_validation import CrossValidation
from roftbench.data.featurizers.base import HU, OWN, GraphKind
from roftbench.data.predefined import AutoSplit, ColumnSplit, file_sha256
from roftbench.data.split import ScaffoldSplit, Splitter
from roftbench.errors import UsageError
from roftbench.methods.base import ENCODER_BLOCKS, Method
from roftbench.methods.config import MethodCard
from roftbench.models.checkpoints import checked_checkpoint
from roftbench.models.config import PUBLISHED, ModelCard
from roftbench.store.checksums import Checksum, sha256

NETWORKS = ("torch_geometric",)  # packages whose modules a config may name
UNUSED_SEED = 42  # in a job's identity where the seed has no effect


@dataclass(frozen=True)
class _Split:
    name: str
    _target_: str
    summary: str = ""


def build(component: Component) -> Any:
    """Return an instance of a component; its target was checked by `parse`."""
    return import_name(component.target)(**component.params)


def _component(base: Any, values: dict[str, Any], where: str, plugins: tuple[str, ...]) -> tuple[Any, Component]:
    """Return the checked keys of a group, `where`, that `base` defines, and the component of its other keys."""
    own = {key: value for key, value in values.items() if key in base.__dataclass_fields__}
    head = typed(base, own, where)
    bases = (Splitter, AutoSplit) if where == "split" else bases_of(where)
    target = import_allowed(head._target_, where, plugins, bases)
    if is_dataclass(target) and vars(target).get("__annotations__") and "__dataclass_params__" not in vars(target):
        problem = f"{where}._target_={head._target_} has fields of its own: put @dataclass(frozen=True) above it"
        raise UsageError(problem, key=f"{where}._target_", got=head._target_)
    params = asdict(typed(schema_of(target), {key: value for key, value in values.items() if key not in own}, where))
    return head, Component(head.name, head._target_, naming_params(target, params), code=code_of(target, plugins))


def split_of(values: dict[str, Any], dataset: DatasetSpec, plugins: tuple[str, ...]) -> Component:
    """Return the split, with "auto" resolved and the checksum of a file of parts filled in.

    Raises:
        UsageError: as `parse` does.
    """
    split: Component = _component(_Split, values, "split", plugins)[1]
    if import_name(split.target) is AutoSplit:
        name, chosen = ("scaffold", ScaffoldSplit) if dataset.split_column is None else ("column", ColumnSplit)
        params = {one.name: split.params[one.name] for one in fields(chosen)}
        checked = asdict(typed(chosen, params, "split"))
        split = Component(name, f"{chosen.__module__}.{chosen.__qualname__}", checked)
    if "sha256" in split.params:
        if dataset.duplicates != "keep":
            raise UsageError(
                f"dataset.duplicates={dataset.duplicates} cannot be combined with parts from a file",
                key="dataset.duplicates",
                got=dataset.duplicates,
                hint="Put the parts into a column of the table (dataset.split_column), or remove the duplicates there.",
            )
        digest = file_sha256(split.params["path"])
        if split.params["sha256"] not in (None, digest):
            expected = split.params["sha256"]
            raise UsageError(
                f"split.path has sha256 {digest}, but split.sha256={expected}", key="split.sha256", got=expected
            )
        split = replace(split, params={**split.params, "sha256": digest})
    if issubclass(import_name(split.target), CrossValidation):  # what affects no fold is left out
        params = {name: value for name, value in split.params.items() if name not in ("repeats", "fractions")}
        if params["by"] != "butina":
            params["cutoff"] = CrossValidation.cutoff
        split = replace(split, name="cv", params=params)
    if not getattr(import_name(split.target), "seeded", True):  # the same job for every seed
        split = replace(split, params={**split.params, "seed": UNUSED_SEED})
    return split


def names_parts(split: Component) -> bool:
    """Return whether a split reads the parts from a column of the table."""
    return issubclass(import_name(split.target), ColumnSplit)


def with_own_graphs(values: dict[str, Any], dataset: DatasetSpec) -> dict[str, Any]:
    """Return the values of a model; one that reads the data set's own graphs gets the numbers of their columns."""
    return {**values, "columns": dataset.own_graphs} if values.get("graphs") == OWN else values


def model_of(values: dict[str, Any], plugins: tuple[str, ...], folder: Path | None = None) -> ModelSpec:
    """Return the model with the checksum of its weights; raises UsageError as `parse` does."""
    head, component = _component(ModelCard, with_stated_arguments(values, plugins), "model", plugins)
    model: Any = import_name(component.target)
    kind = kind_of(model, "model")
    for name, base in getattr(model, "imports", {}).items():
        named = import_allowed(component.params[name], f"model.{name}", (*plugins, *NETWORKS), (base,))
        component = replace(component, code=component.code or code_of(named, plugins))
    with suppress(RuntimeError):  # an encoder that reads its weights while it is built needs memory: the job checks it
        try:
            model = without_weights(component)
        except UsageError as error:
            raise error.under("model.") from None
        except ValueError as error:
            raise UsageError(f"model: {error}", key="model") from None
    if kind == FINGERPRINT:
        if head.checkpoint is not None:
            reason = f"{component.name} is a fingerprint, without weights"
            raise UsageError(
                f"model.checkpoint={head.checkpoint}: {reason}", key="model.checkpoint", got=head.checkpoint
            )
        return ModelSpec(**vars(component), kind=kind, version=model.version)
    if head.checkpoint is not None and (reason := getattr(model, "random_only", "")):
        raise UsageError(f"model.checkpoint={head.checkpoint}: {reason}", key="model.checkpoint", got=head.checkpoint)
    featurizer = _featurizer(component.target, model, plugins, folder)
    protocol = None if isinstance(model, type) else model.protocol
    spec = ModelSpec(**vars(component), checkpoint=head.checkpoint, featurizer=featurizer, protocol=protocol)
    return _weights(head, spec)


def _featurizer(target: str, encoder: Any, plugins: tuple[str, ...], folder: Path | None) -> GraphKind | None:
    """Return the featurizer of an encoder, or of its class if it could not be built; None for "hu" graphs."""
    name = str(getattr(encoder, "featurizer", HU))
    try:
        return None if name == HU else graph_kind(name, plugins, folder)
    except UsageError as error:
        raise UsageError(f"model._target_={target}: {error}", key="model._target_", got=target) from None


def _weights(card: ModelCard, spec: ModelSpec) -> ModelSpec:
    """Return the spec with the checksum of its weights: the config's for a published file, computed for a user's."""
    if card.checkpoint is None:
        return spec
    known = card.checksum()
    source = card.source() if card.checkpoint == PUBLISHED else None
    if source is None:
        content = checked_checkpoint(card.checkpoint, known)
        if not known:
            known = Checksum(sha256(content))
            check_encoder(card, content)
    return replace(
        spec,
        sha256=known.sha256,
        pretraining=card.pretraining,
        git_blob=known.git_blob,
        source=source,
        cautions=tuple(card.cautions()),
        seen=tuple(card.labels_seen() or ()),
    )


def without_weights(component: Component) -> Any:
    """Return a model on the meta device, whose tensors have shapes and no content; costs no memory and little time.

    Raises:
        ValueError: an impossible size.
        RuntimeError: the model reads its weights while it is built.
    """
    with torch.device("meta"), _Unfilled():
        return build(component)


class _Unfilled(TorchFunctionMode):
    """Skips random initialization, which on the meta device makes torch import modules for a second."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if getattr(function, "__module__", "") == "torch.nn.init":
            return args[0] if args else named["tensor"]
        return function(*args, **named)


def method_of(values: dict[str, Any], plugins: tuple[str, ...]) -> MethodSpec:
    """Return the method with its grid, each value checked; raises UsageError as `parse` does."""
    head, component = _component(MethodCard, values, "method", plugins)
    method = build(component)
    kind = kind_of(type(method), "method")
    grid: dict[str, Any] = {}
    candidates = [method]
    known = [one.name for one in fields(method)]
    for name, choices in head.grid.items():
        if name not in known:
            raise UsageError(f"unknown key 'method.grid.{name}'", key=f"method.grid.{name}", got=name, allowed=known)
        if choices == ENCODER_BLOCKS and kind == NETWORK:
            grid[name] = choices
            typed(
                type(method), {**component.params, name: "layer0"}, "method.grid"
            )  # the name of a block must have the right type
            continue
        if not isinstance(choices, list) or not choices:
            raise UsageError(
                f"method.grid.{name} must be a list of values, got {choices!r}", key=f"method.grid.{name}", got=choices
            )
        tried = [typed(type(method), {**component.params, name: choice}, "method.grid") for choice in choices]
        candidates += tried if head.search else []
        grid[name] = [getattr(one, name) for one in tried]  # 1 becomes 1.0 where the method wants a float
    search = head.search and bool(grid)  # without a grid there is one candidate: the same job with and without search
    protocols = [one.protocol for one in candidates if getattr(one, "protocol", None) is not None]
    fitted = any(map(_trains_encoder, candidates)) if kind == NETWORK else False
    return MethodSpec(
        **vars(component),
        search=search,
        grid=grid,
        kind=kind,
        protocol=max(protocols, default=None),
        trains_encoder=fitted,
    )


def _trains_encoder(method: Method) -> bool:
    try:
        return method.trains_encoder
    except ValueError:  # of a plug-in; the job says what is wrong with its stages
        return True
