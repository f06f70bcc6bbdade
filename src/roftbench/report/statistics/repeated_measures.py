"""Methods compared within one data set: their scores on the same folds of a repeated cross-validation.

Scores are arrays [n, k]: a row per fold, a column per method, no value missing. The choice of tests follows Ash et al.
2025, J. Chem. Inf. Model. 65, 9398; these functions take plain numbers and know neither tables nor names of methods.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import stats
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr, stdtr, stdtrit

from roftbench.report.statistics.inference import ALPHA, FloatArray, holm

MAX_VARIANCE_RATIO = 9.0  # of a method's variance to another's: beyond it the parametric test is not used
MOST_FOLDS = 2000  # more are never asked for
POWER = 0.8  # with which so many folds would show a difference
_GRID = 257  # points between which a probability is interpolated


@dataclass(frozen=True)
class Anova:
    """Repeated-measures analysis of variance: do any of k methods differ over n folds?"""

    f: float
    p: float
    df: tuple[int, int]  # of methods, of the residual
    residual: float  # mean square: what is left after means of methods and of folds


@dataclass(frozen=True)
class Pair:
    """Method `first` against method `second` (columns): mean difference, simultaneous interval, corrected p.

    `p_flips` is that of `conover` by the pair alone, 0 where the test has none; `decisive` is the larger of the two.
    """

    first: int
    second: int
    difference: float
    low: float
    high: float
    p: float
    p_flips: float = 0.0

    @property
    def decisive(self) -> float:
        """The p that decides."""
        return max(self.p, self.p_flips)


def anova(scores: FloatArray) -> Anova:
    """Return the repeated-measures ANOVA of scores [n, k], of at least two folds and two methods.

    Mean squares that rounding alone explains count as zero; F and p are NaN where both are.
    """
    n, k = scores.shape
    by_method, by_fold, mean = scores.mean(axis=0), scores.mean(axis=1), scores.mean()
    rounding = (8 * np.finfo(float).eps * float(np.abs(scores).max())) ** 2
    between = _above(n * float(((by_method - mean) ** 2).sum()) / (k - 1), n * rounding)
    df = (k - 1, (k - 1) * (n - 1))
    residual = _above(float(((scores - by_method - by_fold[:, None] + mean) ** 2).sum()) / df[1], rounding)
    f = between / residual if residual else (np.inf if between else np.nan)
    return Anova(f, float(stats.f.sf(f, *df)), df, residual)


def tukey(scores: FloatArray) -> list[Pair]:
    """Return all pairs of methods with Tukey's HSD for repeated measures: intervals and p hold for all pairs together.

    The standard error of a difference is sqrt(2 · residual mean square / n), its quantiles those of the studentized
    range with the residual's degrees of freedom.
    """
    n, k = scores.shape
    found = anova(scores)
    error = np.sqrt(found.residual / n)  # of one mean: the studentized range is in its units
    half = _quantile(1 - ALPHA, k, found.df[1]) * float(error)
    pairs = list(combinations(range(k), 2))
    means = scores.mean(axis=0)
    differences = np.array([means[first] - means[second] for first, second in pairs])
    if found.residual:
        p = studentized_range_sf(np.abs(differences) / error, k, found.df[1])
    else:  # no spread at all: methods are equal, or differ by the same amount in every fold
        p = np.where(np.abs(differences) > 1e-12 * np.abs(means).max(), 0.0, 1.0)
    return [
        Pair(*pair, float(difference), float(difference) - half, float(difference) + half, float(one))
        for pair, difference, one in zip(pairs, differences, p, strict=True)
    ]


def studentized_range_sf(q: FloatArray, k: int, df: int) -> FloatArray:
    """Return the probability that the studentized range of k means is above each q [m], [m], to 1e-7.

    SciPy's own takes some 50 ms a value; this is the same double integral by Gauss-Legendre rules, interpolated where
    the values are very many.
    """
    if len(q) > 2 * _GRID:
        grid = np.linspace(0.0, min(float(q.max()), 40.0), _GRID)  # so many means have many degrees of freedom
        curve = CubicSpline(grid, studentized_range_sf(grid, k, df))
        return np.asarray(np.clip(curve(np.minimum(q, grid[-1])), 0.0, 1.0))
    deviation = stats.chi(df, scale=1 / np.sqrt(df))  # of the standard deviation over the true one
    nodes = 64 + k
    s, weight_s = _rule(float(deviation.ppf(1e-13)), float(deviation.isf(1e-13)), nodes)
    z, weight_z = _rule(-8.5, 8.5, nodes)
    weight_s, weight_z = weight_s * deviation.pdf(s), k * weight_z * stats.norm.pdf(z)
    portions = np.array_split(q, max(1, len(q) * nodes**2 // 4_000_000))
    inner = [(ndtr(z) - ndtr(z - one[:, None, None] * s[:, None])) ** (k - 1) @ weight_z for one in portions]
    return np.asarray(np.clip(1 - np.concatenate(inner) @ weight_s, 0.0, 1.0))


@lru_cache
def _quantile(level: float, k: int, df: int) -> float:
    def excess(q: float) -> float:
        return float(studentized_range_sf(np.array([q]), k, df)[0]) - (1 - level)

    high = 8.0
    while excess(high) > 0:
        high *= 4
    return float(brentq(excess, 0.0, high, xtol=1e-12, rtol=1e-12))


def _above(mean_square: float, rounding: float) -> float:
    return mean_square if mean_square > rounding else 0.0


@lru_cache
def _rule(low: float, high: float, count: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of a Gauss-Legendre rule."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return low + (nodes + 1) * (high - low) / 2, weights * (high - low) / 2


def variance_ratio(scores: FloatArray) -> float:
    """Return the largest variance of a method's scores [n, k] over the smallest; infinite where one does not vary.

    A variance that rounding alone explains is none: constant scores have one of 0 or 1e-32, as their digits fall.
    """
    variances = scores.var(axis=0, ddof=1)
    rounding = np.square(len(scores) * np.finfo(np.float64).eps * np.abs(scores).max(axis=0))
    variances[variances <= rounding] = 0.0
    return float(variances.max() / variances.min()) if variances.min() > 0 else (np.inf if variances.max() else 1.0)


def conover(scores: FloatArray) -> tuple[float, list[Pair]]:
    """Return the p of Friedman's test of scores [n, k], and all pairs by Conover's test on ranks, p corrected by Holm.

    Ranks within a fold take part, 1 the lowest score; a pair's difference and interval are those of mean ranks, its
    interval uncorrected (Conover 1999, Practical Nonparametric Statistics, section 5.8). Its spread is that of all
    methods' ranks: where others always rank alike it is far too small for two that change places, which it then told
    apart in 40 % of draws without a difference. `p_flips` is exact for the pair whatever the others do: the share of
    exchanges of its two ranks, fold by fold, whose difference is as large, corrected by Holm, too.
    """
    n, k = scores.shape
    ranks = stats.rankdata(scores, axis=1)
    squares, sums = float((ranks**2).sum()), ranks.sum(axis=0)
    middle = n * k * (k + 1) ** 2 / 4
    if squares == middle:  # all scores of every fold are equal
        return 1.0, [Pair(a, b, 0.0, 0.0, 0.0, 1.0) for a, b in combinations(range(k), 2)]
    chi = (k - 1) * float(((sums - n * (k + 1) / 2) ** 2).sum()) / (squares - middle)
    df = (n - 1) * (k - 1)
    error = (
        float(np.sqrt(max(2 * (squares - middle) * (n - chi / (k - 1)) / df, 0.0))) / n
    )  # of a difference of mean ranks
    half = float(stdtrit(df, 1 - ALPHA / 2)) * error
    raw, flips, plain = [], [], []
    for a, b in combinations(range(k), 2):
        difference = float(sums[a] - sums[b]) / n
        statistic = abs(difference) / error if error else (np.inf if difference else 0.0)
        raw.append(2 * float(stdtr(df, -statistic)))
        flips.append(_flips(ranks[:, a] - ranks[:, b]))
        plain.append((a, b, difference))
    found = zip(plain, holm(raw), holm(flips), strict=True)
    pairs = [Pair(a, b, d, d - half, d + half, p, p_flips) for (a, b, d), p, p_flips in found]
    return float(stats.chi2.sf(chi, k - 1)), pairs


def _flips(differences: FloatArray) -> float:
    """Return the exact p of the sum of rank differences [n], whole or halves, when their signs are drawn at random."""
    steps = np.abs(np.rint(2 * differences)).astype(int)
    chances = np.zeros(2 * steps.sum() + 1)  # of each sum, from −steps.sum() to steps.sum()
    chances[0] = 1.0
    for step in steps[steps > 0]:
        chances /= 2
        chances[2 * step :] += chances[: -2 * step]
    beyond = np.abs(np.arange(len(chances)) - steps.sum()) >= abs(np.rint(2 * differences).sum())
    return min(1.0, float(chances[beyond].sum()))


def corrected_interval(differences: FloatArray, test_share: float) -> tuple[float, float]:
    """Return the interval of a mean difference over n folds that share training molecules; NaN for fewer than 2.

    The variance is multiplied by 1/n + `test_share` / (1 − `test_share`) instead of 1/n (Nadeau & Bengio 2003, Machine
    Learning 52, 239). `test_share` is the share of test molecules in a fold, 1/5 with five folds.
    """
    n = len(differences)
    if n < 2:
        return np.nan, np.nan
    error = _corrected_error(float(differences.var(ddof=1)), n, test_share)
    mean, half = float(differences.mean()), float(stdtrit(n - 1, 1 - ALPHA / 2) * error)
    return mean - half, mean + half


def equivalent(differences: FloatArray, delta: float, test_share: float) -> float:
    """Return the p of two one-sided tests that a mean difference lies within ±`delta`, with the corrected variance.

    A p below 0.05 shows that two methods are practically equal (TOST; Schuirmann 1987).
    """
    n = len(differences)
    if n < 2:
        return np.nan
    error = _corrected_error(float(differences.var(ddof=1)), n, test_share)
    mean = float(differences.mean())
    if not error:
        return 0.0 if abs(mean) < delta else 1.0
    return float(max(stdtr(n - 1, -(mean + delta) / error), stdtr(n - 1, (mean - delta) / error)))


def effect_size(differences: FloatArray) -> float:
    """Return Cohen's d of paired differences [n]: their mean in standard deviations; NaN where they do not vary."""
    deviation = differences.std(ddof=1) if len(differences) > 1 else 0.0
    return float(differences.mean() / deviation) if deviation else np.nan


