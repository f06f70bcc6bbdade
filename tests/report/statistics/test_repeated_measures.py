"""Tests over the folds of one data set, against published programs on a stored example."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from roftbench.report.statistics.inference import holm
from roftbench.report.statistics.repeated_measures import (
    anova,
    best_of,
    best_set,
    conover,
    corrected_interval,
    effect_size,
    equivalent,
    folds_needed,
    studentized_range_sf,
    tukey,
    variance_ratio,
)

rng = np.random.default_rng(7)
SCORES = np.round(rng.normal(0, 0.05, (25, 1)) + np.array([0.70, 0.72, 0.71, 0.66]) + rng.normal(0, 0.03, (25, 4)), 4)
# Of SCORES by rm_tukey_hsd of polaris-hub/polaris-method-comparison (statsmodels 0.14, pingouin 0.5): difference, low,
# high. Its p-values come from an approximation that is off by up to 0.02 and never below 0.001.
TUKEY = {
    (0, 1): (-0.024952, -0.0451804799491, -0.00472352005091),
    (0, 2): (-0.008896, -0.0291244799491, 0.0113324799491),
    (0, 3): (0.044988, 0.0247595200509, 0.0652164799491),
    (1, 2): (0.016056, -0.0041724799491, 0.0362844799491),
    (1, 3): (0.06994, 0.0497115200509, 0.0901684799491),
    (2, 3): (0.053884, 0.0336555200509, 0.0741124799491),
}
# By posthoc_conover_friedman of scikit-posthocs 0.11, Holm's correction.
CONOVER = {
    (0, 1): 0.29845185716,
    (0, 2): 0.650371178288,
    (0, 3): 2.18525226664e-07,
    (1, 2): 0.457632945761,
    (1, 3): 2.8402221056e-10,
    (2, 3): 4.12181987679e-08,
}


def test_anova_is_that_of_pingouin_and_statsmodels() -> None:
    found = anova(SCORES)
    assert (found.f, found.p) == (pytest.approx(30.36976879874409), pytest.approx(8.470965981453565e-13))
    assert (found.df, found.residual) == ((3, 72), pytest.approx(0.000739396575))


def test_anova_of_two_methods_is_the_paired_t_test() -> None:
    expected = stats.ttest_rel(SCORES[:, 0], SCORES[:, 1])
    assert anova(SCORES[:, :2]).p == pytest.approx(expected.pvalue)
    assert tukey(SCORES[:, :2])[0].p == pytest.approx(expected.pvalue, rel=1e-5)


def test_tukey_is_that_of_the_published_program() -> None:
    pairs = {(pair.first, pair.second): pair for pair in tukey(SCORES)}
    assert pairs.keys() == TUKEY.keys()
    for pair, expected in TUKEY.items():
        assert (pairs[pair].difference, pairs[pair].low, pairs[pair].high) == pytest.approx(expected, abs=1e-6)
    assert pairs[0, 1].p == pytest.approx(0.00946505558, abs=1e-5)
    assert pairs[1, 2].p == pytest.approx(0.1670952984, abs=1e-3)


@pytest.mark.parametrize(("k", "df"), [(2, 4), (3, 8), (4, 72), (9, 192), (20, 400)])
def test_studentized_range_is_that_of_scipy(k: int, df: int) -> None:
    q = np.array([0.0, 0.5, 2.0, 3.5, 5.0, 9.0])
    expected = [stats.studentized_range.sf(one, k, df) for one in q]
    assert studentized_range_sf(q, k, df) == pytest.approx(expected, abs=1e-8)


def test_tukey_finds_a_difference_in_one_of_twenty_draws_without_any() -> None:
    draws = np.random.default_rng(0)
    found = [min(pair.p for pair in tukey(draws.normal(size=(25, 1)) + draws.normal(size=(25, 4)))) for _ in range(200)]
    assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.09


def test_conover_is_that_of_scikit_posthocs() -> None:
    p, pairs = conover(SCORES)
    assert p == pytest.approx(stats.friedmanchisquare(*SCORES.T).pvalue)
    assert {(pair.first, pair.second): pytest.approx(pair.p) for pair in pairs} == CONOVER


def test_equal_scores_differ_in_nothing() -> None:
    same = np.repeat(SCORES[:, :1], 3, axis=1)
    assert conover(same)[0] == 1
    assert {pair.p for pair in (*tukey(same), *conover(same)[1])} == {1}
    assert best_set(same, True) == {0, 1, 2}
    assert variance_ratio(np.ones((5, 2))) == 1
    rounded = np.array([[1.7, 0.1 + 0.2], [1.7, 0.3], [1.7, 0.3]])
    assert rounded.var(axis=0).max() > 0
    assert variance_ratio(rounded) == 1


def test_a_constant_shift_is_certain() -> None:
    shifted = np.stack([SCORES[:, 0], SCORES[:, 0] + 0.1], axis=1)
    assert tukey(shifted)[0].p < 1e-9
    assert best_set(shifted, True) == {1}
    assert best_set(shifted, False) == {0}


def test_best_set_holds_all_that_cannot_be_told_from_the_best() -> None:
    assert best_set(SCORES, True) == {1, 2}
    assert best_set(SCORES, False) == {3}
    wild = SCORES.copy()
    wild[:, 3] += np.random.default_rng(1).normal(0, 1, 25)
    assert variance_ratio(wild) > 9
    p = {(pair.first, pair.second): pair.p for pair in conover(wild)[1]}
    best = int(stats.rankdata(wild, axis=1).mean(axis=0).argmax())
    others = {i for i in range(4) if i != best and p[min(i, best), max(i, best)] >= 0.05}
    assert best_set(wild, True) == {best, *others}


def test_corrected_interval_is_wider_than_that_of_independent_folds() -> None:
    differences = SCORES[:, 1] - SCORES[:, 0]
    low, high = corrected_interval(differences, 0.2)
    plain = stats.t.interval(0.95, 24, differences.mean(), differences.std(ddof=1) / 5)
    assert (high - low) / (plain[1] - plain[0]) == pytest.approx(np.sqrt((1 / 25 + 0.25) * 25))
    assert (low + high) / 2 == pytest.approx(differences.mean())
    assert corrected_interval(differences, 0.0) == pytest.approx(plain)
    assert np.isnan(corrected_interval(differences[:1], 0.2)).all()


def test_equivalence_is_two_one_sided_t_tests() -> None:
    differences = SCORES[:, 1] - SCORES[:, 0]
    above = stats.ttest_1samp(differences, -0.05, alternative="greater").pvalue
    below = stats.ttest_1samp(differences, 0.05, alternative="less").pvalue
    assert equivalent(differences, 0.05, 0.0) == pytest.approx(max(above, below))
    assert equivalent(differences, 0.05, 0.2) > equivalent(differences, 0.05, 0.0)
    assert equivalent(np.zeros(5), 0.01, 0.2) == 0
    assert effect_size(differences) == pytest.approx(differences.mean() / differences.std(ddof=1))


def test_power_of_the_number_of_folds_is_as_simulated() -> None:
    differences = np.random.default_rng(2).normal(0, 1, 25)
    differences = (differences - differences.mean()) / differences.std(ddof=1)
    n = folds_needed(differences, 0.5, 0.0)
    assert n == 34  # of a paired t-test at d = 0.5, power 0.8
    draws = np.random.default_rng(3).normal(0.5, 1, (4000, n))
    assert np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)
    assert folds_needed(differences, 0.5, 0.2) is None  # what folds share no repeat removes
    assert folds_needed(differences, 3.0, 0.2) is not None


def test_power_grows_with_the_number_of_folds_whatever_the_difference() -> None:
    """SciPy's noncentral t is NaN where a probability is too small for it; that must not cost folds."""
    differences = np.array([1.0, 1.01, 0.99, 1.02, 0.98])
    assert folds_needed(differences, 1.0, 0.2) == 3
    assert folds_needed(differences, 0.0, 0.2) is None
    assert folds_needed(differences[:1], 1.0, 0.2) is None
    spread = np.random.default_rng(4).normal(0, 1, 50)
    counts = [folds_needed(spread, delta, 0.0) for delta in (0.1, 0.2, 0.5, 1.0, 5.0)]
    assert counts == sorted(counts, reverse=True)


