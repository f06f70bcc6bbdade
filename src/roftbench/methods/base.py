"""Base class of fine-tuning methods: `Method` is full fine-tuning, and each other method overrides one or two hooks.

A method uses a model only through its blocks, node states and loss, so it works with any encoder.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.errors import check_range
from roftbench.methods.step_rule import StepRule, Training
from roftbench.models.encoder import HEAD, Nodes, Predictor, State

ENCODER_BLOCKS = "encoder_blocks"  # in a grid: every block of the encoder


@dataclass(frozen=True)
class Stage:
    """One training stage.

    Attributes:
        name: name of the stage, unique within the method.
        blocks: blocks that are trained; None for all.
        epochs: number of epochs; None for `train.epochs`.
        lr: learning rate; None for `train.lr`.
        converged: fit the head alone to its optimum (`runner.converged_head`), without epochs and learning rate.
        parameters: patterns (`fnmatch`) of the keys of encoder parameters that are trained; None for all of `blocks`.
            Running statistics of these blocks adapt, and the head, and what the method has added, are trained
            whole if they are among them.
        lrs: learning rate by block, where it differs from `lr`.
        lr_decay: factor between the learning rate of a block and that of the block after it; the last has `lr`.
        unfreeze_every: the last block is trained alone at first, and the one before joins after so many epochs, and so
            on; None: all from the start.
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ("converged", "parameters", "lrs", "lr_decay", "unfreeze_every")

    name: str
    blocks: tuple[str, ...] | None = None
    epochs: int | None = None
    lr: float | None = None
    converged: bool = False
    parameters: tuple[str, ...] | None = None
    lrs: dict[str, float] | None = None
    lr_decay: float = 1.0
    unfreeze_every: int | None = None

    def __post_init__(self) -> None:
        check_range("lr_decay", self.lr_decay, 0, 1, open_low=True)
        for block, lr in (self.lrs or {}).items():
            check_range(f"lrs.{block}", lr, 0, open_low=True)
        if self.unfreeze_every is not None:
            check_range("unfreeze_every", self.unfreeze_every, 1)
        if self.epochs is not None:
            check_range("epochs", self.epochs, 1)
        if self.lr is not None:
            check_range("lr", self.lr, 0, open_low=True)
        if self.converged and (self.blocks != (HEAD,) or self.epochs is not None or self.lr is not None):
            raise ValueError(f"a converged stage fits the head alone: blocks=('{HEAD}',), without epochs and lr")

    @property
    def head_only(self) -> bool:
        """Whether nothing but the head is trained."""
        return tuple(self.blocks or ()) == (HEAD,)


@dataclass(frozen=True)
class Step:
    """Input of a penalty in one training step.

    Attributes:
        model: the predictor that is trained.
        start: a copy of its weights before fine-tuning, under the same keys.
        batch: B graphs with N nodes.
        nodes: their node states, [N, d].
        z: their pooled representations, [B, d].
        pretrained_features: function without arguments that returns the `Nodes.features`, [N, d], of the pretrained
            encoder in evaluation mode for this batch.
    """

    model: Predictor
    start: State
    batch: Batch
    nodes: Nodes
    z: Tensor
    pretrained_features: Callable[[], Tensor]


@dataclass(frozen=True)
class Fitted:
    """Input of `Method.finish`: weights, and validation as functions of a state dict (evaluation mode).

    Attributes:
        start: weights before fine-tuning, by key.
        tuned: weights after fine-tuning, under the same keys.
        block_of: name of the block of each key.
        buffers: keys of tensors that are no parameters, such as running statistics.
        encoder_blocks: names of the encoder's blocks, in order.
        num_val_batches: number of mini-batches of the validation part.
        val_loss: function from a state and the number of a mini-batch (from 0) to the loss, a scalar with gradient.
        val_score: function from a state to the primary metric, None where it is undefined.
        better: function of two scores; whether the first is better.
        device: device of all tensors.
        repeated: wraps a function that does the same at each call, on the same tensors and without synchronizing with
            the host. On a GPU it is captured as a CUDA graph and replayed from the third call on (`runner.cuda_graph`);
            each call overwrites the result of the one before.
        progress: wraps an iterable in a progress bar.
    """

    start: State
    tuned: State
    block_of: Mapping[str, str]
    buffers: frozenset[str]
    encoder_blocks: Sequence[str]
    num_val_batches: int
    val_loss: Callable[[State, int], Tensor]
    val_score: Callable[[State], float | None]
    better: Callable[[float | None, float | None], bool]
    device: torch.device
    repeated: Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
    progress: Callable[[Iterable[int]], Iterable[int]]

    @cached_property
    def moved(self) -> State:
        """Difference between `tuned` and `start` for each floating-point tensor, by key."""
        return {key: end - self.start[key] for key, end in self.tuned.items() if end.is_floating_point()}

    @cached_property
    def moved_buffers(self) -> frozenset[str]:
        """Keys of the buffers that fine-tuning has changed; the others, such as constants, need no interpolation."""
        return frozenset(key for key in self.buffers & self.moved.keys() if bool(self.moved[key].any()))


