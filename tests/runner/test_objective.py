"""The learning problem of a job: labels, scale, loss, predictions and scores."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from lab import Lab, molecules, write_csv
from numpy.typing import NDArray

from roftbench.metrics import evaluate
from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN
from roftbench.runner.network import Workbench
from roftbench.runner.objective import EVAL_BATCH, Problem, to_predictions, too_close

NAN = float("nan")


@pytest.fixture
def bench(lab: Lab) -> Workbench:
    return lab.bench("label_ratio=full")


def problem_of(bench: Workbench, y: NDArray[np.float64], *, metric: str = "rmse", standardize: bool = False) -> Problem:
    """Return the problem of other labels on the bench's molecules and parts."""
    parts = bench.parts
    return Problem.create(
        bench.dataset.graphs,
        y,
        (parts.train, parts.val, parts.test),
        metric=metric,
        loss="rmse" if metric == "rmse" else "bce",
        standardize=standardize,
        device=torch.device("cpu"),
    )


def two_columns(bench: Workbench) -> NDArray[np.float64]:
    """ESOL's labels, some missing, beside a second column on another scale."""
    y = np.concatenate([bench.dataset.y, 50 + 10 * bench.dataset.y], axis=1)
    y[::7, 0] = NAN
    y[::5, 1] = NAN
    return y


def test_parts_are_those_of_the_split_and_disjoint(bench: Workbench) -> None:
    problem = bench.problem
    parts = [problem.train.tolist(), problem.val.tolist(), problem.test.tolist()]
    assert parts == [bench.parts.train.tolist(), bench.parts.val.tolist(), bench.parts.test.tolist()]
    assert sorted(sum(parts, [])) == list(range(len(bench.dataset)))  # noqa: RUF017
    assert problem.num_tasks == 1


def test_unscaled_targets_are_the_default(bench: Workbench) -> None:
    problem = bench.problem
    outputs = torch.tensor([[1.5], [-2.0]])
    assert problem.to_predictions(outputs).tolist() == outputs.tolist()
    expected = (outputs - problem.targets[[3, 9]]).square().mean().sqrt()
    torch.testing.assert_close(problem.loss(outputs, torch.tensor([3, 9])), expected)


def test_scale_comes_from_the_training_labels_alone(bench: Workbench) -> None:
    y = two_columns(bench)
    problem = problem_of(bench, y, standardize=True)
    train = y[bench.parts.train]
    np.testing.assert_allclose(problem.offset, np.nanmean(train, 0), rtol=1e-5)
    np.testing.assert_allclose(problem.scale, np.nanstd(train, 0), rtol=1e-5)
    y[bench.parts.val] = 1e6
    y[bench.parts.test] = NAN
    other = problem_of(bench, y, standardize=True)
    assert problem.offset.tolist() == other.offset.tolist()
    assert problem.scale.tolist() == other.scale.tolist()


def test_standardised_outputs_come_back_in_the_labels_unit(bench: Workbench) -> None:
    problem = problem_of(bench, bench.dataset.y, standardize=True)
    index = problem.test
    exact = problem.targets[index]
    assert problem.loss(exact, index).item() == 0
    np.testing.assert_allclose(problem.to_predictions(exact), bench.dataset.y[bench.parts.test], rtol=1e-5, atol=1e-5)
    zero = problem.to_predictions(torch.zeros(len(index), 1))
    mean = bench.dataset.y[bench.parts.train].mean()
    spread = np.sqrt(np.mean((bench.dataset.y[bench.parts.test] - mean) ** 2))
    assert problem.scores(zero, index)["rmse"] == pytest.approx(spread, rel=1e-5)


def test_labels_that_float32_does_not_tell_apart_are_learnt_and_scored_as_they_are(bench: Workbench) -> None:
    """Total energies, say: float32 has steps of 8 at 1e8."""
    y = 1e8 + bench.dataset.y
    problem = problem_of(bench, y, standardize=True)
    plain = problem_of(bench, bench.dataset.y, standardize=True)
    torch.testing.assert_close(problem.targets, plain.targets, atol=1e-6, rtol=0)
    outputs = torch.zeros(len(problem.test), 1)
    rmse = plain.scores(plain.to_predictions(outputs), plain.test)["rmse"]
    assert problem.scores(problem.to_predictions(outputs), problem.test)["rmse"] == pytest.approx(rmse, rel=1e-6)