def test_studentized_range_of_very_many_pairs_is_interpolated() -> None:
    q = np.linspace(0, 12, 900)
    expected = [stats.studentized_range.sf(one, 43, 168) for one in q[::90]]
    assert studentized_range_sf(q, 43, 168)[::90] == pytest.approx(expected, abs=1e-7)


def test_sign_flips_of_ranks_are_all_exchanges_of_a_pair() -> None:
    few = np.column_stack([rng.normal(0, 1, 9), rng.normal(0.8, 1, 9), np.round(rng.normal(0, 1, (9, 2)))])
    ranks = stats.rankdata(few, axis=1)
    expected = []
    for a, b in combinations(range(4), 2):
        sums = [
            abs(np.where(flipped, -1, 1) @ (ranks[:, a] - ranks[:, b])) for flipped in product((True, False), repeat=9)
        ]
        expected.append(np.mean(np.array(sums) >= abs((ranks[:, a] - ranks[:, b]).sum()) - 1e-9))
    assert [pair.p_flips for pair in conover(few)[1]] == pytest.approx(holm(expected))


@pytest.mark.parametrize("n", [3, 5, 25])
def test_two_equal_methods_beside_very_different_ones_are_not_told_apart(n: int) -> None:
    """By Conover's p alone, they are in a third of the draws: the others leave its statistic no spread."""
    draws = np.random.default_rng(n)
    alone, both = [], []
    for _ in range(200):
        scores = np.array([1.0, 1.0, 2.0, 3.0, 4.0]) + draws.normal(0, [0.01, 0.01, 0.05, 0.05, 0.05], (n, 5))
        pair = conover(scores)[1][0]
        alone.append(pair.p < 0.05)
        both.append(pair.decisive < 0.05)
    assert np.mean(alone) > 0.2
    assert np.mean(both) <= 0.05