def best_set(scores: FloatArray, larger_is_better: bool) -> frozenset[int]:
    """Return the methods of scores [n, k] that are not distinguishable from the `best_of` them, itself included.

    By Tukey's HSD; where variances differ by more than `MAX_VARIANCE_RATIO`, by Conover's test, and all of them if
    Friedman's finds no difference.
    """
    k = scores.shape[1]
    if len(scores) < 2 or k < 2:
        return frozenset(range(k))
    best, means = best_of(scores, larger_is_better), scores.mean(axis=0)
    if variance_ratio(scores) > MAX_VARIANCE_RATIO:
        p, pairs = conover(scores)
        return frozenset(range(k)) - (_apart(pairs, best) if p < ALPHA else frozenset())
    found = anova(scores)
    if not found.residual:
        return frozenset(range(k)) - _apart(tukey(scores), best)
    least = _quantile(1 - ALPHA, k, found.df[1]) * np.sqrt(found.residual / len(scores))
    return frozenset(np.flatnonzero(np.abs(means - means[best]) <= least).tolist())


def best_of(scores: FloatArray, larger_is_better: bool) -> int:
    """Return the best method of scores [n, k]: by its mean, or by its mean rank where ranks are tested."""
    losses = -scores if larger_is_better else scores
    means = losses.mean(axis=0)
    if len(scores) < 2 or variance_ratio(scores) <= MAX_VARIANCE_RATIO:
        return int(means.argmin())
    return int(np.lexsort((means, stats.rankdata(losses, axis=1).mean(axis=0)))[0])


