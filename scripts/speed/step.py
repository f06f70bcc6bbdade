"""Training step, epoch and evaluation: ours, the reference, the floor."""

import argparse
from collections.abc import Sequence
from functools import partial
from itertools import chain

import torch
from torch_geometric.data import Batch

from roftbench.config.job import BF16, FLOAT32, TrainSettings
from roftbench.methods.adam import Adam
from roftbench.methods.base import Method
from roftbench.models.acceleration import shared_layers
from roftbench.runner.modes import Modes
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.objective import EVAL_BATCH
from roftbench.runner.passes import FullPass
from roftbench.runner.training import shuffled_batches, train_step
from scripts.speed.floor import Products
from scripts.speed.reference import evaluate_all, task_loss
from scripts.speed.reference_jobs import train_epoch
from scripts.speed.setting import Setting, nodes, reference, say, settings
from scripts.speed.timing import Row, alternate


class Ours:
    """The pieces of full fine-tuning that `fit_stage` puts together."""

    def __init__(self, experiment: NetworkExperiment) -> None:
        self.experiment, self.objective = experiment, experiment.objective
        modes = Modes(experiment.model, list(experiment.model.blocks()), experiment.job.train.frozen_mode)
        self.view = FullPass(modes, experiment.objective, experiment.start, Method())
        self.optimizer = Adam(experiment.model.parameters(), experiment.job.train.lr, fused=True)

    def steps(self, batches: Sequence[torch.Tensor], precision: str = FLOAT32) -> None:
        """Take a step on each batch, and wait for the last."""
        self.experiment.model.train()
        device = self.objective.device
        for loss in self.view.losses(batches):
            last = train_step(loss, self.optimizer, precision, device)
        last.item()

    def epoch(self, settings: TrainSettings) -> None:
        """Train on every batch and score the validation part, as every epoch of a job does."""
        self.steps(shuffled_batches(self.objective.train, settings.batch_size))
        self.experiment.model.eval()
        predictions = self.objective.to_predictions(self.view.val_outputs())
        self.objective.scores(predictions, self.objective.val, [self.objective.metric.name])

    def evaluate(self) -> None:
        """Score all three parts by the primary metric."""
        model = self.experiment.model.eval()
        for index in (self.objective.train, self.objective.val, self.objective.test):
            predictions = self.objective.to_predictions(
                self.objective.outputs(model, index, shared_layers(model.encoder))
            )
            self.objective.scores(predictions, index, [self.objective.metric.name])


def step(arguments: argparse.Namespace) -> list[Row]:
    """A training step, an epoch, an evaluation of all parts; and a step in bf16."""
    repeats, number = (1, 1) if arguments.quick else (7, 10)
    dataset, labels = (
        ("freesolv", "50") if arguments.quick else (arguments.dataset or "esol", arguments.labels or "500")
    )
    with settings(dataset, labels) as setting:
        say(f"step, epoch, evaluation on {setting}")
        return [*_steps(setting, repeats, number), *_epochs(setting, repeats)]


def _steps(setting: Setting, repeats: int, number: int) -> list[Row]:
    """Time `number` steps on one batch of 32, so that all variants see the same shapes."""
    experiment = setting.experiment()
    ours, floor, (model, parts) = Ours(experiment), Products(), reference(experiment)
    index = experiment.objective.train[: experiment.job.train.batch_size]
    rows = nodes(experiment, index, len(index))[0]
    optimizer = torch.optim.Adam(model.parameters(), lr=experiment.job.train.lr)
    graphs = parts[0].dataset[: len(index)]

    def textbook() -> None:
        model.train()
        for _ in range(number):
            batch = Batch.from_data_list(graphs)
            optimizer.zero_grad()
            loss = task_loss(experiment.objective.task, model(batch), batch.y)
            loss.backward()
            optimizer.step()
            loss.item()

    def products() -> None:
        for _ in range(number):
            floor.step(rows)

    times = alternate(
        {
            "ours": partial(ours.steps, [index] * number),
            "reference": textbook,
            "floor": products,
            BF16: partial(ours.steps, [index] * number, BF16),
        },
        repeats,
    )
    each = {name: span / number for name, span in times.items()}
    name = f"training step, {len(index)} molecules, {rows} atoms"
    return [
        Row(name, each["ours"], each["reference"], each["floor"], "≤ 1.4 × floor"),
        Row("the same with train.precision=bf16", each[BF16], each["reference"], each["floor"]),
    ]


def _epochs(setting: Setting, repeats: int) -> list[Row]:
    experiment = setting.experiment()
    objective, train = experiment.objective, experiment.job.train
    ours, floor, (model, parts) = Ours(experiment), Products(), reference(experiment)
    optimizer = torch.optim.Adam(model.parameters(), lr=train.lr)
    training = nodes(experiment, objective.train, train.batch_size)
    large = [nodes(experiment, part, EVAL_BATCH) for part in (objective.train, objective.val, objective.test)]

    def textbook() -> None:
        train_epoch(model, optimizer, parts[0], objective.task)
        evaluate_all(model, parts, objective.task)

    epoch = alternate(
        {
            "ours": partial(ours.epoch, train),
            "reference": textbook,
            "floor": partial(floor.epoch, training, large[1]),
        },
        repeats,
    )
    evaluation = alternate(
        {
            "ours": ours.evaluate,
            "reference": partial(evaluate_all, model, parts, objective.task),
            "floor": partial(floor.epoch, [], [*chain.from_iterable(large)]),
        },
        repeats,
    )
    return [
        Row(name, times["ours"], times["reference"], times["floor"])
        for name, times in ((f"full_ft epoch, {setting}", epoch), (f"evaluation of all parts, {setting}", evaluation))
    ]
