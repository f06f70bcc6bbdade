"""ROFT-MOL: how its coefficients are learned, what is kept, and that nothing else moves."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lab import Lab, clone, equal, primary
from torch import Tensor

from roftbench.errors import JobError
from roftbench.methods.base import Fitted
from roftbench.methods.interpolate import mix
from roftbench.methods.roftmol import ROFTMol

SETTING = ("train.epochs=4", "train.lr=0.01")
BLOCKS = ["embed", "layer0", "layer1"]


@pytest.fixture
def fitted(lab: Lab) -> Fitted:
    """What ROFT-MOL is given after real full fine-tuning on ESOL, the validation part in four batches."""
    return lab.fitted(*SETTING)


@pytest.fixture
def in_one_batch(lab: Lab) -> Fitted:
    """The same with the validation part in one batch: an epoch is one step."""
    given = lab.fitted(*SETTING, "train.batch_size=200")
    assert given.num_val_batches == 1
    return given


def alphas(value: float) -> dict[str, Tensor]:
    return {block: torch.tensor(value, requires_grad=True) for block in BLOCKS}


def test_validation_is_seen_whole_and_once_an_epoch(fitted: Fitted) -> None:
    """113 molecules in batches of 32: 32, 32, 32, 17."""
    assert fitted.num_val_batches == 4
    sizes = (32, 32, 32, 17)
    losses = [fitted.val_loss(fitted.tuned, number).item() for number in range(4)]
    whole = sum(size * loss**2 for size, loss in zip(sizes, losses, strict=True)) / sum(sizes)
    assert fitted.val_score(fitted.tuned) == pytest.approx(whole**0.5, rel=1e-5)


def test_the_first_step_is_adams_on_the_validation_loss_in_evaluation_mode(in_one_batch: Fitted) -> None:
    """Adam's first step is its learning rate against the sign of the gradient."""
    alpha = alphas(0.5)
    loss = in_one_batch.val_loss(mix(in_one_batch, alpha, "interpolate"), 0)
    gradients = torch.autograd.grad(loss, list(alpha.values()))
    assert min(g.abs().item() for g in gradients) > 1e-4
    always = replace(in_one_batch, better=lambda a, b: True)  # whatever comes last is kept
    info = ROFTMol(alpha=0.5, lr=0.01, epochs=1).finish(always).info
    expected = {block: 0.5 - 0.01 * g.sign().item() for block, g in zip(BLOCKS, gradients, strict=True)}
    assert info["alpha"] == pytest.approx(expected, abs=1e-5)
    assert info["history"][1]["val_loss"] == pytest.approx(loss.item(), rel=1e-6)


def test_gradients_of_the_frozen_statistics_are_left_out(in_one_batch: Fitted) -> None:
    """With the statistics interpolated, a coefficient's slope is that of the parameters alone."""
    alpha, step = alphas(0.5), 1e-2
    state = mix(in_one_batch, alpha, "interpolate")
    gradients = torch.autograd.grad(in_one_batch.val_loss(state, 0), list(alpha.values()))
    for block, gradient in zip(BLOCKS, gradients, strict=True):
        losses = []
        for sign in (1, -1):
            other = mix(in_one_batch, {**alphas(0.5), block: torch.tensor(0.5 + sign * step)}, "interpolate")
            held = {key: state[key] if key in in_one_batch.buffers else other[key] for key in other}
            losses.append(in_one_batch.val_loss(held, 0).item())
        assert gradient.item() == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=0.05, abs=1e-3)


@pytest.mark.parametrize("metric_better", ["lower", "higher"])
def test_the_first_best_epoch_is_kept_and_the_start_counts(fitted: Fitted, metric_better: str) -> None:
    better = fitted.better
    if metric_better == "higher":  # the worst RMSE, as if it were a score to raise
        better = lambda a, b: b is None or (a is not None and a > b)  # noqa: E731
    method = ROFTMol(alpha=0.9, lr=0.05, epochs=15)
    finished = method.finish(replace(fitted, better=better))
    history = finished.info["history"]
    assert [row["epoch"] for row in history] == list(range(16))
    scores = [row["val_score"] for row in history]
    target = min(scores) if metric_better == "lower" else max(scores)
    assert finished.info["best_epoch"] == scores.index(target)
    assert len(set(scores)) > 1
    shares = {block: torch.tensor(value) for block, value in finished.info["alpha"].items()}
    assert list(shares) == BLOCKS
    assert fitted.val_score(finished.state) == target
    assert fitted.val_score(mix(fitted, shares, "interpolate")) == target


