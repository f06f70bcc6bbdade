"""The corrected test of differences over folds."""

import math

import numpy as np
import pytest
from scipy import stats

from roftbench.advise.significance import difference


def test_without_overlap_it_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=8), rng.normal(0.4, 1, size=8)
    found = difference(dict(enumerate(first)), dict(enumerate(second)), 0.0)
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx((first - second).mean())


def test_overlapping_training_parts_widen_the_interval() -> None:
    first, second = {0: 1.0, 1: 1.2, 2: 1.1}, {0: 1.5, 1: 1.6, 2: 1.7}
    apart, overlapping = (difference(first, second, share) for share in (0.0, 1 / 3))
    assert apart is not None
    assert overlapping is not None
    ratio = (overlapping.high - overlapping.low) / (apart.high - apart.low)
    assert ratio == pytest.approx(math.sqrt((1 / 3 + 1 / 3) / (1 / 3)))
    assert apart.clear


def test_only_folds_that_both_have_count_and_one_fold_shows_nothing() -> None:
    found = difference({0: 1.0, 1: None, 2: 3.0}, {0: 0.5, 1: 0.5, 3: 1.0}, 0.3)
    assert found is not None
    assert (found.mean, found.folds, found.clear) == (0.5, 1, False)
    assert math.isnan(found.low)
    assert difference({0: 1.0}, {1: 1.0}, 0.3) is None


def test_intervals_of_several_comparisons_hold_together() -> None:
    """Šidák: of independent comparisons without a difference, all intervals contain 0 in 95 % of draws."""
    rng = np.random.default_rng(1)
    draws, comparisons = 400, 8
    whole = 0
    for _ in range(draws):
        found = [
            difference(dict(enumerate(rng.normal(size=6))), dict.fromkeys(range(6), 0.0), 0.0, comparisons)
            for _ in range(comparisons)
        ]
        whole += not any(one is not None and one.clear for one in found)
    assert abs(whole / draws - 0.95) < 0.035
    alone, among = (difference({0: 1.0, 1: 1.4, 2: 1.1}, dict.fromkeys(range(3), 0.0), 0.3, n) for n in (1, 20))
    assert alone is not None
    assert among is not None
    assert among.high - among.low > 2 * (alone.high - alone.low)
