"""The forward passes of a stage: of the whole network, or of its head on representations that are computed once."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.methods.base import Method, Step
from roftbench.models.acceleration import Accelerated, is_sync_free, shared_layers
from roftbench.models.encoder import Nodes, Predictor
from roftbench.runner.cuda_graph import GraphedCallable
from roftbench.runner.frozen_states import NodeStates
from roftbench.runner.modes import Modes
from roftbench.runner.objective import EVAL_BATCH, Objective
from roftbench.runner.pretrained import PretrainedModel


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
        """Set the parts of the model that run to training mode."""

    def eval(self) -> None:
        """Set the parts of the model that run to evaluation mode."""

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