def test_the_best_by_ranks_is_not_undone_by_one_diverged_fold() -> None:
    scores = np.stack([SCORES[:, 0] - 0.2, SCORES[:, 0], SCORES[:, 1]], axis=1)
    scores[3, 0] = 30.0
    assert scores.mean(axis=0).argmin() != 0
    assert best_of(scores, False) == 0
    assert best_set(scores, False) == {0}


def test_conover_of_few_folds_that_rank_alike_is_no_certainty() -> None:
    assert conover(np.array([[1.0, 2.0], [1.0, 3.0]]))[1][0].decisive == 0.5
    p, pairs = conover(np.arange(6.0).reshape(2, 3) ** 2)
    assert p == pytest.approx(stats.friedmanchisquare([0.0, 9.0], [1.0, 16.0], [4.0, 25.0]).pvalue)
    assert {pair.decisive for pair in pairs} == {1.0}  # Holm's factor 3, half of all exchanges of a pair's ranks


def test_spread_of_rounding_alone_is_none() -> None:
    scores = np.full((5, 3), 0.1) + np.array([0.0, 0.0, 0.3])
    assert anova(scores).residual == 0
    assert {(pair.first, pair.second): pair.p for pair in tukey(scores)} == {(0, 1): 1, (0, 2): 0, (1, 2): 0}
    assert best_set(scores, False) == {0, 1}
    assert np.isnan(anova(np.full((5, 3), 0.1)).p)
