"""Training of one stage: task loss plus penalty, validation after each epoch, a copy of the best weights."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_value_

from roftbench.config.job import FLOAT32, TrainSettings, derive_seed
from roftbench.data.packed import Batch
from roftbench.errors import JobError
from roftbench.methods.adam import Adam, AdamGroups
from roftbench.methods.base import Method, Stage, Step
from roftbench.methods.step_rule import StepRule, Training
from roftbench.models.acceleration import Accelerated, is_sync_free, shared_layers
from roftbench.models.encoder import Nodes, Predictor, State, copy_state
from roftbench.runner.cuda_graph import GraphedCallable
from roftbench.runner.frozen_states import NodeStates
from roftbench.runner.modes import Modes
from roftbench.runner.objective import EVAL_BATCH, Objective
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
                predictions = objective.to_predictions(passes.val_outputs())
                score = objective.scores(predictions, objective.val, [objective.metric.name])[objective.metric.name]
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
    """Put tensors into a model in place inside the block, and those of before afterwards; None: change nothing."""
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
    passes: "Passes", optimizer: Optimizer, objective: Objective, settings: TrainSettings, rule: StepRule
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


def _with_frozen(batch: Batch, index: Tensor, frozen: NodeStates | None) -> Batch:
    """Return a batch of the graphs `index` with the node states of frozen layers, if they are cached."""
    return batch if frozen is None else batch.with_states(frozen(batch, index), frozen.layers)


def _on(device: torch.device, batches: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return indices on the device, moved there in one copy."""
    moved: tuple[Tensor, ...] = torch.cat(list(batches)).to(device).split([len(batch) for batch in batches])
    return moved


class Passes(Protocol):
    """The forward passes of a stage."""

    def train(self) -> None:
        """Set the model, as far as it runs, to training."""

    def eval(self) -> None:
        """Set the model, as far as it runs, to evaluation."""

    def losses(self, batches: Sequence[Tensor]) -> Iterator[Callable[[], Tensor]]:
        """Yield a function that computes the loss, per training batch of indices on the host."""

    def val_outputs(self) -> Tensor:
        """Return the network's outputs for the validation part, without gradient."""


class FullPass:
    """Passes of the whole network, which is in evaluation mode until `train` is called."""

    def __init__(self, modes: Modes, objective: Objective, start: PretrainedModel, method: Method) -> None:
        self.modes, self.model, self.objective, self.start, self.method = modes, modes.model, objective, start, method
        modes.train()
        self._frozen = frozen = self._frozen_states()
        model = modes.model.eval()
        val_batches = list(self._batches(objective.val.split(EVAL_BATCH))) if len(objective.val) else []
        none = objective.targets[:0]
        self._val_outputs = GraphedCallable(
            # Without `self`: a reference cycle would keep GPU memory.
            lambda: torch.cat([none, *(model(_with_frozen(batch, index, frozen)) for batch, index in val_batches)]),
            objective.device,
            recorded=is_sync_free(model.encoder),
        )

    def train(self) -> None:
        """Set the trained parts to training."""
        self.modes.train()

    def eval(self) -> None:
        """Set the whole model to evaluation."""
        self.model.eval()

    def losses(self, batches: Sequence[Tensor]) -> Iterator[Callable[[], Tensor]]:
        """Yield a function that computes the loss, per training batch of indices on the host."""
        for batch, index in self._batches(batches):
            yield partial(self.loss, _with_frozen(batch, index, self._frozen), index)

    def _frozen_states(self) -> NodeStates | None:
        """Return node states of the frozen layers; None without such layers, or with a penalty, which may read all.

        None as well where layers do not stay frozen, or a method has added modules, which may change any of them.
        """
        encoder, objective = self.model.encoder, self.objective
        reads = self.method.overrides("penalty") or self.modes.unfreezes or len(self.model.added) > 0
        if not isinstance(encoder, Accelerated) or reads:
            return None
        if (layers := encoder.frozen_layers()) == 0:
            return None
        return NodeStates.of(objective, torch.cat([objective.train, objective.val]), encoder.run_frozen_layers, layers)

    def _batches(self, groups: Sequence[Tensor]) -> Iterator[tuple[Batch, Tensor]]:
        """Return a batch per group of graphs, and the group's indices on the device."""
        done = self._frozen.layers if self._frozen else 0
        gathered = self.objective.graphs.batches(groups, shared_layers(self.model.encoder), done)
        return zip(gathered, _on(self.objective.device, groups), strict=True)

    def loss(self, batch: Batch, index: Tensor) -> Tensor:
        """Return task loss plus penalty of a training batch, whose graphs are `index`."""
        nodes: Nodes = self.model.encoder(batch)
        z = self.model.encoder.pool(nodes, batch)
        task_loss = self.objective.loss(self.model.head(z), index)
        step = Step(self.model, self.start.state, batch, nodes, z, partial(self.start.features, batch, index))
        return task_loss + self.method.penalty(step)

    def val_outputs(self) -> Tensor:
        """Return the network's outputs for the validation part, without gradient."""
        with torch.no_grad():
            return self._val_outputs()


class HeadOnlyPass:
    """Passes of the head alone, on representations that are computed once, in evaluation mode."""

    def __init__(self, model: Predictor, objective: Objective, start: PretrainedModel) -> None:
        self.head, self.objective = model.head, objective
        model.eval()
        self.z_train, self.z_val = (start.representations(model, index) for index in (objective.train, objective.val))
        # Row in z_train by index in the data set.
        self.row = torch.empty(len(objective.y), dtype=torch.int64)
        self.row[objective.train] = torch.arange(len(objective.train))

    def train(self) -> None:
        """Set the head to training mode."""
        self.head.train()

    def eval(self) -> None:
        """Set the head to evaluation mode."""
        self.head.eval()

    def losses(self, batches: Sequence[Tensor]) -> Iterator[Callable[[], Tensor]]:
        """Yield a function that computes the loss, per training batch of indices on the host."""
        device = self.objective.device
        rows = [self.row[batch] for batch in batches]
        for row, index in zip(_on(device, rows), _on(device, batches), strict=True):
            yield partial(self._loss, row, index)

    def _loss(self, row: Tensor, index: Tensor) -> Tensor:
        return self.objective.loss(self.head(self.z_train[row]), index)

    def val_outputs(self) -> Tensor:
        """Return the outputs on the validation part."""
        with torch.no_grad():
            outputs: Tensor = self.head(self.z_val)
        return outputs
