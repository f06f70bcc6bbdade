"""Experiments that train no network: an estimator per task, fitted to a fingerprint or to embeddings."""

import time
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.components import build
from roftbench.config.environment import RunContext
from roftbench.config.job import NETWORK, Job
from roftbench.console import bar
from roftbench.formatting import counted
from roftbench.methods.base import combinations
from roftbench.methods.estimator import Estimator, Predict, constant, constant_prediction
from roftbench.models.encoder import Encoder
from roftbench.models.fingerprint import Fingerprint
from roftbench.runner.devices import CPU, choose_device
from roftbench.runner.embeddings import embeddings
from roftbench.runner.experiment import Experiment, FitResult
from roftbench.runner.loading import load_encoder
from roftbench.runner.setup import Setup

CONSTANT = "constant"  # name among the weights of a task without an estimator
ENCODER = "encoder"  # prefix of the weights of the encoder whose embeddings are the features


class EstimatorExperiment(Experiment):
    """Estimators on features [N, D]: a fingerprint, or embeddings of a frozen encoder, which alone use the device."""

    method: Estimator

    def __init__(self, setup: Setup, features: NDArray[Any], encoder: Encoder | None = None) -> None:
        super().__init__(setup)
        self.features = features
        self.encoder = encoder  # whose embeddings they are, where the model is to be saved
        self.labels = [y[~np.isnan(y)] for y in self.dataset.y[self.parts.train].T]  # per task, without missing ones
        constants = [constant(y, self.objective.task) for y in self.labels]
        self.constants = {t: value for t, value in enumerate(constants) if value is not None}
        if self.constants and self.objective.task == "regression":
            count = f"{len(self.constants)} of {len(constants)} tasks"
            self.warnings.append(f"the train part has no label in {count}: 0 is predicted there")

    @classmethod
    def load(cls, job: Job, context: RunContext) -> Self:
        """Load data and method of a job and compute its features; raises as `Experiment.load` does."""
        setup = Setup.load(job, context, CPU)
        if job.model.kind == NETWORK:
            features = embeddings(job, context, setup.dataset, choose_device(context.run.device))
            return cls(setup, features, load_encoder(job, context) if context.run.keep is True else None)
        fingerprint: Fingerprint = build(job.model)
        return cls(setup, fingerprint.features(setup.dataset))

    def words(self) -> dict[str, str]:
        """Return the number of features, and of tasks with and without an estimator."""
        fitted = self.objective.num_tasks - len(self.constants)
        kind = "features of the frozen encoder" if self.job.model.kind == NETWORK else "features"
        tasks = counted(fitted, "task")
        constants = (
            f", a constant for {counted(len(self.constants), 'task')} with nothing to learn" if self.constants else ""
        )
        return {
            "model": f"{self.job.model.name}: {self.features.shape[1]:,} {kind} per molecule",
            "training": f"one fit per candidate and task, without epochs: {tasks}{constants}",
        }

    @property
    def selects(self) -> bool:
        """True for a grid with several candidates."""
        return len(self.candidates()) > 1

    def candidates(self) -> list[Any]:
        """Return the estimators of the grid, or the single one of the job."""
        return combinations(self.method, self.job.method.grid) if self.job.method.search else [self.method]

    def fit(self, method: Estimator) -> FitResult:
        """Fit each task to the training molecules that have its label."""
        began, cpu = time.monotonic(), time.process_time()
        tasks = bar(range(self.objective.num_tasks), self.job.method.name, "task")
        fitted = [self._fit_task(method, task) for task in tasks]
        self.add_seconds("fit", time.monotonic() - began, time.process_time() - cpu)
        constants = {self.dataset.targets[task]: value for task, value in self.constants.items()}
        info = {"constants": constants} if constants else {}
        return FitResult(fitted, info=info)

    def _fit_task(self, method: Estimator, task: int) -> Predict:
        if task in self.constants:
            return partial(constant_prediction, self.constants[task])
        train = self.parts.train
        x = self.features[train[~np.isnan(self.dataset.y[train, task])]]
        threads = torch.get_num_threads()
        return method.fit(x, self.labels[task], self.objective.task, seed=self.job.seed, threads=threads)

    def weights(self) -> dict[str, Tensor]:
        """Return per task its constant, or the arrays of its fitted estimator; and the weights of the encoder."""
        state = {} if self.encoder is None else self.encoder.state_dict()
        found: dict[str, Tensor] = {f"{ENCODER}.{name}": tensor.contiguous() for name, tensor in state.items()}
        for task, predict in enumerate(self.chosen):
            if task in self.constants:
                arrays = {CONSTANT: np.array([self.constants[task]])}
            else:
                arrays = self.method.arrays(predict)
            found |= {f"{task}.{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        return found

    def predict(self, fitted: list[Predict], index: Tensor) -> NDArray[np.float64]:
        """Return the predictions of all tasks, one column each."""
        if len(index) == 0:
            return np.empty((0, len(fitted)))
        x = self.features[index.numpy()]
        return np.column_stack([predict(x) for predict in fitted])
