"""The metrics of both tasks, for labels with gaps (NaN) and any number of prediction tasks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A score of one prediction task: `function(y [n], prediction [n])`, without missing labels."""

    name: str
    task: str
    higher_is_better: bool
    function: Callable[[FloatArray, FloatArray], float]

    def better(self, a: float | None, b: float | None) -> bool:
        """Whether score `a` is strictly better than `b`; None (undefined) is worse than any number."""
        if a is None or b is None:
            return a is not None and b is None
        return a > b if self.higher_is_better else a < b


def _rmse(y: FloatArray, prediction: FloatArray) -> float:
    return float(np.sqrt(np.mean((prediction - y) ** 2)))


def _mae(y: FloatArray, prediction: FloatArray) -> float:
    return float(np.mean(np.abs(prediction - y)))


def _r2(y: FloatArray, prediction: FloatArray) -> float:
    return float(1 - np.sum((prediction - y) ** 2) / np.sum((y - y.mean()) ** 2))


def _spearman(y: FloatArray, prediction: FloatArray) -> float:
    return float(np.corrcoef(rankdata(y), rankdata(prediction))[0, 1])


# ROC-AUC and average precision are written out because scikit-learn's checks cost a millisecond a call: on
# ToxCast's 617 tasks that is seconds an epoch. The tests compare both with scikit-learn's.
def _roc_auc(y: FloatArray, prediction: FloatArray) -> float:
    positives = np.sum(y)
    negatives = len(y) - positives
    above = np.sum(rankdata(prediction)[y == 1]) - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def _average_precision(y: FloatArray, prediction: FloatArray) -> float:
    order = np.argsort(-prediction)
    # Equal predictions are one threshold: only the last position of each run counts.
    last = np.append(np.flatnonzero(np.diff(prediction[order])), len(y) - 1)
    hits = np.cumsum(y[order])[last]
    return float(np.sum(hits / (last + 1) * np.diff(hits, prepend=0.0)) / hits[-1])


def _brier(y: FloatArray, prediction: FloatArray) -> float:
    return float(np.mean((prediction - y) ** 2))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rmse", "regression", False, _rmse),
        Metric("mae", "regression", False, _mae),
        Metric("r2", "regression", True, _r2),
        Metric("spearman", "regression", True, _spearman),
        Metric("roc_auc", "classification", True, _roc_auc),
        Metric("average_precision", "classification", True, _average_precision),
        Metric("brier", "classification", False, _brier),
    )
}
_NEEDS_CONTRAST = frozenset({"r2", "spearman", "roc_auc", "average_precision"})


def evaluate(
    task: str, y: npt.NDArray[np.floating[Any]], prediction: npt.NDArray[np.floating[Any]]
) -> dict[str, float | None]:
    """Every metric of `task`, averaged over the prediction tasks (columns) in which the labels define it.

    `y` [N, T]: labels, NaN = missing (classification: 0 or 1). `prediction` [N, T]: values in the units of
    the labels, or probabilities in [0, 1]. RMSE, MAE and Brier score need one label; R² and Spearman need two
    different labels; ROC-AUC and average precision need both classes. A score is None when no column defines
    it, or when one that the labels define is not a finite number (Spearman of a constant prediction, an
    overflow): leaving that column out would let a failed model be averaged over easier tasks than its rivals.

    Raises ValueError for an unknown task, shapes that differ or are not 2-D, infinite labels, labels other
    than 0 and 1 in classification, and predictions at labelled places that are not finite, or in
    classification outside [0, 1].
    """
    _check_labels(task, y)
    if y.shape != prediction.shape:
        raise ValueError(f"y {y.shape} and prediction {prediction.shape} must have the same shape [N, T]")
    columns = []
    for t in range(y.shape[1]):
        labelled = ~np.isnan(y[:, t])
        columns.append((y[labelled, t].astype(np.float64), prediction[labelled, t].astype(np.float64)))
        _check_predictions(task, columns[-1][1], t)
    return {m.name: _mean_over_tasks(m, columns) for m in METRICS.values() if m.task == task}


def undefined_tasks(task: str, y: npt.NDArray[np.floating[Any]]) -> int:
    """How many columns of `y` [N, T] (NaN = missing) have no primary metric.

    Classification: not both classes among the labels (no ROC-AUC). Regression: no label (no RMSE).
    Raises ValueError as `evaluate` does for the task and the labels.
    """
    _check_labels(task, y)
    labels = [column[~np.isnan(column)] for column in y.T]
    if task == "regression":
        return sum(column.size == 0 for column in labels)
    return sum(not _has_contrast(column) for column in labels)


def _mean_over_tasks(metric: Metric, columns: list[tuple[FloatArray, FloatArray]]) -> float | None:
    needs_contrast = metric.name in _NEEDS_CONTRAST
    with np.errstate(all="ignore"):
        scores = [
            metric.function(y, prediction)
            for y, prediction in columns
            if (_has_contrast(y) if needs_contrast else y.size)
        ]
        mean = float(np.mean(scores)) if scores else np.nan
    return mean if np.isfinite(mean) else None


def _has_contrast(y: npt.NDArray[np.floating[Any]]) -> bool:
    """Whether the labels (no NaN) hold two different values; for 0/1 labels: both classes."""
    return y.size > 0 and bool(y.min() < y.max())


def _check_labels(task: str, y: npt.NDArray[np.floating[Any]]) -> None:
    tasks = sorted({metric.task for metric in METRICS.values()})
    if task not in tasks:
        raise ValueError(f"unknown task {task!r}; one of {', '.join(tasks)}")
    if y.ndim != 2:
        raise ValueError(f"y must have the shape [N, T], not {y.shape}")
    if np.isinf(y).any():
        raise ValueError("y holds infinite labels; a missing label is NaN")
    if task == "classification" and not np.isin(y[~np.isnan(y)], (0, 1)).all():
        raise ValueError("classification labels must be 0, 1 or NaN (missing)")


def _check_predictions(task: str, prediction: FloatArray, column: int) -> None:
    bad = int(np.sum(~np.isfinite(prediction)))
    if bad:
        raise ValueError(f"{bad} of {prediction.size} predictions of task {column} are NaN or infinite")
    if task == "classification" and np.any((prediction < 0) | (prediction > 1)):
        raise ValueError(f"predictions of task {column} must be probabilities in [0, 1], not logits")
