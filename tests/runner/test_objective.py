"""The learning problem of a job: labels, scale, loss, predictions and scores."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from lab import Lab, molecules, write_csv
from numpy.typing import NDArray

from roftbench.metrics import evaluate
from roftbench.models.acceleration import shared_layers
from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.objective import EVAL_BATCH, Objective, to_predictions, too_close

NAN = float("nan")


@pytest.fixture
def experiment(lab: Lab) -> NetworkExperiment:
    return lab.experiment("label_ratio=full")


def objective_of(
    experiment: NetworkExperiment, y: NDArray[np.float64], *, metric: str = "rmse", standardize: bool = False
) -> Objective:
    """Return the objective of other labels on the experiment's molecules and parts."""
    parts = experiment.parts
    return Objective.create(
        experiment.dataset.graphs,
        y,
        (parts.train, parts.val, parts.test),
        metric=metric,
        loss="rmse" if metric == "rmse" else "bce",
        standardize=standardize,
        device=torch.device("cpu"),
    )


def two_columns(experiment: NetworkExperiment) -> NDArray[np.float64]:
    """ESOL's labels, some missing, beside a second column on another scale."""
    y = np.concatenate([experiment.dataset.y, 50 + 10 * experiment.dataset.y], axis=1)
    y[::7, 0] = NAN
    y[::5, 1] = NAN
    return y


def test_parts_are_those_of_the_split_and_disjoint(experiment: NetworkExperiment) -> None:
    objective = experiment.objective
    parts = [objective.train.tolist(), objective.val.tolist(), objective.test.tolist()]
    assert parts == [experiment.parts.train.tolist(), experiment.parts.val.tolist(), experiment.parts.test.tolist()]
    assert sorted(sum(parts, [])) == list(range(len(experiment.dataset)))  # noqa: RUF017
    assert objective.num_tasks == 1


def test_unscaled_targets_are_the_default(experiment: NetworkExperiment) -> None:
    objective = experiment.objective
    outputs = torch.tensor([[1.5], [-2.0]])
    assert objective.to_predictions(outputs).tolist() == outputs.tolist()
    expected = (outputs - objective.targets[[3, 9]]).square().mean().sqrt()
    torch.testing.assert_close(objective.loss(outputs, torch.tensor([3, 9])), expected)


def test_scale_comes_from_the_training_labels_alone(experiment: NetworkExperiment) -> None:
    y = two_columns(experiment)
    objective = objective_of(experiment, y, standardize=True)
    train = y[experiment.parts.train]
    np.testing.assert_allclose(objective.offset, np.nanmean(train, 0), rtol=1e-5)
    np.testing.assert_allclose(objective.scale, np.nanstd(train, 0), rtol=1e-5)
    y[experiment.parts.val] = 1e6
    y[experiment.parts.test] = NAN
    other = objective_of(experiment, y, standardize=True)
    assert objective.offset.tolist() == other.offset.tolist()
    assert objective.scale.tolist() == other.scale.tolist()


def test_standardized_outputs_come_back_in_the_labels_unit(experiment: NetworkExperiment) -> None:
    objective = objective_of(experiment, experiment.dataset.y, standardize=True)
    index = objective.test
    exact = objective.targets[index]
    assert objective.loss(exact, index).item() == 0
    np.testing.assert_allclose(
        objective.to_predictions(exact), experiment.dataset.y[experiment.parts.test], rtol=1e-5, atol=1e-5
    )
    zero = objective.to_predictions(torch.zeros(len(index), 1))
    mean = experiment.dataset.y[experiment.parts.train].mean()
    spread = np.sqrt(np.mean((experiment.dataset.y[experiment.parts.test] - mean) ** 2))
    assert objective.scores(zero, index)["rmse"] == pytest.approx(spread, rel=1e-5)


def test_labels_that_float32_does_not_tell_apart_are_learned_and_scored_as_they_are(
    experiment: NetworkExperiment,
) -> None:
    """Total energies, say: float32 has steps of 8 at 1e8."""
    y = 1e8 + experiment.dataset.y
    objective = objective_of(experiment, y, standardize=True)
    plain = objective_of(experiment, experiment.dataset.y, standardize=True)
    torch.testing.assert_close(objective.targets, plain.targets, atol=1e-6, rtol=0)
    outputs = torch.zeros(len(objective.test), 1)
    rmse = plain.scores(plain.to_predictions(outputs), plain.test)["rmse"]
    assert objective.scores(objective.to_predictions(outputs), objective.test)["rmse"] == pytest.approx(rmse, rel=1e-6)


@pytest.mark.parametrize("offset", [1e8, 1e39])
def test_labels_that_float32_does_not_tell_apart_are_refused_as_they_are(
    experiment: NetworkExperiment, offset: float
) -> None:
    far = offset + experiment.dataset.y
    assert "more than float32 can tell apart" in too_close(far)
    assert "train.standardize_targets=true" in too_close(far)
    assert objective_of(experiment, far).y is far  # a forest learns and is scored in float64
    assert too_close(experiment.dataset.y) == ""
    y = two_columns(experiment)
    np.testing.assert_array_equal(objective_of(experiment, y).y, y.astype(np.float32))


