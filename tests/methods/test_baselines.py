"""Estimators against scikit-learn, on the fingerprints of ESOL and BBBP and on floats as an encoder gives them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lab import ROOT, Lab
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.cross_decomposition import PLSRegression
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

import roftbench
from roftbench.errors import SkipJob
from roftbench.methods.estimator import Estimator, Labels
from roftbench.methods.gaussian_process import GaussianProcess
from roftbench.methods.kernels import standardization, tanimoto
from roftbench.methods.knn import NearestNeighbors
from roftbench.methods.mean import Mean
from roftbench.methods.pls import PLS
from roftbench.methods.ridge import Ridge
from roftbench.predict.featurize import featurized

ASSETS = ROOT / "src" / "roftbench" / "assets" / "data"
NAMES = ["mean", "ridge", "pls", "knn", "gp"]
ESTIMATORS = [Mean(), Ridge(), PLS(), NearestNeighbors(6), NearestNeighbors(6, "uniform"), GaussianProcess()]
TASKS = ["regression", "classification"]
Features = NDArray[Any]


@pytest.fixture(scope="module")
def bits() -> tuple[Features, Labels]:
    """Features [60, 40] and labels that depend on them."""
    rng = np.random.default_rng(0)
    x = (rng.random((60, 40)) < 0.3).astype(np.uint8)
    return x, x[:, :5] @ np.array([1.0, -2.0, 0.5, 3.0, -1.0]) + 0.3 * rng.standard_normal(60)


@pytest.fixture(scope="module")
def floats(bits: tuple[Features, Labels]) -> tuple[Features, Labels]:
    """Features of very different scales, as an encoder gives them."""
    rng = np.random.default_rng(1)
    scales = 10.0 ** rng.uniform(-2, 2, 12)
    return (bits[0][:, :12] + 0.1 * rng.standard_normal((60, 12))).astype(np.float32) * scales.astype(np.float32), bits[
        1
    ]


def fitted(estimator: Estimator, x: Features, y: Labels, task: str = "regression") -> Any:
    return estimator.fit(x, y, task, seed=0, threads=1)


class Tanimoto(Kernel):  # type: ignore[misc]
    """The kernel for scikit-learn."""

    def __init__(self) -> None:
        """Have no parameter."""

    def __call__(self, x: Features, y: Features | None = None, eval_gradient: bool = False) -> Any:
        found = tanimoto(x, x if y is None else y)
        return (found, np.empty((*found.shape, 0))) if eval_gradient else found

    def diag(self, x: Features) -> Labels:
        return np.ones(len(x))

    def is_stationary(self) -> bool:
        return False


def test_mean_is_the_training_mean_and_the_share_of_class_1(bits: tuple[Features, Labels]) -> None:
    x, y = bits
    assert fitted(Mean(), x, y)(x[:3]).tolist() == [y.mean()] * 3
    assert fitted(Mean(), x, (y > 1).astype(float), "classification")(x[:1]) == [(y > 1).mean()]


@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_ridge_is_scikit_learns(bits: tuple[Features, Labels], floats: tuple[Features, Labels], alpha: float) -> None:
    x, y = bits
    assert fitted(Ridge(alpha), x, y)(x) == pytest.approx(ScikitRidge(alpha).fit(x, y).predict(x), abs=1e-9)
    x, y = floats
    scaled = StandardScaler().fit_transform(x.astype(np.float64))
    assert fitted(Ridge(alpha), x, y)(x) == pytest.approx(ScikitRidge(alpha).fit(scaled, y).predict(scaled), abs=1e-6)
    positive = (y > 1).astype(float)
    oracle = LogisticRegression(C=1 / alpha, tol=1e-8, max_iter=5000).fit(scaled, positive)
    found = fitted(Ridge(alpha), x, positive, "classification")(x)
    assert found == pytest.approx(oracle.predict_proba(scaled)[:, 1], abs=2e-3)
    assert found == pytest.approx(expit(oracle.decision_function(scaled)), abs=2e-3)


def test_pls_is_scikit_learns_and_clips_classes(bits: tuple[Features, Labels]) -> None:
    x, y = bits
    oracle = PLSRegression(3, scale=False).fit(x.astype(float), y).predict(x.astype(float))
    assert fitted(PLS(3), x, y)(x) == pytest.approx(oracle.ravel(), abs=1e-8)
    found = fitted(PLS(5), x, (y > 1).astype(float), "classification")(x)
    assert 0 == found.min() < found.max() == 1


def test_pls_takes_no_more_components_than_there_are(bits: tuple[Features, Labels]) -> None:
    x, y = bits
    assert fitted(PLS(20), x[:3], y[:3])(x[:3]) == pytest.approx(y[:3], abs=1e-9)
    assert fitted(PLS(20), x[:1], y[:1])(x) == pytest.approx([y[0]] * 60)


def test_feature_that_is_nearly_zero_for_all_training_molecules_takes_no_prediction_far_away(
    floats: tuple[Features, Labels],
) -> None:
    x, y = floats
    dead = 1e-5 * np.random.default_rng(5).standard_normal((len(x), 1)).astype(np.float32)
    wide = np.hstack([x, dead])
    _, scale = standardization(wide)
    assert scale[:-1] == pytest.approx(x.std(axis=0, dtype=np.float64))
    assert scale[-1] == pytest.approx(np.median(wide.std(axis=0, dtype=np.float64)))
    new = wide[:5].copy()
    new[:, -1] = 0.5
    for estimator in (Ridge(0.1), PLS(), GaussianProcess()):
        predictions = fitted(estimator, wide, y)(new)
        assert np.abs(predictions - y.mean()).max() < 5 * np.ptp(y), estimator


@pytest.mark.parametrize("weights", ["similarity", "uniform"])
def test_neighbors_are_those_of_scikit_learn(bits: tuple[Features, Labels], weights: str) -> None:
    x, y = bits
    similarity = tanimoto(x, x)
    scikit = {"uniform": "uniform", "similarity": lambda distance: 1 - distance}[weights]
    oracle = KNeighborsRegressor(1, metric="precomputed", weights=scikit).fit(1 - similarity, y)
    assert fitted(NearestNeighbors(1, weights), x, y)(x) == pytest.approx(oracle.predict(1 - similarity))
    rng = np.random.default_rng(3)
    floats = rng.standard_normal((60, 6))  # no ties
    scaled = StandardScaler().fit_transform(floats)
    by_distance = {"uniform": "uniform", "similarity": lambda distance: 1 / (1 + distance / np.sqrt(6))}[weights]
    oracle = KNeighborsRegressor(5, weights=by_distance).fit(scaled, y)
    assert fitted(NearestNeighbors(5, weights), floats, y)(floats) == pytest.approx(oracle.predict(scaled))


def test_neighbors_without_anything_in_common_count_alike(bits: tuple[Features, Labels]) -> None:
    x, y = bits
    nothing = np.zeros((1, 40), np.uint8)
    assert fitted(NearestNeighbors(60), x, y)(nothing) == pytest.approx([y.mean()])


def test_gaussian_process_has_the_likelihood_and_predictions_of_scikit_learn(bits: tuple[Features, Labels]) -> None:
    x, y = np.repeat(bits[0][:30], 2, axis=0), np.repeat(bits[1][:30], 2)  # replicates tell noise from signal
    y = y + np.random.default_rng(5).standard_normal(60)
    predict = fitted(GaussianProcess(), x, y)
    posterior = predict.args[0]
    kernel = ConstantKernel(1.0, (1e-5, 1e5)) * Tanimoto() + WhiteKernel(1.0, (1e-5, 1e5))
    oracle = GaussianProcessRegressor(kernel, n_restarts_optimizer=3, random_state=0).fit(x, y - y.mean())
    mean, deviation = oracle.predict(x, return_std=True)
    ours = np.log([posterior.signal, posterior.signal * posterior.noise])
    assert oracle.log_marginal_likelihood(ours) == pytest.approx(oracle.log_marginal_likelihood_value_, abs=1e-4)
    assert predict(x) == pytest.approx(mean + y.mean(), abs=1e-3)
    assert posterior.moments(x)[1] == pytest.approx(deviation, rel=1e-3)


@pytest.mark.parametrize("kind", ["bits", "floats"])
def test_gaussian_process_has_the_moments_of_scikit_learn_before_and_after_it_is_saved(
    kind: str, request: pytest.FixtureRequest
) -> None:
    x, y = request.getfixturevalue(kind)
    gp = GaussianProcess()
    predict = fitted(gp, x[:40], y[:40])
    posterior = predict.args[0]
    scaled = StandardScaler().fit(x[:40].astype(np.float64)).transform(x) if kind == "floats" else x
    own = Tanimoto() if kind == "bits" else RBF(np.sqrt(posterior.kernel.width * x.shape[1]))
    kernel = ConstantKernel(posterior.signal) * own + WhiteKernel(posterior.signal * posterior.noise)
    oracle = GaussianProcessRegressor(kernel, optimizer=None, alpha=0).fit(scaled[:40], y[:40] - y[:40].mean())
    mean, deviation = oracle.predict(scaled, return_std=True)
    restored = gp.restored(gp.arrays(predict), "regression")
    for one in (predict, restored):
        found = gp.moments(one, x)
        assert found[0] == pytest.approx(mean + y[:40].mean(), abs=1e-6)
        assert found[1] == pytest.approx(deviation, abs=1e-6)
        assert found[0].tolist() == one(x).tolist()
    assert np.array_equal(gp.moments(predict, x), gp.moments(restored, x))


def test_gaussian_process_computes_each_kernel_once_and_in_blocks(
    bits: tuple[Features, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = list[tuple[int, int]]()

    def counted(a: Features, b: Features) -> Features:
        sizes.append((len(a), len(b)))
        return tanimoto(a, b)

    monkeypatch.setattr("roftbench.methods.gaussian_process.tanimoto", counted)
    gp = GaussianProcess()
    predict = fitted(gp, *bits)
    assert sizes == [(60, 60)]
    many = np.tile(bits[0], (20, 1))
    mean, deviation = gp.moments(predict, many)
    assert sizes[1:] == [(512, 60), (512, 60), (176, 60)]
    assert mean == pytest.approx(np.tile(predict(bits[0]), 20), abs=1e-12)
    assert len(deviation) == 1200
    assert [len(one) for one in gp.moments(predict, many[:0])] == [0, 0]


def test_gaussian_process_of_labels_without_variation_has_no_deviation(bits: tuple[Features, Labels]) -> None:
    gp = GaussianProcess()
    mean, deviation = gp.moments(fitted(gp, bits[0], np.full(60, 3.0)), bits[0][:2])
    assert mean.tolist() == [3.0, 3.0]
    assert np.isnan(deviation).all()


def test_gaussian_process_widens_away_from_the_training_molecules(floats: tuple[Features, Labels]) -> None:
    x, y = floats
    posterior = fitted(GaussianProcess(), x, y).args[0]
    far = x[:5] + 50 * x.std(axis=0)
    assert (posterior.moments(far)[1] > posterior.moments(x[:5])[1]).all()
    assert posterior.mean(far) == pytest.approx([y.mean()] * 5, abs=1e-6)


def test_gaussian_process_refuses_what_would_take_hours(bits: tuple[Features, Labels]) -> None:
    with pytest.raises(SkipJob, match=r"60 training molecules are more than method\.max_molecules=50"):
        fitted(GaussianProcess(50), *bits)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_constant_features_or_labels_give_finite_predictions(estimator: Estimator, task: str) -> None:
    x = np.ones((6, 3), np.uint8)
    y = np.array([0.0, 1, 0, 1, 0, 1])
    for features in (x, x.astype(np.float32), np.zeros_like(x)):
        assert fitted(estimator, features, y, task)(features) == pytest.approx([0.5] * 6, abs=1e-3)
    if task == "regression":
        assert fitted(estimator, x, np.full(6, 3.0))(x) == pytest.approx([3.0] * 6)
        assert fitted(estimator, x[:1], y[:1])(x) == pytest.approx([0.0] * 6)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["bits", "floats"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_arrays_restore_the_same_predictions(
    estimator: Estimator, kind: str, task: str, request: pytest.FixtureRequest
) -> None:
    x, y = request.getfixturevalue(kind)
    y = y if task == "regression" else (y > 1).astype(float)
    predict = fitted(estimator, x[:40], y[:40], task)
    restored = estimator.restored(estimator.arrays(predict), task)
    assert restored(x).tolist() == predict(x).tolist()
    assert len(predict(x[:0])) == 0


@pytest.mark.parametrize("dataset", ["esol", "bace"])
@pytest.mark.parametrize("method", NAMES)
def test_saved_baseline_predicts_what_its_record_holds(lab: Lab, method: str, dataset: str) -> None:
    record = lab.done("model=ecfp", f"method={method}", f"dataset={dataset}", "run.keep=true")
    table = pd.read_csv(ASSETS / f"{dataset}.csv.gz")
    smiles = [table.iloc[row, 0].strip() for row in record.test_predictions.row]
    model = roftbench.load(lab.store.model_path(record.key))
    found = model.members[0].predict(featurized(smiles, []))[:, 0]  # not calibrated
    assert found == pytest.approx([row[0] for row in record.test_predictions.prediction])


def test_similar_molecules_are_predicted_better_than_by_the_mean(lab: Lab) -> None:
    scores = {name: lab.done("model=ecfp", f"method={name}").scores.test["rmse"] for name in NAMES}
    assert min(scores, key=lambda name: -scores[name]) == "mean"
