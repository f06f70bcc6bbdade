"""evaluate() against scikit-learn, SciPy and numbers worked out by hand."""

import warnings

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from roftbench.metrics import METRICS, evaluate, undefined_tasks

NAN = np.nan


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_the_metrics_are_the_seven_of_the_protocol() -> None:
    assert {(m.name, m.task, m.higher_is_better) for m in METRICS.values()} == {
        ("rmse", "regression", False),
        ("mae", "regression", False),
        ("r2", "regression", True),
        ("spearman", "regression", True),
        ("roc_auc", "classification", True),
        ("average_precision", "classification", True),
        ("brier", "classification", False),
    }
    assert all(name == metric.name for name, metric in METRICS.items())


@pytest.mark.parametrize(("name", "low_wins"), [("rmse", True), ("roc_auc", False)])
def test_better_is_strict_and_knows_the_direction(name: str, low_wins: bool) -> None:
    metric = METRICS[name]
    assert metric.better(0.1, 0.2) is low_wins
    assert metric.better(0.2, 0.1) is not low_wins
    assert not metric.better(0.1, 0.1)
    assert metric.better(0.1, None)
    assert not metric.better(None, 0.1)
    assert not metric.better(None, None)


def test_regression_by_hand() -> None:
    scores = evaluate("regression", column(0, 1, 2, 3), column(1, 1, 2, 1))
    # errors 1, 0, 0, -2; total sum of squares 5; ranks 1 2 3 4 against 2 2 4 2
    assert scores == pytest.approx({"rmse": np.sqrt(5 / 4), "mae": 0.75, "r2": 0.0, "spearman": 1 / np.sqrt(15)})


def test_classification_by_hand() -> None:
    scores = evaluate("classification", column(0, 1, 0, 1), column(0.2, 0.4, 0.6, 0.8))
    # pairs won 3 of 4; precision 1 at the first hit, 2/3 at the second
    assert scores == pytest.approx(
        {"roc_auc": 0.75, "average_precision": 5 / 6, "brier": (0.04 + 0.36 + 0.36 + 0.04) / 4}
    )


@pytest.mark.parametrize("decimals", [1, 12])  # 1: many ties
@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn_and_scipy(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=80).round(decimals), rng.normal(size=80).round(decimals)
    assert evaluate("regression", y[:, None], p[:, None]) == pytest.approx(
        {
            "rmse": root_mean_squared_error(y, p),
            "mae": mean_absolute_error(y, p),
            "r2": r2_score(y, p),
            "spearman": spearmanr(y, p).statistic,
        }
    )
    labels, chances = (rng.random(80) < 0.2).astype(float), rng.random(80).round(decimals)
    assert evaluate("classification", labels[:, None], chances[:, None]) == pytest.approx(
        {
            "roc_auc": roc_auc_score(labels, chances),
            "average_precision": average_precision_score(labels, chances),
            "brier": brier_score_loss(labels, chances),
        }
    )


