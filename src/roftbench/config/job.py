"""A job: everything that decides a number, in plain values, and the key that names it."""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar

from roftbench.config.schema import naming_params
from roftbench.config.stable_names import stable_name
from roftbench.data.config import DatasetSpec
from roftbench.data.featurizers.base import GraphKind
from roftbench.data.featurizers.hu import VERSION as FEATURIZER
from roftbench.data.label_ratio import LabelRatio
from roftbench.errors import UsageError, check_choice, check_range
from roftbench.metrics import DEFAULT_LOSS, REGRESSION_LOSSES
from roftbench.store.checksums import digest
from roftbench.store.downloads import Source

# Kinds of models and methods; a network with a method for fingerprints makes a job on its embeddings.
NETWORK, FINGERPRINT, EMBEDDING = "network", "fingerprint", "embedding"
PROTOCOL = 3  # raise it with any change of code that changes the meaning of a number

FLOAT32, BF16 = "float32", "bf16"  # precisions of a training step

FOLD, FOLDS = "fold", "folds"  # parameters of a cross-validation
ENCODER_PROTOCOL = "encoder_protocol"  # in the method of a job's identity
NO_TRAINING = {"name": "none"}  # in a job's identity where training settings have no effect

DATASET_IDENTITY = (
    "name", "sha256", "smiles_column", "targets", "task", "metric", "classes", "split_column", "duplicates",
)  # fmt: skip


@dataclass(frozen=True)
class TrainSettings:
    """How a stage is trained; the defaults are the paper's.

    clip_value: bound of each element of the gradient, [-clip_value, clip_value], before the step; None: no bound.
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ("precision", "clip_value")

    name: str = "paper"
    epochs: int = 100
    batch_size: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.0
    loss: str | None = None
    standardize_targets: bool = False
    frozen_mode: str = "eval"
    precision: str = FLOAT32
    clip_value: float | None = None

    def __post_init__(self) -> None:
        check_range("epochs", self.epochs, 1)
        check_range("batch_size", self.batch_size, 2)
        check_range("lr", self.lr, 0, open_low=True)
        check_range("weight_decay", self.weight_decay, 0)
        check_choice("frozen_mode", self.frozen_mode, ("eval", "train"))
        check_choice("precision", self.precision, (FLOAT32, BF16))
        if self.clip_value is not None:
            check_range("clip_value", self.clip_value, 0, open_low=True)
        if self.loss is not None:
            check_choice("loss", self.loss, (*REGRESSION_LOSSES, "bce"))

    def identity(self) -> dict[str, Any]:
        """Return the settings as plain values; precision and clipping only if not the default, for older keys."""
        return naming_params(type(self), asdict(self))

    def for_task(self, task: str) -> "TrainSettings":
        """Return the settings with the loss filled in; raises UsageError if loss and task do not fit.

        Classes are never standardized, so that the setting does not change the job.
        """
        if self.loss is not None and (self.loss == "bce") != (task == "classification"):
            allowed = REGRESSION_LOSSES if task == "regression" else ("bce",)
            raise UsageError(
                f"loss={self.loss} does not fit a {task} data set", key="loss", got=self.loss, allowed=allowed
            )
        standardize = self.standardize_targets and task == "regression"
        return replace(self, loss=self.loss or DEFAULT_LOSS[task], standardize_targets=standardize)


@dataclass(frozen=True)
class Component:
    """A class of roftbench or of a plug-in by its import path, with its parameters as plain values.

    `code` is a digest of a plug-in's code, so that another version has other keys; roftbench itself has PROTOCOL.
    """

    name: str
    target: str
    params: dict[str, Any]
    code: str | None = field(default=None, kw_only=True)

    def code_identity(self) -> dict[str, Any]:
        """Return the digest of a plug-in's code; nothing for a class of roftbench."""
        return {} if self.code is None else {"code": self.code}


@dataclass(frozen=True)
class ModelSpec(Component):
    """An encoder and its checkpoint: `bundled:FILE`, a path, `published` (in `source`), or None for random weights.

    With kind "fingerprint" it has neither; `version` is then that of the fingerprint's code.

    `sha256` identifies the weights in the job's key, or `git_blob` if only that is known of a file. `cautions` are
    warnings about the checkpoint for readers of the job's numbers, and `seen` the data sets whose labels the
    pretraining saw. `featurizer` is that of the graphs that the encoder reads, None for the "hu" graphs. `protocol` is
    the version of the encoder's training, if that changed since PROTOCOL was last raised.
    """

    checkpoint: str | None = None
    sha256: str | None = None
    pretraining: str = "none"
    git_blob: str | None = None
    source: Source | None = None
    cautions: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    featurizer: GraphKind | None = None
    kind: str = NETWORK
    version: int | None = None
    protocol: int | None = None

    @property
    def has_weights(self) -> bool:
        """Whether weights are loaded; otherwise they are random."""
        return self.source is not None or self.checkpoint is not None

    def weights_identity(self) -> dict[str, str | None]:
        """Return what identifies the weights."""
        if self.sha256 is None and self.git_blob is not None:
            return {"sha256": None, "git_blob": self.git_blob}
        return {"sha256": self.sha256}

    def inputs_identity(self) -> dict[str, Any]:
        """Return what identifies a fingerprint, or the graphs of an encoder unless they are the default, "hu"."""
        if self.kind == FINGERPRINT:
            return {"fingerprint": {"version": self.version}}
        return {} if self.featurizer is None else {"graphs": self.featurizer.identity()}


