"""evaluate() against scikit-learn, SciPy and numbers worked out by hand."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    matthews_corrcoef,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from roftbench.metrics import METRICS, evaluate, undefined_tasks

NAN = np.nan


LIBRARY = {
    "regression": {
        "rmse": root_mean_squared_error,
        "mae": mean_absolute_error,
        "r2": r2_score,
        "spearman": lambda y, p: spearmanr(y, p).statistic,
        "pearson": lambda y, p: pearsonr(y, p).statistic,
        "kendall": lambda y, p: kendalltau(y, p).statistic,
    },
    "classification": {
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
        "brier": brier_score_loss,
        "mcc": lambda y, p: matthews_corrcoef(y, p > 0.5),
        "balanced_accuracy": lambda y, p: balanced_accuracy_score(y, p > 0.5),
    },
}
ONE_LABEL_IS_ENOUGH = {"rmse", "mae", "brier"}


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def by_library(task: str, y: np.ndarray, p: np.ndarray) -> dict[str, float | None]:
    """The same scores from scikit-learn and SciPy, a call for each metric and each column that defines it."""
    scores: dict[str, list[float]] = {name: [] for name in LIBRARY[task]}
    with warnings.catch_warnings(action="ignore"):  # SciPy warns of constant predictions
        for t in range(y.shape[1]):
            labeled = ~np.isnan(y[:, t])
            labels, predictions = y[labeled, t], p[labeled, t].astype(np.float64)
            for name, function in LIBRARY[task].items():
                if len(np.unique(labels)) > (0 if name in ONE_LABEL_IS_ENOUGH else 1):
                    scores[name].append(float(function(labels, predictions)))
    means = {name: float(np.mean(values)) if values else NAN for name, values in scores.items()}
    return {name: mean if np.isfinite(mean) else None for name, mean in means.items()}


def matrices(
    task: str, shape: tuple[int, int], *, missing: float = 0.5, share: float = 0.3, decimals: int = 12, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Random labels with gaps, and predictions; few decimals make many ties."""
    rng = np.random.default_rng(seed)
    if task == "classification":
        y, p = (rng.random(shape) < share).astype(np.float64), rng.random(shape).round(decimals)
    else:
        y, p = rng.normal(size=shape).round(decimals), rng.normal(size=shape).round(decimals)
    y[rng.random(shape) < missing] = NAN
    return y, p


def near(scores: dict[str, float | None]) -> dict[str, object]:
    return {name: score if score is None else pytest.approx(score, rel=1e-12, abs=1e-12)
            for name, score in scores.items()}  # fmt: skip


def agree(task: str, y: np.ndarray, p: np.ndarray) -> None:
    assert evaluate(task, y, p) == near(by_library(task, y, p))


