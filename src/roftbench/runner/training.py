"""Training of one stage: task loss plus penalty, validation after each epoch, a copy of the best weights."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_value_

from roftbench.config.job import FLOAT32, TrainSettings, derive_seed
from roftbench.errors import JobError
from roftbench.methods.adam import Adam, AdamGroups
from roftbench.methods.base import Method, Stage
from roftbench.methods.step_rule import StepRule, Training
from roftbench.models.encoder import Predictor, State, copy_state
from roftbench.runner.modes import Modes
from roftbench.runner.objective import Objective
from roftbench.runner.passes import FullPass, HeadOnlyPass, Passes
from roftbench.runner.pretrained import PretrainedModel
from roftbench.runner.stages import is_frozen
from roftbench.store.record_schema import Epoch

Optimizer = Adam | AdamGroups


class Progress(Protocol):
    """Receiver of training progress, such as a progress bar."""

    def epochs(self, name: str, numbers: Iterable[int]) -> Iterable[int]:
        """Wrap the epoch numbers of a stage, in a progress bar for instance."""

    def epoch_done(self, epoch: int, total: int, seconds: float, score: float | None) -> None:
        """Show a finished epoch."""


@dataclass(frozen=True)
class Fit:
    """A fitted stage.

    Attributes:
        state: a copy of the best epoch's weights.
        best_epoch: None for a stage without epochs.
        best_score: validation score of `state`.
        history: all epochs.
        info: details for the record.
    """

    state: State
    best_epoch: int | None
    best_score: float | None
    history: list[Epoch]
    seconds: float
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Best:
    """The best epoch so far: a copy of the weights that training changes, its number and its validation score."""

    moving: State
    epoch: int
    score: float | None


def fit_stage(
    model: Predictor,
    start: PretrainedModel,
    method: Method,
    stage: Stage,
    number: int,
    objective: Objective,
    settings: TrainSettings,
    seed: int,
    progress: Progress,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fit:
    """Train `model` in place for one stage and leave its best weights in it.

    The best epoch is the first with the best validation score, or the last where the score is never defined. All
    random numbers depend on (seed, stage number) alone, so that a stage does not depend on earlier ones.

    `on_epoch` is called after each epoch.

    Raises:
        SkipJob: the model has no such block.
        JobError: the loss is not finite.
    """
    lr, epochs = stage.lr or settings.lr, stage.epochs or settings.epochs
    modes = Modes(model, stage.blocks or list(model.blocks()), settings.frozen_mode, stage)
    optimizer = modes.optimizer(lr, settings.weight_decay)
    modes.train()
    rule = method.step_rule(Training(model, start.state, modes.moving, epochs))
    frozen = is_frozen(stage, method, settings.frozen_mode)
    began = time.monotonic()
    passes: Passes = HeadOnlyPass(model, objective, start) if frozen else FullPass(modes, objective, start, method)
    best: _Best | None = None
    history: list[Epoch] = []
    with seeded(derive_seed(seed, "stage", number), objective.device):
        for epoch in progress.epochs(stage.name, range(1, epochs + 1)):
            epoch_began = time.monotonic()
            modes.epoch = epoch
            passes.train()
            loss = _train_epoch(passes, optimizer, objective, settings, rule)
            if not math.isfinite(loss):
                raise JobError(
                    f"training diverged: the loss is {loss} in epoch {epoch} of stage '{stage.name}'."
                    f" Lower train.lr ({lr:g}) or the method's weight, or check the labels' range."
                )
            rule.end_epoch(epoch)
            passes.eval()
            with replaced(model, rule.averaged()):
                score = objective.val_score(passes.val_outputs())
                if epoch >= rule.first_epoch and _wins(score, best, objective):
                    best = _Best(copy_state(model, modes.moving), epoch, score)
            history.append(Epoch(stage.name, epoch, loss, score))
            on_epoch(history[-1])
            progress.epoch_done(epoch, epochs, time.monotonic() - epoch_began, score)
    if best is None:
        raise ValueError("a stage has at least one epoch that may be the best")
    model.load_state_dict(best.moving, strict=False)
    return Fit(copy_state(model), best.epoch, best.score, history, time.monotonic() - began)


def _wins(score: float | None, best: _Best | None, objective: Objective) -> bool:
    return best is None or objective.metric.better(score, best.score) or (score is None and best.score is None)


@contextmanager
def replaced(model: Predictor, state: State | None) -> Iterator[None]:
    """Put tensors into a model in place and restore the previous ones after the block; None: change nothing."""
    before = None if state is None else copy_state(model, state)
    if state is not None:
        model.load_state_dict(state, strict=False)
    yield
    if before is not None:
        model.load_state_dict(before, strict=False)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block and restore its generators afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _train_epoch(
    passes: Passes, optimizer: Optimizer, objective: Objective, settings: TrainSettings, rule: StepRule
) -> float:
    """Take one step for each mini-batch of the training part; returns the mean loss, penalty included."""
    total = torch.zeros((), device=objective.device)
    batches = shuffled_batches(objective.train, settings.batch_size)
    for loss in passes.losses(batches):
        total += train_step(loss, optimizer, settings.precision, total.device, settings.clip_value, rule)
    return float(total) / len(batches)


def train_step(
    compute_loss: Callable[[], Tensor],
    optimizer: Optimizer,
    precision: str,
    device: torch.device,
    clip_value: float | None = None,
    rule: StepRule = StepRule(),  # noqa: B008 (without state)
) -> Tensor:
    """Take one optimizer step; returns the loss, on its device.

    Args:
        compute_loss: forward pass and loss.
        precision: "bf16" runs them under autocast; weights, optimizer and `NodeStates` stay in float32.
        clip_value: bound of the absolute value of each gradient entry.
        rule: what a method does around the step.
    """
    rule.before_forward()
    with nullcontext() if precision == FLOAT32 else torch.autocast(device.type, torch.bfloat16):
        loss = compute_loss()
    optimizer.zero_grad()
    loss.backward()
    rule.before_update()
    if clip_value is not None:
        clip_grad_value_(optimizer.parameters, clip_value)
    optimizer.step()
    rule.after_update()
    return loss.detach()


def shuffled_batches(index: Tensor, batch_size: int) -> list[Tensor]:
    """Return a permutation of `index` in batches; a single remaining graph joins the last (batch norm needs two)."""
    batches = list(index[torch.randperm(len(index))].split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
