"""What a method does around the optimizer's steps of a stage, with a state of its own."""

from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor

from roftbench.models.encoder import Predictor, State


@dataclass(frozen=True)
class Training:
    """A stage that begins.

    Attributes:
        model: the predictor that is trained, with the weights from which the stage starts.
        start: a copy of its weights before fine-tuning, under the same keys.
        moving: keys of the parameters and buffers that the stage changes.
        epochs: number of epochs.
    """

    model: Predictor
    start: State
    moving: Collection[str]
    epochs: int

    def encoder_weights(self) -> list[tuple[Tensor, Tensor]]:
        """Return the parameters of the encoder that the stage changes, each with its pretrained value."""
        encoder = self.model.encoder.named_parameters(prefix="encoder")
        return [(now, self.start[key]) for key, now in encoder if key in self.moving]


class StepRule:
    """Base class of rules; a subclass overrides what it needs.

    A rule lives for one stage. Random numbers come from torch's generator, which the stage seeds. It changes tensors in
    place and only those that the stage trains.

    Attributes:
        first_epoch: first epoch that may be chosen as the best one.
    """

    first_epoch: int = 1

    def before_forward(self) -> None:
        """Change the weights with which the next batch is run."""

    def before_update(self) -> None:
        """Change the gradients, which are complete, before they are clipped and the optimizer makes its step."""

    def after_update(self) -> None:
        """Change the weights after the optimizer's step; the gradients are still there."""

    def end_epoch(self, epoch: int) -> None:
        """Act after the last step of an epoch, counted from 1, before validation."""

    def averaged(self) -> State | None:
        """Return what is validated and kept in place of the trained tensors, by key; None for these themselves."""
        return None
