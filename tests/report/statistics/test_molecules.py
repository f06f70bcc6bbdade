"""Bootstrap and permutation over molecules, against direct loops with the metrics of jobs and of scikit-learn."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from roftbench.metrics import METRICS, column_scores, evaluate
from roftbench.report.statistics.molecules import bootstrap_scores, interval_of, mean_score, permutation_p

Array = NDArray[np.float64]


def drawn(task: str, molecules: int = 30, tasks: int = 2, seeds: int = 3) -> tuple[Array, Array, Array]:
    """Labels, some of them missing, and the predictions of two rows."""
    rng = np.random.default_rng(5)
    y = rng.normal(size=(molecules, tasks))
    noise = rng.normal(size=(2, seeds, molecules, tasks))
    if task == "classification":
        y = (y > 0.3).astype(float)
        noise = 1 / (1 + np.exp(-noise - y))
    else:
        noise = y + noise * np.array([0.6, 0.9])[:, None, None, None]
    y[rng.random(y.shape) < 0.1] = np.nan
    return y, noise[0], noise[1]


def by_loop(metric: str, y: Array, predictions: Array) -> float:
    scores = [evaluate(METRICS[metric].task, y, one, [metric])[metric] for one in predictions]
    return np.nan if None in scores else float(np.mean(scores))


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_bootstrap_is_a_loop_over_resampled_molecules(metric: str) -> None:
    y, predictions, _ = drawn(METRICS[metric].task)
    found = bootstrap_scores(metric, y, predictions, 40)
    rows = np.random.default_rng(0).integers(len(y), size=(40, len(y)))
    assert found == pytest.approx([by_loop(metric, y[one], predictions[:, one]) for one in rows], nan_ok=True)
    assert mean_score(metric, y, predictions) == pytest.approx(by_loop(metric, y, predictions))


@pytest.mark.parametrize("metric", ["rmse", "mae", "brier"])
def test_permutation_is_a_loop_over_exchanged_predictions(metric: str) -> None:
    y, first, second = drawn(METRICS[metric].task)
    observed = by_loop(metric, y, first) - by_loop(metric, y, second)
    swaps = np.random.default_rng(0).random((200, len(y), 1)) < 0.5
    differences = [
        by_loop(metric, y, np.where(swap, second, first)) - by_loop(metric, y, np.where(swap, first, second))
        for swap in swaps
    ]
    expected = (1 + sum(abs(one) >= abs(observed) - 1e-12 for one in differences)) / 201
    assert permutation_p(metric, y, first, second, 200) == expected
    assert permutation_p(metric, y, second, first, 200) == expected
    if metric != "brier":  # labels in mol/L
        assert permutation_p(metric, y * 1e-13, first * 1e-13, second * 1e-13, 200) == expected


def test_permutation_of_ranks_is_that_of_all_exchanges() -> None:
    """Of eight molecules all 2⁸ exchanges; the scale of a row's scores must not matter for ROC-AUC."""
    y, first, second = drawn("classification", molecules=8, tasks=1, seeds=1)
    y = np.array([[0.0], [1.0]] * 4)
    ranks = [np.argsort(np.argsort(one[0, :, 0])) for one in (first, second)]

    def difference(swap: tuple[int, ...]) -> float:
        a = np.where(swap, ranks[1], ranks[0])
        b = np.where(swap, ranks[0], ranks[1])
        return float(roc_auc_score(y[:, 0], a) - roc_auc_score(y[:, 0], b))

    observed = abs(difference((0,) * 8))
    exact = np.mean([abs(difference(swap)) >= observed - 1e-12 for swap in product((0, 1), repeat=8)])
    assert permutation_p("roc_auc", y, first, second) == pytest.approx(exact, abs=0.015)
    assert permutation_p("roc_auc", y, first**5, second) == permutation_p("roc_auc", y, first, second)


def test_equal_rows_do_not_differ_and_an_interval_holds_the_difference() -> None:
    y, first, second = drawn("regression", molecules=200, tasks=1)
    assert permutation_p("rmse", y, first, first, 100) == 1
    low, high = interval_of(bootstrap_scores("rmse", y, first) - bootstrap_scores("rmse", y, second))
    assert low < mean_score("rmse", y, first) - mean_score("rmse", y, second) < high < 0
    assert permutation_p("rmse", y, first, second) == pytest.approx(1 / 10_001)


def test_resamples_without_both_classes_are_left_out_and_many_of_them_leave_no_interval() -> None:
    y = np.array([[1.0], [0.0], [0.0], [0.0]])
    scores = bootstrap_scores("roc_auc", y, np.array([[[0.9], [0.1], [0.2], [0.3]]]), 500)
    assert np.isnan(scores).mean() == pytest.approx((3 / 4) ** 4 + (1 / 4) ** 4, abs=0.06)
    assert np.isnan(interval_of(scores)).all()
    assert interval_of(np.array([np.nan, *np.arange(99.0)])) == pytest.approx((2.45, 95.55))
    assert np.isnan(column_scores("roc_auc", np.full((3, 1), np.nan), np.zeros((3, 1)))).all()