def test_a_column_without_labels_or_spread_has_offset_and_scale_all_the_same(experiment: NetworkExperiment) -> None:
    y = np.concatenate(
        [experiment.dataset.y, np.full_like(experiment.dataset.y, NAN), np.full_like(experiment.dataset.y, 3.0)], 1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy's mean of nothing warns
        objective = objective_of(experiment, y, standardize=True)
    assert objective.offset[1:].tolist() == [0, 3]
    assert objective.scale[1:].tolist() == [1, 1]
    outputs = torch.zeros(len(objective.test), 3, requires_grad=True)
    objective.loss(outputs, objective.test).backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    assert (outputs.grad[:, 1] == 0).all()


def test_classes_are_never_standardized(lab: Lab) -> None:
    experiment = lab.experiment("dataset=bbbp")
    objective = objective_of(experiment, experiment.dataset.y, metric="roc_auc", standardize=True)
    assert objective.offset.tolist() == [0]
    assert objective.scale.tolist() == [1]
    predictions = objective.to_predictions(torch.tensor([[0.0], [-100.0], [100.0]]))
    np.testing.assert_allclose(predictions, [[0.5], [0.0], [1.0]], atol=1e-6)


def test_large_logits_keep_their_order_as_probabilities() -> None:
    """In float32 the sigmoid is 1.0 from 17 on, and such molecules would tie in a ROC-AUC."""
    logits = torch.linspace(5.0, 30.0, 1000)[:, None]
    scale, offset = np.ones(1), np.zeros(1)
    probabilities = to_predictions(logits, "classification", scale, offset)
    assert (np.diff(probabilities[:, 0]) > 0).all()
    y = (np.arange(1000) >= 500)[:, None].astype(np.float64)
    assert evaluate("classification", y, probabilities, ["roc_auc"]) == {"roc_auc": 1.0}
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits.double().numpy())), rtol=1e-15)
    assert len(np.unique(logits.sigmoid().numpy())) < 700


def test_scores_leave_missing_labels_out(experiment: NetworkExperiment) -> None:
    y = two_columns(experiment)
    objective = objective_of(experiment, y)
    predictions = np.zeros((len(objective.test), 2))
    found = objective.scores(predictions, objective.test)
    test = y[experiment.parts.test]
    rmse = np.mean([np.sqrt(np.nanmean(test[:, column] ** 2)) for column in (0, 1)])
    mae = np.mean([np.nanmean(np.abs(test[:, column])) for column in (0, 1)])
    assert found["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert found["mae"] == pytest.approx(mae, rel=1e-5)
    assert found["spearman"] is None  # of a constant


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_scores_of_predictions_that_are_no_numbers_are_undefined(experiment: NetworkExperiment, value: float) -> None:
    predictions = np.zeros((len(experiment.objective.val), 1))
    predictions[4] = value
    assert experiment.objective.scores(predictions, experiment.objective.val) == dict.fromkeys(
        ("rmse", "mae", "r2", "spearman", "pearson", "kendall")
    )


def test_predictions_keep_the_order_over_several_batches(experiment: NetworkExperiment) -> None:
    objective, model = experiment.objective, experiment.model.eval()
    order = torch.randperm(len(objective.y), generator=torch.Generator().manual_seed(3))
    assert len(order) > 2 * EVAL_BATCH
    together = objective.to_predictions(objective.outputs(model, order, shared_layers(model.encoder)))
    for position in (0, 1, EVAL_BATCH - 1, EVAL_BATCH, 2 * EVAL_BATCH, len(order) - 1):
        alone = objective.to_predictions(objective.outputs(model, order[position : position + 1], 0))
        np.testing.assert_allclose(together[position], alone[0], rtol=1e-4, atol=1e-6)


def test_missing_labels_of_a_table_give_no_gradient(lab: Lab, tmp_path: Path) -> None:
    """From a CSV with two targets, one of them empty, to the head's gradient."""
    smiles, labels = molecules("esol", lab.job()[0], 30)
    path = write_csv(tmp_path / "two.csv", {"smiles": smiles, "a": labels, "b": [None] * 30})
    given = ("dataset=csv", f"dataset.path={path}", "dataset.targets=[a,b]", "dataset.task=regression")
    experiment = lab.experiment(*given, "label_ratio=full", "split=random")
    model = Predictor(GIN(2, 16), 2)
    index = experiment.objective.train
    experiment.objective.loss(model(experiment.objective.graphs.batch(index)), index).backward()
    gradient = model.head.weight.grad
    assert gradient is not None
    assert gradient[0].abs().sum() > 0
    assert gradient[1].abs().sum() == 0
