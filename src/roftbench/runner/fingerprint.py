"""Experiments without a network: an estimator per task, fitted to fingerprint features."""

import time
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.components import build
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.console import bar
from roftbench.errors import UsageError
from roftbench.methods.base import combinations
from roftbench.methods.estimator import Estimator, Predict, constant
from roftbench.models.fingerprint import Fingerprint
from roftbench.runner.devices import CPU
from roftbench.runner.experiment import Experiment, FitResult
from roftbench.runner.setup import Setup

CONSTANT = "constant"  # name among the weights of a task without an estimator


class FingerprintExperiment(Experiment):
    """Estimators on features [N, D], on the CPU whatever the job's device."""

    method: Estimator

    def __init__(self, setup: Setup, features: NDArray[Any]) -> None:
        super().__init__(setup)
        self.features = features
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
        if context.run.keep and not setup.method.can_be_kept():
            problem = f"run.keep: method {job.method.name} has no `arrays` or no `restored`, and so cannot be kept"
            raise UsageError(problem, key="run.keep", got=True)
        fingerprint: Fingerprint = build(job.model)
        return cls(setup, fingerprint.features(setup.dataset))

    def words(self) -> dict[str, str]:
        """Return the number of features, and of tasks with and without an estimator."""
        fitted = self.objective.num_tasks - len(self.constants)
        tasks = "1 task" if fitted == 1 else f"{fitted} tasks"
        constants = f", a constant for {len(self.constants)} that have nothing to learn" if self.constants else ""
        return {
            "model": f"{self.job.model.name}: {self.features.shape[1]:,} features per molecule, no network",
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
        began = time.monotonic()
        tasks = bar(range(self.objective.num_tasks), self.job.method.name, "task")
        fitted = [self._fit_task(method, task) for task in tasks]
        self.add_seconds("fit", time.monotonic() - began)
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
        """Return per task its constant, or the arrays of its fitted estimator."""
        found: dict[str, Tensor] = {}
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


def constant_prediction(value: float, x: NDArray[Any]) -> NDArray[np.float64]:
    """Return a value for each row of x [m, D]."""
    return np.full(len(x), value)