@dataclass(frozen=True)
class MethodSpec(Component):
    """A method, the grid that is searched inside the job if `search` is set, and the kind of models that it is for.

    `protocol` is the version of the method's own definition, if that changed since PROTOCOL was last raised.
    `trains_encoder` is false where only a head is fitted to the representations of the pretrained encoder.
    """

    search: bool
    grid: dict[str, Any]
    kind: str = NETWORK
    protocol: int | None = None
    trains_encoder: bool = True

    def code_identity(self) -> dict[str, Any]:
        """Return the digest of a plug-in's code, and the protocol of the method's definition if it has one."""
        return {**super().code_identity(), **({} if self.protocol is None else {"protocol": self.protocol})}


@dataclass(frozen=True)
class Job:
    """One fine-tuning job (docs/protocol.md §1).

    With `refit` the molecules of its test part are trained on, too (§6): a model for use, which nothing scores.
    """

    model: ModelSpec
    method: MethodSpec
    dataset: DatasetSpec
    split: Component
    label_ratio: LabelRatio
    train: TrainSettings
    seed: int
    refit: bool = False

    @property
    def kind(self) -> str:
        """The kind of its experiment: an estimator on the embeddings of a network is EMBEDDING."""
        return self.model.kind if self.model.kind == self.method.kind else EMBEDDING

    @property
    def trains(self) -> bool:
        """Whether a network is trained."""
        return self.kind == NETWORK

    @property
    def has_folds(self) -> bool:
        """Whether its split is a cross-validation, of which a job is one fold."""
        return {FOLD, FOLDS} <= self.split.params.keys()

    def sources(self) -> list[Source]:
        """Return the published files that the job reads."""
        dataset = [self.dataset.source()] if self.dataset.sources else []
        return [*dataset, *([self.model.source] if self.model.source is not None else [])]

    def identity(self) -> dict[str, Any]:
        """Return what decides the job's numbers: an allow-list of plain values. Files enter by checksum."""
        method = {**_plain(self.method), "search": self.method.search}
        if self.trains and self.method.trains_encoder:
            method |= self.encoder_identity()
        return {
            **self.fit_identity(),
            "method": {**method, "grid": self.method.grid if self.method.search else {}},
        }

    def encoder_identity(self) -> dict[str, Any]:
        """Return the version of the training of the encoder, if it has one; part of whatever trains it."""
        return {} if self.model.protocol is None else {ENCODER_PROTOCOL: self.model.protocol}

    def fit_identity(self) -> dict[str, Any]:
        """Return what decides a fit besides the method: the job's part of the key of a stage."""
        return {**self._fit_identity}

    @cached_property
    def _fit_identity(self) -> dict[str, Any]:
        dataset = {name: getattr(self.dataset, name) for name in DATASET_IDENTITY} | self.dataset.reading()
        return {
            "protocol": PROTOCOL,
            "featurizer": FEATURIZER,
            **self.model.inputs_identity(),
            "model": {**_plain(self.model), **self.model.weights_identity()},
            "dataset": dataset,
            "split": _plain(self.split),
            "label_ratio": self._label_identity(),
            "train": self.train.identity() if self.trains else NO_TRAINING,
            "seed": self.seed,
            **({"refit": True} if self.refit else {}),
        }

    def _label_identity(self) -> dict[str, Any]:
        """Return the label ratio, marked where rows without a label once counted as validation labels."""
        ratio = self.label_ratio
        counted = {"labeled_val": True} if ratio.is_strict and self.dataset.unlabeled else {}
        return {"name": ratio.name, **asdict(ratio), **counted}

    @cached_property
    def key(self) -> str:
        """Name of the job: 16 hex digits of the SHA-256 of its identity."""
        return digest(self.identity())


def _plain(component: Component) -> dict[str, Any]:
    """Return a component as plain values; a file that it reads enters by its `sha256`, not by its path."""
    params = {
        key: value for key, value in component.params.items() if key != "path" or "sha256" not in component.params
    }
    return {
        "name": component.name,
        "target": stable_name(component.target),
        "params": params,
        **component.code_identity(),
    }


def derive_seed(seed: int, *labels: str | int) -> int:
    """Return a separate seed for each purpose, so that no draw depends on earlier ones."""
    return int(sha256(repr((seed, *labels)).encode()).hexdigest()[:15], 16)