def test_ties_keep_the_start(fitted: Fitted) -> None:
    finished = ROFTMol(alpha=0.5, lr=1e-30, epochs=3).finish(fitted)
    assert finished.info["best_epoch"] == 0
    assert finished.info["alpha"] == dict.fromkeys(BLOCKS, 0.5)


def test_the_coefficients_lower_the_validation_loss_and_differ_between_blocks(fitted: Fitted) -> None:
    info = ROFTMol(alpha=0.5, lr=0.003, epochs=40).finish(fitted).info
    losses = [row["val_loss"] for row in info["history"][1:]]
    assert losses[-1] < losses[0]
    assert len({round(value, 3) for value in info["alpha"].values()}) == len(BLOCKS)


def test_only_the_coefficients_move(fitted: Fitted) -> None:
    start, tuned = clone(fitted.start), clone(fitted.tuned)
    finished = ROFTMol(alpha=0.5, lr=0.05, epochs=5).finish(fitted)
    assert equal(start, fitted.start)
    assert equal(tuned, fitted.tuned)
    assert finished.state["head.weight"] is fitted.tuned["head.weight"]
    assert not any(value.requires_grad for value in finished.state.values())


@pytest.mark.parametrize(("constraint", "stays"), [("none", False), ("clamp", True), ("sigmoid", True)])
def test_constraints(fitted: Fitted, constraint: str, stays: bool) -> None:
    always = replace(fitted, better=lambda a, b: True)
    method = ROFTMol(alpha=0.9, lr=0.5, epochs=10, constraint=constraint, buffers="finetuned")
    values = method.finish(always).info["alpha"].values()
    assert all(0 <= value <= 1 for value in values) == stays


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.9, 1.0])
def test_a_sigmoid_starts_at_the_share_that_was_asked_for(fitted: Fitted, alpha: float) -> None:
    info = ROFTMol(alpha=alpha, lr=1e-30, epochs=1, constraint="sigmoid").finish(fitted).info
    assert list(info["alpha"].values()) == pytest.approx([alpha] * 3, abs=1e-5)


def test_a_diverging_validation_loss_is_a_job_error(fitted: Fitted) -> None:
    with pytest.raises(JobError, match=r"validation loss is (nan|inf).*lower method\.lr"):
        ROFTMol(lr=1e30, epochs=3).finish(fitted)


@pytest.mark.parametrize(
    "wrong", [{"alpha": -0.1}, {"alpha": 2}, {"lr": 0}, {"epochs": 0}, {"constraint": "relu"}, {"buffers": "none"}]
)
def test_impossible_hyperparameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ROFTMol(**wrong)


@pytest.mark.parametrize("buffers", ["interpolate", "finetuned"])
def test_without_learning_it_is_wise_ft(lab: Lab, buffers: str) -> None:
    setting = (*SETTING, f"method.buffers={buffers}", "method.alpha=0.3")
    learned = lab.done("method=roftmol", "method.lr=1e-30", *setting)
    fixed = lab.done("method=wise_ft", *setting)
    assert learned["scores"] == fixed["scores"]
    assert learned["test_predictions"] == fixed["test_predictions"]
    assert learned["details"]["alpha"] == pytest.approx(fixed["details"]["alpha"])


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_the_record_tells_the_coefficients_and_their_history(lab: Lab, dataset: str) -> None:
    record = lab.done("method=roftmol", "method.epochs=7", "method.lr=0.05", f"dataset={dataset}", *SETTING)
    details = record["details"]
    assert list(details["alpha"]) == BLOCKS
    assert len(details["history"]) == 8
    assert record["best_epoch"] == details["best_epoch"]
    assert details["history"][record["best_epoch"]]["val_score"] == primary(record)
    assert len(record["history"]) == 4
    assert {row["stage"] for row in record["history"]} == {"ft"}
    full = lab.done("method=full_ft", f"dataset={dataset}", *SETTING)
    assert record["base"]["test"] == full["scores"]["test"]
    assert record["history"] == full["history"]