def test_missing_labels_are_ignored_whatever_is_predicted_there() -> None:
    y = np.array([[0, NAN], [1, 0], [NAN, 1], [1, NAN]])
    p = np.array([[0.2, NAN], [0.6, 0.9], [np.inf, 0.1], [0.1, 7.0]])
    scores = evaluate("classification", y, p)
    # task 0: labels 0 1 1 on .2 .6 .1; task 1: labels 0 1 on .9 .1
    assert scores["roc_auc"] == pytest.approx((1 / 2 + 0) / 2)
    assert scores["average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert scores["brier"] == pytest.approx(((0.04 + 0.16 + 0.81) / 3 + (0.81 + 0.81) / 2) / 2)


def test_multitask_rmse_is_the_mean_of_the_tasks_not_of_the_pooled_errors() -> None:
    y = np.array([[0.0, 0.0, NAN], [0.0, NAN, NAN]])
    p = np.array([[1.0, 3.0, 9.0], [1.0, 9.0, 9.0]])
    scores = evaluate("regression", y, p)
    assert scores["rmse"] == pytest.approx(2.0)
    assert scores["mae"] == pytest.approx(2.0)
    assert undefined_tasks("regression", y) == 1


def test_single_class_tasks_count_for_brier_only() -> None:
    y = np.array([[0.0, 1.0, NAN], [1.0, 1.0, NAN]])
    p = np.array([[0.1, 0.5, 0.5], [0.9, 0.5, 0.5]])
    scores = evaluate("classification", y, p)
    assert scores["roc_auc"] == 1.0
    assert scores["average_precision"] == 1.0
    assert scores["brier"] == pytest.approx((0.01 + 0.25) / 2)
    assert undefined_tasks("classification", y) == 2


@pytest.mark.parametrize("y", [column(2, 2, 2), column(2, NAN, NAN), column(0.1, 0.1, 0.1)])
def test_r2_and_spearman_need_two_different_labels(y: np.ndarray) -> None:
    p = column(1, 2, 4)
    scores = evaluate("regression", y, p)
    assert scores["r2"] is None
    assert scores["spearman"] is None
    assert scores["rmse"] is not None
    assert undefined_tasks("regression", y) == 0
    other = column(1, 2, 4)
    both = evaluate("regression", np.hstack([y, other]), np.hstack([p, p]))
    assert both["r2"] == 1.0
    assert both["spearman"] == pytest.approx(1.0)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("shape", [(3, 2), (0, 2), (3, 0)])
def test_all_missing_gives_none(task: str, shape: tuple[int, int]) -> None:
    y = np.full(shape, NAN)
    scores = evaluate(task, y, np.zeros(shape))
    assert scores == {m.name: None for m in METRICS.values() if m.task == task}
    assert undefined_tasks(task, y) == shape[1]


def test_constant_predictions() -> None:
    scores = evaluate("classification", column(0, 0, 0, 1), column(0.3, 0.3, 0.3, 0.3))
    assert scores["roc_auc"] == 0.5
    assert scores["average_precision"] == 0.25
    values = evaluate("regression", column(0, 1, 2), column(1, 1, 1))
    assert values["r2"] == 0.0
    assert values["spearman"] is None


def test_a_task_that_fails_is_not_averaged_away() -> None:
    y = np.array([[0.0, 0.0], [1.0, 1.0]])
    p = np.array([[0.0, 5.0], [1.0, 5.0]])
    assert evaluate("regression", y, p)["spearman"] is None


def test_overflow_gives_none_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = evaluate("regression", column(0, 5e-324), column(1e300, -1e300))
        constant = evaluate("regression", column(0, 1), column(1, 1))
    assert scores["rmse"] is None
    assert scores["r2"] is None
    assert scores["mae"] == pytest.approx(1e300)
    assert constant["spearman"] is None


def test_float32_predictions_are_averaged_in_float64() -> None:
    y = np.full((3, 1), 0.1)
    scores = evaluate("regression", y, np.full((3, 1), 0.1, dtype=np.float32))
    assert scores["mae"] == pytest.approx(abs(float(np.float32(0.1)) - 0.1), rel=1e-9)


@pytest.mark.parametrize(
    ("task", "y", "p", "message"),
    [
        ("regression", column(1, 2), column(1), "same shape"),
        ("regression", np.zeros(3), np.zeros(3), r"\[N, T\]"),
        ("regression", column(1, 2), column(1, NAN), "1 of 2 predictions of task 0"),
        ("regression", column(1, 2), column(1, np.inf), "NaN or infinite"),
        ("regression", column(1, np.inf), column(1, 2), "infinite labels"),
        ("classification", column(0, -1), column(0.1, 0.2), "0, 1 or NaN"),
        ("classification", column(0, 1), column(-3, 2), "probabilities"),
        ("ranking", column(0, 1), column(0, 1), "classification, regression"),
    ],
)
def test_errors_name_the_problem(task: str, y: np.ndarray, p: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(task, y, p)


def test_inputs_are_left_alone() -> None:
    y, p = column(0, 1, NAN), column(0.5, 0.2, 0.3)
    before = y.copy(), p.copy()
    evaluate("classification", y, p)
    np.testing.assert_array_equal(y, before[0])
    np.testing.assert_array_equal(p, before[1])
