"""Statistical tests and intervals on plain numbers."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata, studentized_range, wilcoxon

ALPHA = 0.05
MIN_PAIRS = 6  # of 5 that all point one way the two-sided p is 2 / 2⁵ = 0.06: never below ALPHA
MIN_INTERVAL = 6  # of 3 values, "95 %" would be 76 %
RESAMPLES = 10_000
FloatArray = npt.NDArray[np.float64]


def holm(p: list[float]) -> list[float]:
    """Return p-values after Holm's step-down correction; NaN stays NaN and is no member of the family."""
    known = sorted((value, i) for i, value in enumerate(p) if not np.isnan(value))
    corrected, highest = list(p), 0.0
    for place, (value, i) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - place)))
        corrected[i] = highest
    return corrected


def signed_rank(values: FloatArray) -> tuple[float, float]:
    """Return the two-sided p of Wilcoxon's signed-rank test against 0, and the sum of the signed ranks.

    Zeros are left out before ranking. Both are NaN for fewer than MIN_PAIRS other values: p cannot be below ALPHA.
    The p is exact where SciPy computes it so: up to 50 values of different size, up to 13 of any.
    """
    pairs = values[values != 0]
    if len(pairs) < MIN_PAIRS:
        return np.nan, np.nan
    return float(wilcoxon(pairs).pvalue), float(np.sum(np.sign(pairs) * rankdata(np.abs(pairs))))


def bootstrap_interval(values: FloatArray) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean, of a fixed seed; NaN for fewer than MIN_INTERVAL.

    Of few values it is too narrow: of 6 (simulated, normal) about 85 % hold the true mean, of 20 about 91 %.
    """
    if len(values) < MIN_INTERVAL:
        return np.nan, np.nan
    portions = np.array_split(_draws(len(values)), 100)  # thousands of values need no gigabyte
    means = [values[portion].mean(axis=1) for portion in portions]
    low, high = np.quantile(np.concatenate(means), [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)  # all methods of a table have the same blocks
def _draws(n: int) -> npt.NDArray[np.uint32]:
    """RESAMPLES times n of n, with replacement: places [RESAMPLES, n]."""
    return np.random.default_rng(0).integers(n, size=(RESAMPLES, n), dtype=np.uint32)


@lru_cache
def critical_difference(methods: int, n: int) -> float:
    """Return Nemenyi's critical difference of mean ranks at ALPHA (Demšar 2006, section 3.2.2)."""
    q = float(studentized_range.ppf(1 - ALPHA, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * n)))


def groups_within(ranks: dict[str, float], distance: float) -> tuple[tuple[str, ...], ...]:
    """Return the largest groups whose ranks all lie within less than `distance`; `ranks` ascends.

    Groups of one are left out. Such a group is a run of neighbors, and none lies inside another.
    """
    names, places = list(ranks), list(ranks.values())
    groups: list[tuple[str, ...]] = []
    end = 0
    for first, place in enumerate(places):
        last = max(i for i, other in enumerate(places) if i == first or other - place < distance)
        if last > max(first, end):
            groups.append(tuple(names[first : last + 1]))
            end = last
    return tuple(groups)
