"""Estimators behave as those of scikit-learn do, with SMILES as their input."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem
from refusals import raises_usage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags

import roftbench
from roftbench import FineTunedClassifier, FineTunedRegressor

Molecules = tuple[list[str], list[float]]
RIDGE = {"model": "ecfp", "method": "ridge"}  # fitted in a moment
NETWORK = {"model": "tiny_gin", "method": "lp_ft", "epochs": 2, "device": "cpu"}
BOTH = [FineTunedRegressor, FineTunedClassifier]
pytestmark = pytest.mark.usefixtures("temporary")

# Checks whose data are SMILES, or that need none. All others give the estimator a matrix of numbers, which is refused.
CHECKS = [
    "check_estimator_cloneable",
    "check_estimator_get_tags_default_keys",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted_without_data",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


def classes(y: list[float]) -> "np.ndarray[Any, Any]":
    return np.where(np.array(y) > np.median(y), "soluble", "not")


@pytest.mark.parametrize("kind", BOTH)
def test_checks_of_scikit_learn(kind: Any) -> None:
    done = []
    for name in CHECKS:
        check = getattr(estimator_checks, name, None)
        if check is not None:  # others in other versions
            given = kind if name == "check_parameters_default_constructible" else kind()
            check(kind.__name__, kind() if given is kind else given)
            done.append(name)
    assert len(done) >= 9


@pytest.mark.parametrize("kind", BOTH)
def test_tags_describe_the_input(kind: Any) -> None:
    tags = get_tags(kind())
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.multi_output
    assert tags.estimator_type == ("regressor" if kind is FineTunedRegressor else "classifier")


@pytest.mark.parametrize("kind", BOTH)
def test_numbers_are_refused_as_molecules(kind: Any) -> None:
    with raises_usage(key="smiles"):
        kind(**RIDGE).fit(np.zeros((4, 3)), [0, 1, 0, 1])
    with raises_usage(match=r"smiles\[0\] is a float", key="smiles"):
        kind(**RIDGE).fit(np.zeros(4), [0, 1, 0, 1])


@pytest.mark.parametrize("kind", BOTH)
def test_predicting_before_fitting_is_refused(kind: Any) -> None:
    with pytest.raises(NotFittedError):
        kind().predict(["CCO"])


def test_network_predicts_what_its_models_predict(molecules: Molecules) -> None:
    smiles, y = molecules
    model = FineTunedRegressor(**NETWORK).fit(smiles, y)
    assert model.predict(smiles).tolist() == model.model_.predict(smiles)["y_predicted"].tolist()
    assert model.score(smiles, y) == pytest.approx(r2_score(y, model.predict(smiles)))
    again = clone(model).fit(smiles, y)
    assert again.predict(smiles).tolist() == model.predict(smiles).tolist()


def test_all_molecules_are_for_training_and_validation(molecules: Molecules) -> None:
    smiles, y = molecules
    count = (
        FineTunedRegressor(**NETWORK, validation_fraction=0.25).fit(smiles, y).model_.saved[0].facts["count"]["graphs"]
    )
    assert count["test"] == 0
    assert count["train"] + count["val"] == len(smiles)
    assert count["val"] == pytest.approx(0.25 * len(smiles), abs=1)


def test_classifier_has_probabilities_and_classes(molecules: Molecules) -> None:
    smiles, y = molecules[0], classes(molecules[1])
    model = FineTunedClassifier(**RIDGE).fit(smiles, y)
    assert model.classes_.tolist() == ["not", "soluble"]
    assert list(model.model_.saved[0].classes) == ["not", "soluble"]
    probability = model.predict_proba(smiles)
    assert probability.sum(axis=1) == pytest.approx(1)
    assert probability[:, 1].tolist() == model.model_.predict(smiles)["y_probability"].tolist()
    assert (model.predict(smiles) == model.classes_[probability.argmax(axis=1)]).all()
    assert model.score(smiles, y) == pytest.approx(accuracy_score(y, model.predict(smiles)))


def test_several_tasks_with_missing_labels(molecules: Molecules) -> None:
    smiles, y = molecules[0], np.array(molecules[1])
    both = np.column_stack([y, -2 * y])
    both[::4, 1] = np.nan
    model = FineTunedRegressor(**RIDGE).fit(smiles, both)
    predicted = model.predict(smiles)
    assert predicted.shape == both.shape
    known = ~np.isnan(both[:, 1])
    means = [r2_score(both[:, 0], predicted[:, 0]), r2_score(both[known, 1], predicted[known, 1])]
    assert model.score(smiles, both) == pytest.approx(np.mean(means))


def test_several_tasks_of_classes(molecules: Molecules) -> None:
    smiles, y = molecules
    both = np.column_stack([np.array(y) > -2, np.array(y) > -3]).astype(int)
    model = FineTunedClassifier(**RIDGE).fit(smiles, both)
    assert [one.shape for one in model.predict_proba(smiles)] == [(len(smiles), 2)] * 2
    assert model.predict(smiles).shape == both.shape
    means = [accuracy_score(both[:, t], model.predict(smiles)[:, t]) for t in (0, 1)]
    assert model.score(smiles, both) == pytest.approx(np.mean(means))


@pytest.mark.parametrize("y", [[0, 1, 2, 1], [1, 1, 1, 1], ["a", 1, "a", 1]])
def test_other_than_two_classes_are_refused(y: list[Any]) -> None:
    with raises_usage(key="y"):
        FineTunedClassifier(**RIDGE).fit(["C", "CC", "CCC", "CCCC"], y)


def test_cross_validation_search_and_pipeline(molecules: Molecules) -> None:
    smiles, y = molecules
    scores = cross_val_score(FineTunedRegressor(**RIDGE), smiles, y, cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    in_processes = cross_val_score(FineTunedRegressor(**RIDGE), smiles, y, cv=3, n_jobs=2, error_score="raise")
    assert in_processes.tolist() == scores.tolist()
    probability = cross_val_predict(FineTunedClassifier(**RIDGE), smiles, classes(y), cv=3, method="predict_proba")
    assert np.isfinite(probability).all()
    search = GridSearchCV(FineTunedRegressor(**RIDGE), {"method": ["ridge", "mean"]}, cv=2, error_score="raise")
    assert search.fit(np.array(smiles), np.array(y)).best_params_ == {"method": "ridge"}
    pipeline = make_pipeline(
        FunctionTransformer(lambda texts: [Chem.CanonSmiles(one) for one in texts]), clone(search.estimator)
    )
    assert pipeline.fit(smiles, y).predict(["OCC"]) == pytest.approx(pipeline.predict(["CCO"]))


def test_columns_and_molecules_are_taken(molecules: Molecules) -> None:
    smiles, y = molecules
    model = FineTunedRegressor(**RIDGE).fit(pd.DataFrame({"smiles": smiles}), pd.DataFrame({"logS": y}))
    expected = model.predict(smiles[:5]).tolist()
    column = np.array(smiles[:5], dtype=object)[:, None]
    assert model.predict(column).tolist() == expected
    assert model.predict(pd.Series(smiles[:5])).tolist() == expected
    assert model.predict([Chem.MolFromSmiles(one) for one in smiles[:5]]) == pytest.approx(expected)


def test_unreadable_molecule(molecules: Molecules) -> None:
    smiles, y = molecules
    model = FineTunedRegressor(**RIDGE).fit(smiles, y)
    assert np.isnan(model.predict(["CCO", "what", None])).tolist() == [False, True, True]
    with raises_usage(match="1 of 2 molecules have no prediction, such as row 1", key="X", got=1):
        model.score(["CCO", "what"], [0.0, 1.0])
    classifier = FineTunedClassifier(**RIDGE).fit(smiles, classes(y))
    assert np.isnan(classifier.predict_proba(["what"])).all()
    with raises_usage(key="X", got=0):
        classifier.predict(["what"])


@pytest.mark.parametrize(("name", "parameter"), [("seed", "random_state"), ("method", "method")])
def test_options_that_a_parameter_sets_are_refused(molecules: Molecules, name: str, parameter: str) -> None:
    with raises_usage(f"which the parameter {parameter} sets", key="options", got=name):
        FineTunedRegressor(**RIDGE, options={name: 4}).fit(*molecules)


@pytest.mark.parametrize("options", [RIDGE, {**NETWORK, "n_seeds": 2}], ids=["ridge", "networks"])
def test_saved_estimator_predicts_the_same(molecules: Molecules, tmp_path: Path, options: dict[str, Any]) -> None:
    smiles, y = molecules
    model = FineTunedClassifier(**options, options={"train": {"lr": 1e-3}}, results=tmp_path / "r").fit(
        smiles, classes(y)
    )
    folder = model.save(tmp_path / "saved")
    assert not list(folder.rglob("*.pkl"))
    loaded = FineTunedClassifier.load(folder, device=model.device)
    assert loaded.predict_proba(smiles).tolist() == model.predict_proba(smiles).tolist()
    assert loaded.predict(smiles[:9]).tolist() == model.predict(smiles[:9]).tolist()
    assert loaded.get_params() == {**model.get_params(), "results": str(tmp_path / "r")}
    frame = roftbench.load(folder).predict(smiles)
    assert frame["y_probability"].tolist() == model.predict_proba(smiles)[:, 1].tolist()
    with raises_usage(match="it is a FineTunedClassifier", key="folder"):
        FineTunedRegressor.load(folder)


def test_pickled_estimator_predicts_the_same(molecules: Molecules) -> None:
    model = FineTunedRegressor(**NETWORK).fit(*molecules)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 (as joblib does between processes)
    assert again.predict(["CCO"]).tolist() == model.predict(["CCO"]).tolist()


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({"random_state": None}, "random_state"),
        ({"validation_fraction": 0.0}, "validation_fraction"),
        ({"validation_fraction": 0.999}, "split"),
        ({"model": "gin_maskin"}, "model"),
        ({"n_seeds": 0}, "n_seeds"),
    ],
)
def test_wrong_parameter_is_refused_by_fit(molecules: Molecules, params: dict[str, Any], key: str) -> None:
    with raises_usage(key=key):
        FineTunedRegressor(**{**RIDGE, **params}).fit(*molecules)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"estimator": "FineTunedRegressor", "params": {"depth": 3}}'])
def test_damaged_parameters_are_refused(molecules: Molecules, tmp_path: Path, content: str) -> None:
    folder = FineTunedRegressor(**RIDGE).fit(*molecules).save(tmp_path / "saved")
    (folder / "estimator.json").write_text(content)
    with raises_usage(key="folder"):
        FineTunedRegressor.load(folder)
