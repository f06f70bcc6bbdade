"""A linear head at its optimum: ridge or logistic regression on the representations of a frozen encoder."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn

from roftbench.errors import JobError, SkipJob
from roftbench.methods.estimator import constant
from roftbench.methods.kernels import standardization
from roftbench.metrics import evaluate
from roftbench.models.encoder import Predictor, copy_state
from roftbench.runner.objective import Objective
from roftbench.runner.pretrained import PretrainedModel
from roftbench.runner.training import Fit

PENALTIES = tuple(10.0 ** (power / 2) for power in range(10, -7, -1))  # 1e5 to 1e-3; the first of equal scores wins
NO_CHOICE = 1.0  # scikit-learn's default, used where the validation score is undefined
CERTAIN = 20.0  # logit where all labels are of one class: a probability of 1 - 2e-9

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Linear:
    """Linear model x @ weight + bias of standardized features x [n, d], and its penalty; None for a constant."""

    weight: Array
    bias: float
    penalty: float | None = None


@dataclass(frozen=True)
class _Task:
    """One prediction task: standardized features and known labels of the training and the validation part."""

    kind: str
    metric: str
    x: Array
    y: Array
    x_val: Array
    y_val: Array

    def fitted(self, penalty: float) -> _Linear:
        """Fit the training labels, in their unit or as logits."""
        from sklearn.linear_model import LogisticRegression, Ridge  # the import takes a second

        if self.kind == "regression":
            ridge = Ridge(alpha=penalty).fit(self.x, self.y)
            return _Linear(ridge.coef_, float(ridge.intercept_), penalty)
        model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-10, max_iter=1000)
        model.fit(self.x, self.y)
        return _Linear(model.coef_[0], float(model.intercept_[0]), penalty)

    def score(self, linear: _Linear) -> float | None:
        """Return the validation score, None where the labels do not define it."""
        outputs = self.x_val @ linear.weight + linear.bias
        predictions = expit(outputs) if self.kind == "classification" else outputs
        return evaluate(self.kind, self.y_val[:, None], predictions[:, None], [self.metric])[self.metric]


def fit_converged(model: Predictor, start: PretrainedModel, objective: Objective, targets: Sequence[str]) -> Fit:
    """Fit the head in `model` to its optimum; the encoder is in evaluation mode and does not change.

    Features are standardized over the training molecules (`roftbench.methods.kernels.standardization`). Each task is
    fitted to the training molecules that have its label: regression by scikit-learn's `Ridge(alpha=penalty)`,
    classification by `LogisticRegression(C=1/penalty)`, with an unpenalized intercept. The penalty is the one in
    `PENALTIES` with the best validation score, the strongest of equal ones, or `NO_CHOICE` where the score is
    undefined. A task with nothing to learn gets a constant (`roftbench.methods.estimator.constant`). The weights are
    converted to those of an ordinary head on unstandardized features. Nothing is random. `info` of the fit holds the
    `penalty` per task, None for a constant.

    Raises:
        SkipJob: the model's head is not linear.
        JobError: a representation is not finite.
    """
    head, began = model.head, time.monotonic()
    if not isinstance(head, nn.Linear):
        raise SkipJob(f"method.head=converged fits linear heads, and that of {type(model.encoder).__name__} is not one")
    model.eval()
    features = [
        start.representations(model, index).double().cpu().numpy() for index in (objective.train, objective.val)
    ]
    if not all(np.isfinite(part).all() for part in features):
        raise JobError("the representations are not all finite numbers: a converged head cannot be fitted to them")
    mean, std = standardization(features[0])
    x, x_val = ((part - mean) / std for part in features)
    y, y_val = objective.y[objective.train.numpy()], objective.y[objective.val.numpy()]
    fits = []
    for task in range(objective.num_tasks):
        known, known_val = ~np.isnan(y[:, task]), ~np.isnan(y_val[:, task])
        parts = (x[known], y[known, task], x_val[known_val], y_val[known_val, task])
        fits.append(_fit_task(_Task(objective.task, objective.metric.name, *parts), objective))
    weight = np.stack([one.weight for one in fits]) / (std * objective.scale[:, None])
    bias = (np.array([one.bias for one in fits]) - objective.offset) / objective.scale
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        rounded = head.weight.double().cpu().numpy()  # the bias compensates rounding at the mean
        head.bias.copy_(torch.from_numpy(bias - rounded @ mean))
    score = objective.val_score(start.outputs(model, objective.val))
    info: dict[str, Any] = {"penalty": {name: one.penalty for name, one in zip(targets, fits, strict=True)}}
    return Fit(copy_state(model), None, score, [], time.monotonic() - began, info)


def _fit_task(task: _Task, objective: Objective) -> _Linear:
    value = constant(task.y, task.kind)
    if value is not None:
        logit = CERTAIN * (2 * value - 1) if task.kind == "classification" else value
        return _Linear(np.zeros(task.x.shape[1]), logit)
    best, best_score = None, None
    for penalty in PENALTIES:
        linear = task.fitted(penalty)
        score = task.score(linear) if len(task.y_val) else None
        if objective.metric.better(score, best_score):
            best, best_score = linear, score
    return best or task.fitted(NO_CHOICE)