def test_the_metrics_are_those_of_the_protocol() -> None:
    assert {(m.name, m.task, m.higher_is_better) for m in METRICS.values()} == {
        ("rmse", "regression", False),
        ("mae", "regression", False),
        ("r2", "regression", True),
        ("spearman", "regression", True),
        ("pearson", "regression", True),
        ("kendall", "regression", True),
        ("roc_auc", "classification", True),
        ("average_precision", "classification", True),
        ("brier", "classification", False),
        ("mcc", "classification", True),
        ("balanced_accuracy", "classification", True),
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
    # errors 1, 0, 0, -2; total sum of squares 5; ranks 1 2 3 4 against 2 2 4 2; covariance 0.5, of 5 and 0.75; of six
    # pairs three tie in the prediction, two agree with the labels and one does not
    expected = {"rmse": np.sqrt(5 / 4), "mae": 0.75, "r2": 0.0, "spearman": 1 / np.sqrt(15)}
    assert scores == pytest.approx({**expected, "pearson": 0.5 / np.sqrt(5 * 0.75), "kendall": 1 / np.sqrt(6 * 3)})


def test_classification_by_hand() -> None:
    scores = evaluate("classification", column(0, 1, 0, 1), column(0.2, 0.4, 0.6, 0.8))
    # pairs won 3 of 4; precision 1 at the first hit, 2/3 at the second; at 0.5 one of each class is right
    expected = {"roc_auc": 0.75, "average_precision": 5 / 6, "brier": (0.04 + 0.36 + 0.36 + 0.04) / 4}
    assert scores == pytest.approx({**expected, "mcc": 0.0, "balanced_accuracy": 0.5})
    # three of four negatives and the positive are right: (1·3 - 0·1) / sqrt(2·1·3·4), (1 + 3/4) / 2
    scores = evaluate(
        "classification", column(0, 0, 0, 0, 1), column(0.1, 0.5, 0.4, 0.6, 0.9), ["mcc", "balanced_accuracy"]
    )
    assert scores == pytest.approx({"mcc": 3 / np.sqrt(24), "balanced_accuracy": 0.875})


@pytest.mark.parametrize("decimals", [1, 12])  # 1: many ties
@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn_and_scipy(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=80).round(decimals), rng.normal(size=80).round(decimals)
    agree("regression", y[:, None], p[:, None])
    labels, chances = (rng.random(80) < 0.2).astype(float), rng.random(80).round(decimals)
    agree("classification", labels[:, None], chances[:, None])


@pytest.mark.parametrize("task", LIBRARY)
@pytest.mark.parametrize(
    ("shape", "missing", "share", "decimals"),
    [
        ((60, 7), 0.0, 0.5, 12),
        ((60, 7), 0.7, 0.3, 1),
        ((60, 7), 0.2, 0.3, 0),
        ((300, 3), 0.84, 0.05, 12),
        ((30, 617), 0.71, 0.2, 1),
        ((5, 200), 0.6, 0.5, 12),
    ],
)
def test_many_columns_agree_with_the_libraries(
    task: str, shape: tuple[int, int], missing: float, share: float, decimals: int
) -> None:
    """The last shapes have columns without a label, with a single one, and with a single class."""
    y, p = matrices(task, shape, missing=missing, share=share, decimals=decimals)
    if task == "regression":  # a constant prediction has a test of its own: it leaves no mean to compare
        y[:, [len(np.unique(p[~np.isnan(y[:, t]), t])) == 1 for t in range(shape[1])]] = NAN
        assert by_library(task, y, p)["spearman"] is not None
    agree(task, y, p)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_columns_that_count_are_told_from_the_others(order: str) -> None:
    """Every kind of column beside every other, in both memory layouts."""
    y, p = matrices("classification", (40, 6), missing=0.4, decimals=1)
    y[:, 0] = NAN
    y[~np.isnan(y[:, 1]), 1] = 0
    y[~np.isnan(y[:, 2]), 2] = 1
    y[1:, 3] = NAN
    y[0, 3] = 1
    p[:, 4] = 0.25
    y, p = np.asarray(y, order=order), np.asarray(p, order=order)
    agree("classification", y, p)
    auc = [evaluate("classification", y[:, [t]], p[:, [t]])["roc_auc"] for t in range(6)]
    assert auc[:4] == [None] * 4
    assert auc[4] == 0.5
    assert evaluate("classification", y, p)["roc_auc"] == pytest.approx((auc[4] + auc[5]) / 2, abs=1e-15)
    assert undefined_tasks("classification", y) == 4


def test_one_value_ends_a_column_and_begins_the_next() -> None:
    """A run of equal predictions, or labels, stops at the border of two columns."""
    y = np.array([[0.0, 1.0], [1.0, 0.0]])
    p = np.array([[0.1, 0.5], [0.5, 0.9]])
    agree("classification", y, p)
    assert evaluate("classification", y, p)["roc_auc"] == 0.5
    agree("regression", p, y)


def test_labels_and_predictions_of_any_size() -> None:
    """Sums of squares of large offsets, and differences that are not normal numbers, make no tie and no error."""
    y, p = matrices("regression", (50, 4))
    agree("regression", 1e6 + y, 1e6 + p)
    tiny = column(0, 5e-324, 1e-323, 1.5e-323)
    for name in ("spearman", "pearson", "kendall"):
        assert evaluate("regression", column(1, 2, 3, 4), tiny)[name] == pytest.approx(1.0)
    assert evaluate("classification", column(0, 0, 1, 1), tiny)["roc_auc"] == 1.0
    assert evaluate("classification", column(1, 0), column(0.0, -0.0))["roc_auc"] == 0.5


def test_toxcast_labels_give_scikit_learns_scores_task_by_task(shared: Path) -> None:
    y = pd.read_csv(shared / "data" / "toxcast_data.csv.gz").drop(columns="smiles").to_numpy()[::10]
    assert y.shape == (860, 617)
    p = np.random.default_rng(3).random(y.shape).astype(np.float32)
    each = [evaluate("classification", y[:, [t]], p[:, [t]], ["roc_auc"])["roc_auc"] for t in range(y.shape[1])]
    expected = []
    for t in range(y.shape[1]):
        labeled = ~np.isnan(y[:, t])
        both = len(np.unique(y[labeled, t])) == 2
        expected.append(roc_auc_score(y[labeled, t], p[labeled, t]) if both else None)
    assert each == [score if score is None else pytest.approx(score, abs=1e-12) for score in expected]
    assert undefined_tasks("classification", y) == expected.count(None)
    mean = np.mean([score for score in expected if score is not None])
    assert evaluate("classification", y, p)["roc_auc"] == pytest.approx(mean, abs=1e-12)


@st.composite
def cases(draw: st.DrawFn, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Small matrices with many ties, gaps, columns of one class or none."""
    shape = draw(st.tuples(st.integers(0, 8), st.integers(0, 4)))
    labels = [0.0, 1.0, NAN] if task == "classification" else [-1.5, 0.0, 0.25, 3.0, NAN]
    predictions = [0.0, 0.25, 0.5, 0.75, 1.0]
    return (
        draw(arrays(np.float64, shape, elements=st.sampled_from(labels))),
        draw(arrays(np.float64, shape, elements=st.sampled_from(predictions))),
    )


@settings(deadline=None)
@given(cases("classification"))
def test_classification_agrees_with_the_libraries_on_any_matrix(case: tuple[np.ndarray, np.ndarray]) -> None:
    agree("classification", *case)


@settings(deadline=None)
@given(cases("regression"))
def test_regression_agrees_with_the_libraries_on_any_matrix(case: tuple[np.ndarray, np.ndarray]) -> None:
    agree("regression", *case)


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(LIBRARY)))
def test_order_gaps_and_company_change_nothing(data: st.DataObject, task: str) -> None:
    """Rows and columns in another order, and more of them without labels, leave the scores as they are."""
    y, p = data.draw(cases(task))
    scores = evaluate(task, y, p)
    rows, columns = (data.draw(st.permutations(range(size))) for size in y.shape)
    again = np.ix_(rows, columns)
    assert evaluate(task, y[again], p[again]) == near(scores)
    wider = [np.pad(matrix, ((2, 1), (1, 2)), constant_values=NAN) for matrix in (y, p)]
    assert evaluate(task, *wider) == near(scores)


@settings(deadline=None)
@given(cases("classification"))
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(case: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = case[0][:, :1], case[1][:, :1]
    positives, negatives = p[y == 1], p[y == 0]
    won = np.sign(positives[:, None] - negatives) / 2 + 0.5
    assert evaluate("classification", y, p).get("roc_auc") == (pytest.approx(won.mean()) if won.size else None)


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(LIBRARY)))
def test_chosen_metrics_are_those_of_the_whole_set(data: st.DataObject, task: str) -> None:
    y, p = data.draw(cases(task))
    names = data.draw(st.lists(st.sampled_from(sorted(LIBRARY[task])), unique=True))
    scores = evaluate(task, y, p)
    assert list(scores) == list(LIBRARY[task])
    assert list(evaluate(task, y, p, names).items()) == [(name, scores[name]) for name in names]


@pytest.mark.parametrize("name", ["rmse", "accuracy"])
def test_a_metric_of_another_task_is_no_metric(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is no metric of classification; one of roc_auc, average_prec"):
        evaluate("classification", column(0, 1), column(0, 1), ["roc_auc", name])


def test_a_probability_of_one_half_is_class_0() -> None:
    scores = evaluate("classification", column(0, 1), column(0.5, np.nextafter(0.5, 1)))
    assert (scores["mcc"], scores["balanced_accuracy"]) == (1.0, 1.0)


def test_kendall_of_a_large_column_is_scipys() -> None:
    """Of as many molecules as CEP's; with ties, and another column beside it."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(20_000, 2)).round(2)
    p = (y + rng.normal(size=y.shape)).round(3)
    expected = np.mean([kendalltau(y[:, t], p[:, t]).statistic for t in range(2)])
    assert evaluate("regression", y, p, ["kendall"])["kendall"] == pytest.approx(expected, rel=1e-12)


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
def test_r2_and_correlations_need_two_different_labels(y: np.ndarray) -> None:
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
    assert scores["mcc"] == 0.0  # of no information, as in scikit-learn
    assert scores["balanced_accuracy"] == 0.5
    values = evaluate("regression", column(0, 1, 2), column(1, 1, 1))
    assert values["r2"] == 0.0
    # the mean of seven times 0.1 is not 0.1
    rounded = evaluate("regression", column(*range(7)), np.full((7, 1), 0.1))
    for scores in (values, rounded):
        assert {scores[name] for name in ("spearman", "pearson", "kendall")} == {None}


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


@pytest.mark.parametrize("task", LIBRARY)
def test_float32_predictions_score_as_the_same_numbers_in_float64(task: str) -> None:
    y, p = matrices(task, (40, 5))
    assert evaluate(task, y, p.astype(np.float32)) == evaluate(task, y, p.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize(
    ("task", "y", "p", "message"),
    [
        ("regression", column(1, 2), column(1), "same shape"),
        ("regression", np.zeros(3), np.zeros(3), r"\[N, T\]"),
        ("regression", column(1, 2), column(1, NAN), "1 of 2 predictions of task 0"),
        ("regression", column(1, 2), column(1, np.inf), "NaN or infinite"),
        ("regression", np.ones((3, 3)), np.array([[0, 0, NAN], [0, NAN, 0], [0, NAN, 0]]), "2 of 3 .* of task 1"),
        ("classification", np.ones((2, 3)), np.array([[0, 0, 0], [0, 0, 1.5]]), "task 2 must be prob"),
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
