"""Several fits within a job, and the `Fitted` from which a method makes its final weights."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from msgspec import structs
from torch import Tensor
from torch.func import functional_call

from roftbench.config.job import derive_seed
from roftbench.console import bar
from roftbench.methods.base import Finished, Fitted, Fold, Member, Method
from roftbench.models.acceleration import is_sync_free, shared_layers
from roftbench.models.encoder import State
from roftbench.models.statistics import DifferentiableStatistics
from roftbench.runner.cuda_graph import GraphedCallable
from roftbench.runner.experiment import FitResult
from roftbench.runner.objective import Objective
from roftbench.runner.stages import needed
from roftbench.store.record_schema import BaseResult, Count

if TYPE_CHECKING:
    from roftbench.runner.network import NetworkExperiment


class Tuned(NamedTuple):
    """The final weights of a network.

    Attributes:
        state: a state dict.
        extended_by: the method that has extended the network; None for the network as it was loaded.
        others: more state dicts, whose predictions are averaged with those of `state`.
    """

    state: State
    extended_by: Method | None = None
    others: tuple[State, ...] = ()


def fit_members(experiment: "NetworkExperiment", method: Method, members: Sequence[Member]) -> FitResult:
    """Fit the members of a method and combine their weights, or keep them all: their predictions are averaged.

    The stages and epochs of member i are recorded as "STAGE i", from 1.
    """
    own = [experiment.member(one) for one in members]
    results = [each.fit(one.method) for each, one in zip(own, members, strict=True)]
    states = [one.fitted.state for one in results]
    finished = Finished(states[0])
    if method.overrides("combine"):
        last = needed(experiment.job, method, experiment.device.type)[-1]
        fits = [each.given(state) for each, state in zip(own, states, strict=True)]
        finished = experiment.finished(lambda: method.combine(fits), last if method.fits_on_validation else None)
        states = [finished.state]
    numbered = list(enumerate(results, 1))
    return FitResult(
        Tuned(states[0], others=tuple(states[1:])),
        finished.info.get("best_epoch"),
        [structs.replace(stage, name=f"{stage.name} {i}") for i, one in numbered for stage in one.stages],
        [structs.replace(epoch, stage=f"{epoch.stage} {i}") for i, one in numbered for epoch in one.history],
        _best(experiment, results, members),
        finished.info,
        sum(one.trained_parameters or 0 for one in results[: len(states)]),
    )


def _best(experiment: "NetworkExperiment", results: Sequence[FitResult], members: Sequence[Member]) -> BaseResult:
    """Return the scores of the member with the best validation score, of those that do not train on it."""
    better, name = experiment.objective.metric.better, experiment.objective.metric.name
    best: BaseResult | None = None
    for one, member in zip(results, members, strict=True):
        if member.fold is None or not member.fold.training:
            val, test = experiment.scores(one.fitted)[:2]
            if best is None or better(val[name], best.val[name]):
                best = BaseResult("best member", val, test, one.best_epoch)
    assert best is not None
    return best


def counted(experiment: "NetworkExperiment", count: Count) -> Count:
    """Return the number of labels per use where members keep labels from their fits."""
    folds = [one.fold for one in experiment.method.members() if one.fold is not None]
    if not folds:
        return count
    objective = experiment.objective
    held_out = torch.cat([divided(objective, fold, experiment.job.seed)[1] for fold in folds])
    learned, val = (int((~np.isnan(objective.y[index.numpy()])).sum()) for index in (held_out, objective.val))
    selects = val if folds[0].training else val - learned
    return structs.replace(count, labels=structs.replace(count.labels, selection=selects, interpolation=learned))


def divided(objective: Objective, fold: Fold, seed: int) -> tuple[Objective, Tensor]:
    """Return an objective without the labels of a fold, and the indices of the fold; see `Fold`."""
    pool = torch.cat([objective.train, objective.val]) if fold.training else objective.val
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(derive_seed(seed, "fold")))
    chosen = torch.zeros(len(pool), dtype=torch.bool)
    chosen[order[fold.number :: fold.parts]] = True
    rest = pool[~chosen]
    train, val = (rest, rest[:0]) if fold.training else (objective.train, rest)
    return replace(objective, train=train, val=val), pool[chosen]


def fitted_for(experiment: "NetworkExperiment", tuned: State) -> Fitted:
    """Return the fit, with its validation losses and scores, from which a method makes its final weights."""
    model, objective = experiment.model.eval().requires_grad_(False), experiment.objective
    size, shared, held_out = experiment.job.train.batch_size, shared_layers(model.encoder), experiment.held_out
    index = held_out.to(experiment.device).split(size)
    small = list(objective.graphs.batches(held_out.split(size), shared))
    large = list(objective.eval_batches(objective.val, shared)) if len(objective.val) else []

    def val_loss(state: State, number: int) -> Tensor:
        with DifferentiableStatistics():
            outputs = functional_call(model, state, (small[number],))
        return objective.loss(outputs, index[number])

    def val_score(state: State) -> float | None:
        if not large:
            return None
        with torch.no_grad():
            return objective.val_score(torch.cat([functional_call(model, state, (batch,)) for batch in large]))

    return Fitted(
        start=experiment.start.state,
        tuned=tuned,
        block_of=model.keys_of_blocks(),
        buffers=frozenset(name for name, _ in model.named_buffers()),
        encoder_blocks=list(model.encoder.blocks()),
        num_val_batches=len(small),
        val_loss=val_loss,
        val_score=val_score,
        better=objective.metric.better,
        device=experiment.device,
        repeated=partial(GraphedCallable, device=experiment.device, recorded=is_sync_free(model.encoder)),
        progress=lambda numbers: bar(numbers, experiment.job.method.name),
    )
