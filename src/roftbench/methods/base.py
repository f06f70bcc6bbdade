"""What a fine-tuning method is. As it stands, `Method` is full fine-tuning; the others override one hook or two.

A method sees a model only through its blocks, its node states and its loss, so that it works with any encoder.
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
from roftbench.models.encoder import HEAD, Nodes, Predictor, State

ENCODER_BLOCKS = "encoder_blocks"  # in a grid: every block of the encoder at hand


@dataclass(frozen=True)
class Stage:
    """One training phase; None means: all blocks, the trainer's epochs, the trainer's learning rate.

    converged: the head alone is fitted to its optimum (`runner.converged_head`), without epochs and learning rate.
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ("converged",)

    name: str
    blocks: tuple[str, ...] | None = None
    epochs: int | None = None
    lr: float | None = None
    converged: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None:
            check_range("epochs", self.epochs, 1)
        if self.lr is not None:
            check_range("lr", self.lr, 0, open_low=True)
        if self.converged and (self.blocks != (HEAD,) or self.epochs is not None or self.lr is not None):
            raise ValueError(f"a converged stage fits the head alone: blocks=('{HEAD}',), without epochs and lr")


@dataclass(frozen=True)
class Step:
    """What a penalty may read in one training step.

    model: the predictor being trained; start: a copy of its weights before fine-tuning, under the same keys;
    batch: B graphs; nodes: their node states [N, d]; z: their pooled representations [B, d];
    pretrained_features(): the pretrained encoder's `Nodes.features` [N, d] for this batch, in eval mode.
    """

    model: Predictor
    start: State
    batch: Batch
    nodes: Nodes
    z: Tensor
    pretrained_features: Callable[[], Tensor]


@dataclass(frozen=True)
class Fitted:
    """What a post-hoc step may use: weights, and validation as functions of a state dict (evaluation mode).

    start, tuned: weights before and after fine-tuning, same keys; block_of: key -> block; buffers: keys of tensors
    that are no parameters (running statistics); encoder_blocks: names in order, the head left out;
    val_loss(state, batch number) -> scalar with gradient, over mini-batches 0 … num_val_batches - 1;
    val_score(state) -> primary metric or None; better(a, b): whether score a beats score b;
    device: where all of this is; repeated(work): a function that does the same at each call, on tensors that stay where
    they are, and asks the device for nothing; a GPU replays it from the third call on without calling it, and what it
    returns is overwritten by the next call (`runner.cuda_graph`); progress: wraps an iterable in a progress bar.
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
        """How far fine-tuning has moved each tensor of floating-point numbers."""
        return {key: end - self.start[key] for key, end in self.tuned.items() if end.is_floating_point()}

    @cached_property
    def moved_buffers(self) -> frozenset[str]:
        """Keys of the buffers that fine-tuning has changed; the others, such as constants, do not depend on a share."""
        return frozenset(key for key in self.buffers & self.moved.keys() if bool(self.moved[key].any()))


@dataclass(frozen=True)
class Finished:
    """The weights that a method ends with, and what the record should say about how they came about."""

    state: State
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """Full fine-tuning of all blocks and the head, from the pretrained weights: the baseline.

    `omitted_at_default` names hyperparameters that are no part of a job's identity at their default value
    (`roftbench.config.schema.naming_params`).
    """

    omitted_at_default: ClassVar[tuple[str, ...]] = ()
    fits_on_validation: ClassVar[bool] = False  # True: validation labels are used for gradients, not only to select
    # Part of the keys of a method's jobs where it is set: raised when the definition of this one method changes.
    protocol: ClassVar[int | None] = None

    def stages(self) -> list[Stage]:
        """Return the training phases, each starting from the best weights of the one before; each has its own name."""
        return [Stage("ft")]

    def penalty(self, step: Step) -> Tensor | float:
        """Return what is added to the task loss in every step, already weighted."""
        return 0.0

    def finish(self, fitted: Fitted) -> Finished:
        """Turn the fitted weights into the final ones."""
        return Finished(fitted.tuned)

    def candidates(self, grid: Mapping[str, Any], blocks: Sequence[str]) -> list[Self]:
        """Return one method for each combination of the grid; `blocks` are the encoder's."""
        named = {name: blocks if choices == ENCODER_BLOCKS else choices for name, choices in grid.items()}
        return combinations(self, named)

    @classmethod
    def overrides(cls, hook: str) -> bool:
        """Tell whether this method changes a hook of full fine-tuning."""
        return getattr(cls, hook) is not getattr(Method, hook)


def combinations(method: Any, grid: Mapping[str, Iterable[Any]]) -> list[Any]:
    """Return a copy of a method, a dataclass, for each combination of the values of a grid."""
    return [replace(method, **dict(zip(grid, values, strict=True))) for values in product(*grid.values())]


def head_shrinkage(model: Predictor) -> Tensor:
    """Return ½‖w‖² of the head, which regularizing methods add for the new parameters (docs/protocol.md §4)."""
    squares: Tensor = sum(parameter.square().sum() for parameter in model.head.parameters())  # type: ignore[assignment]
    return 0.5 * squares