@pytest.mark.parametrize("offset", [1e8, 1e39])
def test_labels_that_float32_does_not_tell_apart_are_refused_as_they_are(bench: Workbench, offset: float) -> None:
    far = offset + bench.dataset.y
    assert "more than float32 can tell apart" in too_close(far)
    assert "train.standardize_targets=true" in too_close(far)
    assert problem_of(bench, far).y is far  # a forest learns and is scored in float64
    assert too_close(bench.dataset.y) == ""
    y = two_columns(bench)
    np.testing.assert_array_equal(problem_of(bench, y).y, y.astype(np.float32))


def test_a_column_without_labels_or_spread_has_offset_and_scale_all_the_same(bench: Workbench) -> None:
    y = np.concatenate([bench.dataset.y, np.full_like(bench.dataset.y, NAN), np.full_like(bench.dataset.y, 3.0)], 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy's mean of nothing warns
        problem = problem_of(bench, y, standardize=True)
    assert problem.offset[1:].tolist() == [0, 3]
    assert problem.scale[1:].tolist() == [1, 1]
    outputs = torch.zeros(len(problem.test), 3, requires_grad=True)
    problem.loss(outputs, problem.test).backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    assert (outputs.grad[:, 1] == 0).all()


def test_classes_are_never_standardised(lab: Lab) -> None:
    bench = lab.bench("dataset=bbbp")
    problem = problem_of(bench, bench.dataset.y, metric="roc_auc", standardize=True)
    assert problem.offset.tolist() == [0]
    assert problem.scale.tolist() == [1]
    predictions = problem.to_predictions(torch.tensor([[0.0], [-100.0], [100.0]]))
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


def test_scores_leave_missing_labels_out(bench: Workbench) -> None:
    y = two_columns(bench)
    problem = problem_of(bench, y)
    predictions = np.zeros((len(problem.test), 2))
    found = problem.scores(predictions, problem.test)
    test = y[bench.parts.test]
    rmse = np.mean([np.sqrt(np.nanmean(test[:, column] ** 2)) for column in (0, 1)])
    mae = np.mean([np.nanmean(np.abs(test[:, column])) for column in (0, 1)])
    assert found["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert found["mae"] == pytest.approx(mae, rel=1e-5)
    assert found["spearman"] is None  # of a constant


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_scores_of_predictions_that_are_no_numbers_are_undefined(bench: Workbench, value: float) -> None:
    predictions = np.zeros((len(bench.problem.val), 1))
    predictions[4] = value
    assert bench.problem.scores(predictions, bench.problem.val) == dict.fromkeys(("rmse", "mae", "r2", "spearman"))


def test_predictions_keep_the_order_over_several_batches(bench: Workbench) -> None:
    problem, model = bench.problem, bench.model.eval()
    order = torch.randperm(len(problem.y), generator=torch.Generator().manual_seed(3))
    assert len(order) > 2 * EVAL_BATCH
    together = problem.to_predictions(problem.outputs(model, order, model.encoder.shared_layers()))
    for position in (0, 1, EVAL_BATCH - 1, EVAL_BATCH, 2 * EVAL_BATCH, len(order) - 1):
        alone = problem.to_predictions(problem.outputs(model, order[position : position + 1], 0))
        np.testing.assert_allclose(together[position], alone[0], rtol=1e-4, atol=1e-6)


def test_missing_labels_of_a_table_give_no_gradient(lab: Lab, tmp_path: Path) -> None:
    """From a CSV with two targets, one of them empty, to the head's gradient."""
    smiles, labels = molecules("esol", lab.job()[0], 30)
    path = write_csv(tmp_path / "two.csv", {"smiles": smiles, "a": labels, "b": [None] * 30})
    given = ("dataset=csv", f"dataset.path={path}", "dataset.targets=[a,b]", "dataset.task=regression")
    bench = lab.bench(*given, "label_ratio=full", "split=random")
    model = Predictor(GIN(2, 16), 2)
    index = bench.problem.train
    bench.problem.loss(model(bench.problem.graphs.batch(index)), index).backward()
    gradient = model.head.weight.grad
    assert gradient is not None
    assert gradient[0].abs().sum() > 0
    assert gradient[1].abs().sum() == 0