@dataclass(frozen=True)
class Finished:
    """Result of `Method.finish`.

    Attributes:
        state: the final weights, by key.
        info: plain values for the job's record.
    """

    state: State
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fold:
    """Labels that are kept from a fit: part `number`, from 0, of `parts` equal parts of the validation labels.

    With `training`, the training labels are divided as well, and the fit has all others as training labels: it keeps
    its last epoch. `Fitted.val_loss` is then over the fold, `Fitted.val_score` over the validation labels outside.
    """

    number: int
    parts: int
    training: bool = False


@dataclass(frozen=True)
class Member:
    """One of several fits within a job: a method, a number that is added to the job's seed, and labels kept from it."""

    method: "Method"
    seed: int = 0
    fold: Fold | None = None


@dataclass(frozen=True)
class Method:
    """Base class of methods: full fine-tuning of all blocks and the head, from the pretrained weights.

    A subclass is a frozen dataclass whose fields are the hyperparameters.

    Attributes:
        omitted_at_default: hyperparameters that enter a job's key only where they differ from their default.
        fits_on_validation: whether validation labels are used for gradients and not only for selection.
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ()
    fits_on_validation: ClassVar[bool] = False

    @property
    def protocol(self) -> int | None:
        """Version of this method's definition; where it is set, it is part of the keys of its jobs."""
        return None

    def stages(self) -> list[Stage]:
        """Return the training stages, in order; each starts from the best weights of the one before."""
        return [Stage("ft")]

    @property
    def trains_encoder(self) -> bool:
        """Whether any stage trains more than the head."""
        if members := self.members():
            return any(one.method.trains_encoder for one in members)
        return not all(stage.head_only for stage in self.stages())

    def extend(self, model: Predictor) -> None:
        """Put modules of the method's own into a network, in place, before the first stage.

        They go into `model.added`, which is the block "added" of the stages, and are called by forward hooks or
        parametrizations of torch. Their random numbers depend on the job's seed alone. A saved model is extended again
        before its weights are loaded.

        Raises:
            SkipJob: the encoder has no place for them.
        """

    def penalty(self, step: Step) -> Tensor | float:
        """Return the weighted penalty that is added to the task loss in each step, a scalar."""
        return 0.0

    def step_rule(self, training: Training) -> StepRule:
        """Return what acts around the optimizer's steps of a stage; by default nothing."""
        return StepRule()

    def finish(self, fitted: Fitted) -> Finished:
        """Return the final weights, made from the fitted ones."""
        return Finished(fitted.tuned)

    def members(self) -> list[Member]:
        """Return the fits of a job that has several in place of `stages`; each is stored and shared like any other."""
        return []

    def combine(self, fits: Sequence[Fitted]) -> Finished:
        """Return the final weights, made from those of the members; without it, their predictions are averaged."""
        raise NotImplementedError(f"{type(self).__name__} has members and no combine")

    def candidates(self, grid: Mapping[str, Any], blocks: Sequence[str]) -> list[Self]:
        """Return one method per combination of a grid.

        Args:
            grid: values by hyperparameter; `ENCODER_BLOCKS` stands for `blocks`.
            blocks: names of the encoder's blocks.
        """
        named = {name: blocks if choices == ENCODER_BLOCKS else choices for name, choices in grid.items()}
        return combinations(self, named)

    @classmethod
    def overrides(cls, hook: str) -> bool:
        """Return whether this method overrides a hook of `Method`."""
        return getattr(cls, hook) is not getattr(Method, hook)


def combinations(method: Any, grid: Mapping[str, Iterable[Any]]) -> list[Any]:
    """Return one copy of a method, a dataclass, per combination of the values of a grid."""
    return [replace(method, **dict(zip(grid, values, strict=True))) for values in product(*grid.values())]


def head_shrinkage(model: Predictor) -> Tensor:
    """Return ½‖w‖² over the head's parameters, a scalar, which regularizing methods add (docs/protocol.md §4)."""
    squares: Tensor = sum(parameter.square().sum() for parameter in model.head.parameters())  # type: ignore[assignment]
    return 0.5 * squares
