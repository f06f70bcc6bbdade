"""The forest's hyperparameters, its numbers, and what there is to predict without any."""

from typing import Any

import numpy as np
import pytest
from refusals import raises_usage
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from roftbench.errors import SkipJob
from roftbench.methods.estimator import constant
from roftbench.methods.random_forest import RandomForest

X = np.random.default_rng(0).integers(0, 2, (60, 30)).astype(np.uint8)
Y = X[:, :5].sum(1) + X[:, 7] * 0.5
TASKS = {"regression": Y, "classification": (Y > 2.5).astype(float)}


@pytest.mark.parametrize("task", TASKS)
def test_auto_is_the_root_for_classification_and_a_third_for_regression(task: str) -> None:
    predicted = RandomForest(n_estimators=7).fit(X, TASKS[task], task, seed=3, threads=1)(X)
    if task == "regression":
        forest: Any = RandomForestRegressor(7, max_features=1 / 3, random_state=3).fit(X, TASKS[task])
        expected = forest.predict(X)
    else:
        forest = RandomForestClassifier(7, max_features="sqrt", random_state=3).fit(X, TASKS[task])
        expected = forest.predict_proba(X)[:, 1]
    assert predicted.tolist() == expected.tolist()


@pytest.mark.parametrize("task", TASKS)
def test_threads_and_repetition_change_no_bit_and_the_seed_does(task: str) -> None:
    forest = RandomForest(n_estimators=40)
    first, *same = (forest.fit(X, TASKS[task], task, seed=0, threads=threads)(X).tolist() for threads in (1, 1, 2, 4))
    assert same == [first] * 3
    assert forest.fit(X, TASKS[task], task, seed=2**40 + 1, threads=1)(X).tolist() != first


@pytest.mark.parametrize(
    "wrong",
    [{"n_estimators": 0}, {"min_samples_leaf": 0}, {"max_features": 0.0}, {"max_features": 1.5}, {"max_features": "x"},
     {"class_weight": "heavy"}],
)  # fmt: skip
def test_impossible_hyperparameters_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with raises_usage(key=next(iter(wrong))):
        RandomForest(**wrong)


def test_class_weights_are_for_classes() -> None:
    weighted = RandomForest(n_estimators=5, class_weight="balanced")
    weighted.fit(X, TASKS["classification"], "classification", seed=0, threads=1)
    with pytest.raises(SkipJob, match="class_weight=balanced is for classification"):
        weighted.fit(X, Y, "regression", seed=0, threads=1)


@pytest.mark.parametrize(
    ("labels", "task", "expected"),
    [
        ([0, 0], "classification", 0.0),
        ([1], "classification", 1.0),
        ([], "classification", 0.5),
        ([0, 1], "classification", None),
        ([], "regression", 0.0),
        ([7.5], "regression", None),
    ],
)
def test_what_is_predicted_where_labels_teach_nothing(labels: list[float], task: str, expected: float | None) -> None:
    assert constant(np.array(labels, float), task) == expected
