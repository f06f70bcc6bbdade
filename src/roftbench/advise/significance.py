"""Confidence intervals of differences over folds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """A mean difference over shared folds with its 95 % interval, whose bounds are NaN for a single fold."""

    mean: float
    low: float
    high: float
    folds: int

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return not (math.isnan(self.low) or self.low <= 0 <= self.high)


def difference(
    first: Mapping[int, float | None], second: Mapping[int, float | None], test_share: float, comparisons: int = 1
) -> Difference | None:
    """Return the difference of two candidates' scores, first minus second, or None if no fold has both.

    The corrected resampled t-test of Nadeau and Bengio (2003, Machine Learning 52): as training parts overlap, the
    variance of the mean of K differences is (1/K + n_test/n_train) times that of the differences. The intervals of
    several comparisons hold together with 95 % (Šidák's correction: each with 0.95 to the power of 1/comparisons).

    Args:
        first: Scores by fold.
        second: Scores by fold.
        test_share: n_test / n_train.
        comparisons: Number of comparisons.
    """
    pairs = [(first[fold], second[fold]) for fold in first if fold in second]
    values = [one - other for one, other in pairs if one is not None and other is not None]
    if not values:
        return None
    count, mean = len(values), sum(values) / len(values)
    if count == 1:
        return Difference(mean, math.nan, math.nan, 1)
    error = standard_error(values, test_share)
    confidence = CONFIDENCE ** (1 / comparisons)
    width = float(stats.t.ppf((1 + confidence) / 2, count - 1)) * error
    return Difference(mean, mean - width, mean + width, count)


def standard_error(differences: Sequence[float], test_share: float) -> float:
    """Return the standard error of the mean of differences on two or more folds that share training molecules.

    The variance is that of `difference`.
    """
    count, mean = len(differences), sum(differences) / len(differences)
    variance = sum((value - mean) ** 2 for value in differences) / (count - 1)
    return math.sqrt((1 / count + test_share) * variance)
