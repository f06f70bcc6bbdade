"""Two rows compared over the molecules of one fixed test set: paired bootstrap and permutation.

Predictions are arrays [S, N, T]: a matrix of N molecules and T tasks per seed. A row's score is the mean over its seeds
of the metric, which is that of its cell in the table.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

from roftbench.metrics import column_scores
from roftbench.report.statistics.inference import ALPHA, RESAMPLES, FloatArray

BY_RANK = ("spearman", "kendall", "roc_auc", "average_precision")  # metrics that only the order of predictions decides
_AT_A_TIME = 2_000_000  # labels of resamples in memory
_SEED = 0


def mean_score(metric: str, y: FloatArray, predictions: FloatArray) -> float:
    """Return the score [S, N, T] of labels y [N, T] (NaN: missing), averaged over tasks, then over seeds."""
    return float(_of_resamples(metric, y[None], predictions[:, None])[0])


def bootstrap_scores(metric: str, y: FloatArray, predictions: FloatArray, resamples: int = RESAMPLES) -> FloatArray:
    """Return a row's score on resampled molecules, [resamples]; NaN where undefined.

    The resamples depend on their number and that of the molecules alone, so that those of several rows are paired.
    """
    rng = np.random.default_rng(_SEED)
    found = []
    for count in _portions(y, resamples):
        rows = rng.integers(len(y), size=(count, len(y)))
        found.append(_of_resamples(metric, y[rows], predictions[:, rows]))
    return np.concatenate(found)


def interval_of(differences: FloatArray) -> tuple[float, float]:
    """Return the 95 % percentile interval of resampled differences; NaN if more than 5 % of them are undefined."""
    known = differences[~np.isnan(differences)]
    if len(known) < (1 - ALPHA) * len(differences):
        return np.nan, np.nan
    low, high = np.quantile(known, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def permutation_p(
    metric: str, y: FloatArray, first: FloatArray, second: FloatArray, resamples: int = RESAMPLES
) -> float:
    """Return the two-sided p of a paired permutation test: the rows' predictions are exchanged, molecule by molecule.

    All seeds of a molecule are exchanged together. For metrics of the order, predictions are replaced by their ranks,
    which leaves scores as they are and makes rows of different scales exchangeable. The observed difference counts as
    one of the permutations.
    """
    if metric in BY_RANK:
        first, second = rankdata(first, axis=1), rankdata(second, axis=1)
    scores = [mean_score(metric, y, one) for one in (first, second)]
    observed, rounding = scores[0] - scores[1], 1e-12 * max(map(abs, scores))
    rng = np.random.default_rng(_SEED)
    found = []
    for count in _portions(y, resamples):
        swap = rng.random((1, count, len(y), 1)) < 0.5
        labels = np.broadcast_to(y, (count, *y.shape))
        one, other = (
            np.where(swap, *pair) for pair in ((second[:, None], first[:, None]), (first[:, None], second[:, None]))
        )
        found.append(_of_resamples(metric, labels, one) - _of_resamples(metric, labels, other))
    differences = np.concatenate(found)
    as_large = np.abs(differences) >= abs(observed) - rounding
    return float((1 + as_large.sum()) / (1 + len(differences)))


def _of_resamples(metric: str, y: FloatArray, predictions: FloatArray) -> FloatArray:
    """Return the mean score [R] over seeds of R sets of molecules: y [R, N, T], predictions [S, R, N, T]."""
    count, molecules, tasks = y.shape
    columns = y.transpose(1, 0, 2).reshape(molecules, count * tasks)
    sums = np.zeros(count)
    for one in predictions:
        scores = column_scores(metric, columns, one.transpose(1, 0, 2).reshape(molecules, count * tasks))
        sums += _mean_of_defined(scores.reshape(count, tasks))
    return sums / len(predictions)


def _mean_of_defined(scores: FloatArray) -> FloatArray:
    """Return the mean of the defined scores of each row [R, T]; NaN where there is none."""
    known = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, scores, 0.0).sum(axis=1) / known.sum(axis=1))


def _portions(y: FloatArray, resamples: int) -> Iterator[int]:
    """Yield numbers of resamples whose labels fit into memory together."""
    size = max(1, _AT_A_TIME // y.size)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)
