"""Metrics and training losses of regression and classification, with missing labels (NaN) and several tasks."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

REGRESSION_LOSSES = ("rmse", "mse", "mae", "huber")
DEFAULT_LOSS = {"regression": "rmse", "classification": "bce"}
BoolArray = npt.NDArray[np.bool_]
AnyFloat = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Columns:
    """The n labeled entries of the C prediction tasks that have labels, column by column.

    Missing labels cost nothing and no Python runs per column: ToxCast has 617, which are scored after every epoch.

    Attributes:
        y: Labels, [n].
        prediction: Predictions, [n].
        count: Number of entries of each column, [C].
        start: Index of the first entry of each column, [C].
    """

    y: FloatArray
    prediction: FloatArray
    count: IntArray
    start: IntArray

    @classmethod
    def create(cls, y: AnyFloat, prediction: AnyFloat) -> "Columns":
        """Return the labeled entries of `y` and `prediction` [N, T] in float64."""
        labeled = ~np.isnan(y.T)
        count = labeled.sum(axis=1, dtype=np.int64)
        count = count[count > 0]
        flat_y, flat_prediction = (matrix.T[labeled].astype(np.float64, copy=False) for matrix in (y, prediction))
        return cls(flat_y, flat_prediction, count, np.cumsum(count) - count)

    @cached_property
    def contrast(self) -> BoolArray:
        """Whether a column's labels hold two different values, [C]; for 0/1 labels: both classes."""
        return np.minimum.reduceat(self.y, self.start) < np.maximum.reduceat(self.y, self.start)

    def sum(self, values: FloatArray) -> FloatArray:
        """Return the sums of `values` [n] over each column, [C]."""
        return np.add.reduceat(values, self.start)

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the means of `values` [n] over each column, [C]."""
        return self.sum(values) / self.count

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return `values` [C] repeated for the entries of each column, [n]."""
        return np.repeat(values, self.count)

    def sort(self, values: FloatArray) -> tuple[IntArray, IntArray]:
        """Sort `values` [n] within each column; equal values of a column form a run.

        Returns:
            The order [n], such that values[order] ascends in each column, and the positions in it where runs begin.
        """
        # One row per column, padded with infinity, so that NumPy sorts all rows in one call.
        inside = np.arange(self.count.max(initial=0)) < self.count[:, None]
        padded = np.full(inside.shape, np.inf)
        padded[inside] = values
        order = np.argsort(padded, axis=1)[inside] + self.spread(self.start)
        begins = np.append(True, values[order[1:]] != values[order[:-1]])
        begins[self.start] = True
        return order, np.flatnonzero(begins)

    @cached_property
    def sorted_by_prediction(self) -> tuple[IntArray, IntArray]:
        """Order and runs of the predictions, which several metrics need."""
        return self.sort(self.prediction)

    def ranks(self, order: IntArray, runs: IntArray) -> FloatArray:
        """Return the rank of each entry in its column from the results of `sort`, 1 the lowest; ties share the mean."""
        size = np.diff(runs, append=len(order))
        ranks = np.empty(len(order))
        ranks[order] = np.repeat(runs + (size + 1) / 2, size) - self.spread(self.start)
        return ranks


@dataclass(frozen=True)
class Metric:
    """A score of a prediction task; `function` returns that of every column, [C], any value where it is undefined."""

    name: str
    task: str
    higher_is_better: bool
    function: Callable[[Columns], FloatArray]

    def better(self, a: float | None, b: float | None) -> bool:
        """Whether score `a` is strictly better than `b`; None (undefined) is worse than any number."""
        if a is None or b is None:
            return a is not None and b is None
        return a > b if self.higher_is_better else a < b


def _mse(columns: Columns) -> FloatArray:
    return columns.mean((columns.prediction - columns.y) ** 2)


def _rmse(columns: Columns) -> FloatArray:
    return np.sqrt(_mse(columns))


