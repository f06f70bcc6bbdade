"""Learning curves: a power law is found again, intervals follow the folds, and nothing is said of what is undefined."""

import numpy as np
import pytest
from scipy import stats

from roftbench.advise.learning_curve import LearningCurve, fitted

SIZES = {0.25: [50] * 5, 0.5: [100] * 5, 1.0: [200] * 5}
rng = np.random.default_rng(1)


def curve(metric: str = "rmse", noise: float = 0.0, exponent: float = 0.3, now: int = 250) -> LearningCurve:
    """A curve whose loss is 4 · n to the power of -exponent, with noise that differs between folds."""
    scores = {}
    for share, sizes in SIZES.items():
        loss = 4 * np.array(sizes, float) ** -exponent * np.exp(noise * rng.normal(size=5))
        scores[share] = (1 - loss if metric == "roc_auc" else loss).tolist()
    return fitted("ecfp · gp", "gp", metric, SIZES, scores, now)


@pytest.mark.parametrize("metric", ["rmse", "roc_auc"])
def test_a_power_law_is_found_again_and_extrapolated(metric: str) -> None:
    found = curve(metric)
    assert found.exponent == pytest.approx(0.3)
    assert found.gain is not None
    change = 4 * (350**-0.3 - 250**-0.3)
    assert found.gain.labels == 100
    assert [found.gain.mean, found.gain.low, found.gain.high] == pytest.approx([change] * 3)
    sign = "-" if metric == "rmse" else "+"
    assert f"100 more labels: about {sign}{abs(change):.2g} {metric}" in found.words()
    line = found.line()
    assert line is not None
    loss = 4 * line.molecules**-0.3
    assert np.allclose(line.score, 1 - loss if metric == "roc_auc" else loss)
    assert line.molecules[-1] == pytest.approx(350)


def test_the_interval_is_that_of_the_exponent_over_folds() -> None:
    found = curve(noise=0.05)
    assert found.exponent is not None
    assert found.low < found.exponent < found.high
    slopes = (found.high - found.exponent) / (stats.t.ppf(0.975, 4) * np.sqrt(1 / 5 + 1 / 3))
    assert 0 < slopes < 0.1  # the standard deviation over folds: 0.05 over a factor of 4 in size
    assert found.gain is not None
    assert found.gain.low < found.gain.mean < found.gain.high
    assert found.gain.low == pytest.approx(found.change(100, found.high))


def test_what_the_curve_does_not_settle_is_said() -> None:
    words = curve(noise=0.3, exponent=0.0).words()
    assert "the interval contains 0, so the curve does not show whether more labels help" in words


def test_no_more_labels_are_asked_about_than_there_are() -> None:
    asked = {now: gain.labels for now in (250, 60, 12) if (gain := curve(now=now).gain)}
    assert asked == {250: 100, 60: 50, 12: 10}
    assert curve(now=9).gain is None


@pytest.mark.parametrize(
    "scores",
    [
        {1.0: [0.5] * 5},
        {0.5: [0.5] * 5, 1.0: [0.4] * 5},
        {0.25: [0.5, None, 0.5, 0.5, 0.5], 0.5: [0.5] * 5, 1.0: [0.4] * 5},
        {0.25: [0.0] * 5, 0.5: [0.5] * 5, 1.0: [0.4] * 5},
    ],
)
def test_too_few_sizes_and_undefined_scores_are_not_extrapolated(scores: dict[float, list[float | None]]) -> None:
    found = fitted("ecfp · gp", "gp", "rmse", SIZES, scores, 200)
    assert found.exponent is found.gain is found.line() is None
    assert "cannot be estimated" in found.words()