def _apart(pairs: list[Pair], best: int) -> frozenset[int]:
    """Return the methods whose difference from `best` is significant."""
    rivals = ((pair, pair.second if pair.first == best else pair.first) for pair in pairs)
    return frozenset(rival for pair, rival in rivals if best in (pair.first, pair.second) and pair.decisive < ALPHA)


def folds_needed(differences: FloatArray, delta: float, test_share: float) -> int | None:
    """Return how many folds would show a difference of `delta` with power 0.8; None where 2,000 would not.

    Two-sided at 0.05, from the spread of the differences [n]; at least 3. More repeats cannot remove what folds share:
    the corrected variance never falls below `test_share` / (1 − `test_share`) of theirs. None for fewer than two
    differences.
    """
    if len(differences) < 2:
        return None
    variance = float(differences.var(ddof=1))

    def enough(n: int) -> bool:
        error = _corrected_error(variance, n, test_share)
        return abs(delta) > 0 and (error == 0 or _power(abs(delta) / error, n - 1) >= POWER)

    counts = range(3, MOST_FOLDS + 1)
    found = bisect_left(counts, True, key=enough)
    return counts[found] if found < len(counts) else None


def _corrected_error(variance: float, n: int, test_share: float) -> float:
    """Return the standard error of the mean of n differences of this variance, of folds that share molecules."""
    return float(np.sqrt(variance * (1 / n + test_share / (1 - test_share))))


def _power(shift: float, df: int) -> float:
    """Return the power of a two-sided t-test at ALPHA whose statistic is shifted so far."""
    critical = float(stdtrit(df, 1 - ALPHA / 2))
    below, above = np.nan_to_num(nctdtr(df, shift, [-critical, critical]))  # NaN where too small for its algorithm
    return float(1 - above + below)
