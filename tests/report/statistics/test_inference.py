"""Tests and intervals against enumeration, SciPy and published numbers."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from roftbench.report.statistics.inference import (
    bootstrap_interval,
    critical_difference,
    groups_within,
    holm,
    signed_rank,
)


def test_holm_by_hand() -> None:
    # Sorted: 0.005 · 4, 0.01 · 3, 0.03 · 2, 0.04 · 1, and never below the one before: 0.02, 0.03, 0.06, 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_what_was_not_tested_is_no_member_of_the_family() -> None:
    corrected = holm([math.nan, 0.01, 0.04])
    assert math.isnan(corrected[0])
    assert corrected[1:] == pytest.approx([0.02, 0.04])


@pytest.mark.parametrize(
    "values",
    [
        [1.0, -2.0, 3.0, 4.0, 5.0, 6.0],
        [-1.0, 2.0, -3.0, 4.0, -5.0, 6.0, 7.0, -0.5],
        [1.0, 1.0, -1.0, 2.0, 2.0, 3.0, -2.0, 5.0],
    ],
)
def test_signed_rank_by_enumeration(values: list[float]) -> None:
    """Under the null every sign is a coin: count the 2ⁿ ways that are at least as far from the middle."""
    ranks = stats.rankdata(np.abs(values))
    middle = ranks.sum() / 2
    sums = [
        sum(r for r, up in zip(ranks, ups, strict=True) if up) for ups in itertools.product([0, 1], repeat=len(ranks))
    ]
    observed = sum(r for r, v in zip(ranks, values, strict=True) if v > 0)
    p = float(np.mean([abs(s - middle) >= abs(observed - middle) - 1e-9 for s in sums]))
    found, direction = signed_rank(np.array(values))
    assert found == pytest.approx(p)
    assert direction == pytest.approx(2 * (observed - middle))


def test_zeros_are_left_out_of_the_signed_ranks() -> None:
    values = np.array([1.0, -2.0, 3.0, 4.0, 5.0, 6.0])
    assert signed_rank(np.append(values, [0.0, 0.0, 0.0])) == signed_rank(values)


def test_fewer_than_six_pairs_cannot_be_tested() -> None:
    assert all(math.isnan(value) for value in signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.0])))
    # Five that all point one way: 2 of 2⁵ ways, above 0.05; six: 2 of 2⁶, below.
    assert signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))[0] == 2 / 64


@pytest.mark.parametrize("n", [12, 60])
def test_bootstrap_interval_agrees_with_scipy(n: int) -> None:
    values = np.random.default_rng(3).lognormal(size=n)
    low, high = bootstrap_interval(values)
    oracle = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", random_state=1)
    width = oracle.confidence_interval.high - oracle.confidence_interval.low
    assert low == pytest.approx(oracle.confidence_interval.low, abs=0.03 * width)
    assert high == pytest.approx(oracle.confidence_interval.high, abs=0.03 * width)
    assert bootstrap_interval(values) == (low, high)


def test_intervals_of_few_or_equal_values() -> None:
    assert bootstrap_interval(np.full(6, 2.0)) == (2.0, 2.0)
    for count in (0, 5):
        assert all(math.isnan(end) for end in bootstrap_interval(np.full(count, 2.0)))


def test_critical_difference_as_published() -> None:
    """Demšar 2006: the critical values of table 5 (a), and the difference of his example."""
    q = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    found = [critical_difference(k, 10) / math.sqrt(k * (k + 1) / 60) for k in range(2, 11)]
    assert found == pytest.approx(q, abs=1e-3)
    assert round(critical_difference(4, 14), 2) == 1.25
    assert round(critical_difference(9, 8), 2) == 4.25


@pytest.mark.parametrize(
    ("ranks", "distance", "groups"),
    [
        ([1, 2, 3, 4], 1.5, ["ab", "bc", "cd"]),
        ([1, 2, 3, 4], 2.5, ["abc", "bcd"]),
        ([1, 2, 3, 4], 10, ["abcd"]),
        ([1, 2, 3, 4], 0.5, []),
        ([1, 2, 3.5, 4], 1.0, ["cd"]),  # a difference of exactly the critical one is one
        ([1, 1, 3, 4], 2.0, ["ab", "cd"]),
        ([1, 3, 3, 3], 0.1, ["bcd"]),
    ],
)
def test_groups_are_the_largest_runs_within_the_distance(
    ranks: list[float], distance: float, groups: list[str]
) -> None:
    assert groups_within(dict(zip("abcd", map(float, ranks), strict=True)), distance) == tuple(map(tuple, groups))