def _mae(columns: Columns) -> FloatArray:
    return columns.mean(np.abs(columns.prediction - columns.y))


def _r2(columns: Columns) -> FloatArray:
    deviation = columns.y - columns.spread(columns.mean(columns.y))
    return 1 - columns.sum((columns.prediction - columns.y) ** 2) / columns.sum(deviation**2)


def _spearman(columns: Columns) -> FloatArray:
    middle = columns.spread((columns.count + 1) / 2)
    a = columns.ranks(*columns.sort(columns.y)) - middle
    b = columns.ranks(*columns.sorted_by_prediction) - middle
    return columns.sum(a * b) / np.sqrt(columns.sum(a**2) * columns.sum(b**2))


def _roc_auc(columns: Columns) -> FloatArray:
    positives = columns.sum(columns.y)
    ranks = columns.ranks(*columns.sorted_by_prediction)
    above = columns.sum(ranks * columns.y) - positives * (positives + 1) / 2
    return above / (positives * (columns.count - positives))


def _average_precision(columns: Columns) -> FloatArray:
    order, runs = columns.sorted_by_prediction
    y = columns.y[order]
    # A run is one threshold: all entries from its beginning to the end of the column are predicted positive.
    end = columns.spread(columns.start + columns.count)[runs]
    hits = np.append(0.0, np.cumsum(y))
    precision = np.repeat((hits[end] - hits[runs]) / (end - runs), np.diff(runs, append=len(y)))
    return columns.sum(y * precision) / columns.sum(y)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rmse", "regression", False, _rmse),
        Metric("mae", "regression", False, _mae),
        Metric("r2", "regression", True, _r2),
        Metric("spearman", "regression", True, _spearman),
        Metric("roc_auc", "classification", True, _roc_auc),
        Metric("average_precision", "classification", True, _average_precision),
        Metric("brier", "classification", False, _mse),
    )
}
_NEEDS_CONTRAST = frozenset({"r2", "spearman", "roc_auc", "average_precision"})


def names_of(task: str) -> list[str]:
    """Return the names of a task's metrics."""
    return [metric.name for metric in METRICS.values() if metric.task == task]


def evaluate(
    task: str, y: AnyFloat, prediction: AnyFloat, names: Collection[str] | None = None
) -> dict[str, float | None]:
    """Return the metrics of `task`, averaged over the prediction tasks (columns) in which the labels define them.

    RMSE, MAE and Brier score need one label, R² and Spearman two different labels, ROC-AUC and average precision both
    classes. A score is None if no column defines it, or if a defined one is not finite (Spearman of a constant
    prediction, an overflow): without that column, a failed model would be averaged over easier tasks than others.

    Args:
        task: "regression" or "classification".
        y: Labels, NaN = missing, 0 or 1 in classification, [N, T].
        prediction: Values in the unit of the labels, or probabilities in [0, 1], [N, T].
        names: Metrics to compute, None for all of the task.

    Raises:
        ValueError: The task or a metric is unknown, shapes differ or are not 2-D, labels are infinite or not 0 and 1 in
            classification, or predictions of labeled entries are not finite, or outside [0, 1] in classification.
    """
    _check_labels(task, y)
    known = names_of(task)
    if unknown := [name for name in names or () if name not in known]:
        raise ValueError(f"{unknown[0]!r} is no metric of {task}; one of {', '.join(known)}")
    if y.shape != prediction.shape:
        raise ValueError(f"y {y.shape} and prediction {prediction.shape} must have the same shape [N, T]")
    _check_predictions(task, ~np.isnan(y), prediction)
    columns = Columns.create(y, prediction)
    return {name: _mean_over_columns(METRICS[name], columns) for name in (known if names is None else names)}


def column_scores(name: str, y: AnyFloat, prediction: AnyFloat) -> FloatArray:
    """Return a metric of every column of labels and predictions, without a check of either.

    Args:
        name: Metric.
        y: Labels, NaN = missing, [N, C].
        prediction: Predictions, [N, C].

    Returns:
        Scores, [C]; NaN where the labels do not define one.
    """
    columns, metric = Columns.create(y, prediction), METRICS[name]
    found = np.full(y.shape[1], np.nan)
    with np.errstate(all="ignore"):
        scores = metric.function(columns)
    found[~np.isnan(y).all(axis=0)] = np.where(columns.contrast, scores, np.nan) if name in _NEEDS_CONTRAST else scores
    return found


def undefined_tasks(task: str, y: AnyFloat) -> int:
    """Return the number of columns of `y` [N, T] (NaN = missing) without a primary metric.

    These are columns without both classes (no ROC-AUC) in classification and columns without a label (no RMSE) in
    regression.

    Raises:
        ValueError: As `evaluate`, for the task and the labels.
    """
    _check_labels(task, y)
    if task == "regression":
        return int(np.isnan(y).all(axis=0).sum())
    return int(np.sum(~((y == 0).any(axis=0) & (y == 1).any(axis=0))))


def _mean_over_columns(metric: Metric, columns: Columns) -> float | None:
    defined = columns.contrast if metric.name in _NEEDS_CONTRAST else columns.count > 0
    if not defined.any():
        return None
    with np.errstate(all="ignore"):
        mean = float(np.mean(metric.function(columns)[defined]))
    return mean if np.isfinite(mean) else None


def _check_labels(task: str, y: AnyFloat) -> None:
    tasks = sorted({metric.task for metric in METRICS.values()})
    if task not in tasks:
        raise ValueError(f"unknown task {task!r}; one of {', '.join(tasks)}")
    if y.ndim != 2:
        raise ValueError(f"y must have the shape [N, T], not {y.shape}")
    if np.isinf(y).any():
        raise ValueError("y holds infinite labels; a missing label is NaN")
    if task == "classification" and not ((y == 0) | (y == 1) | np.isnan(y)).all():
        raise ValueError("classification labels must be 0, 1 or NaN (missing)")


def _check_predictions(task: str, labeled: BoolArray, prediction: AnyFloat) -> None:
    bad = labeled & ~np.isfinite(prediction)
    if bad.any():
        t = int(bad.any(axis=0).argmax())
        raise ValueError(f"{bad[:, t].sum()} of {labeled[:, t].sum()} predictions of task {t} are NaN or infinite")
    if task == "classification":
        bad = labeled & ((prediction < 0) | (prediction > 1))
        if bad.any():
            t = int(bad.any(axis=0).argmax())
            raise ValueError(f"predictions of task {t} must be probabilities in [0, 1], not logits")


def masked_loss(name: str) -> "Callable[[Tensor, Tensor], Tensor]":
    """Return loss(outputs [B, T], y [B, T]) -> scalar, the mean over the labels of a batch; 0 without any label.

    `rmse` is the root of the batch's mean squared error (the paper's loss); `bce` takes logits and labels 0/1.
    """
    import torch  # here, as the import takes seconds and most commands need only the names of losses
    import torch.nn.functional as F

    functions: dict[str, Callable[..., Tensor]] = {
        "rmse": F.mse_loss,
        "mse": F.mse_loss,
        "mae": F.l1_loss,
        "huber": F.smooth_l1_loss,
        "bce": F.binary_cross_entropy_with_logits,
    }
    elementwise = functions[name]

    def loss(outputs: "Tensor", y: "Tensor") -> "Tensor":
        present = ~torch.isnan(y)
        values = elementwise(outputs, torch.where(present, y, 0.0), reduction="none")
        mean = torch.where(present, values, 0.0).sum() / present.sum().clamp_min(1)
        # The root's gradient at zero error is infinite; the guard makes it zero. NaN stays: training has diverged.
        return torch.where(mean == 0, 0.0, mean.clamp_min(1e-20).sqrt()) if name == "rmse" else mean

    return loss
