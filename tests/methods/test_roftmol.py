"""ROFT-MOL: how its coefficients are learned, what is kept, and that nothing else moves."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from encoders import SMALL, SMILES, batch_for
from lab import Lab, clone, equal, fitted_between, primary
from refusals import raises_usage
from torch import Tensor
from torch.func import functional_call
from whole import but_whole

from roftbench.errors import JobError
from roftbench.methods.base import Fitted
from roftbench.methods.interpolate import BUFFERS, mix
from roftbench.methods.roftmol import ROFTMol
from roftbench.models.encoder import Encoder, Predictor, State, copy_state
from roftbench.models.graphgps import GraphGPS
from roftbench.models.statistics import DifferentiableStatistics

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
    gradients = [g.item() for g in torch.autograd.grad(loss, list(alpha.values()))]
    assert min(map(abs, gradients)) > 1e-6  # above rounding, so that each sign is known on any processor
    always = replace(in_one_batch, better=lambda a, b: True)  # whatever comes last is kept
    info = ROFTMol(alpha=0.5, lr=0.01, epochs=1, buffers="interpolate").finish(always).info
    expected = {block: 0.5 - 0.01 * g / (abs(g) + 1e-8) for block, g in zip(BLOCKS, gradients, strict=True)}
    assert info["alpha"] == pytest.approx(expected, abs=1e-5)
    assert info["history"][1]["val_loss"] == pytest.approx(loss.item(), rel=1e-6)


def losses(fitted: Fitted, method: ROFTMol) -> list[float]:
    """Return the training loss of each epoch."""
    return [row["val_loss"] for row in method.finish(fitted).info["history"][1:]]


@pytest.mark.parametrize("buffers", BUFFERS)
def test_full_batch_steps_never_raise_the_loss_on_real_molecules(in_one_batch: Fitted, buffers: str) -> None:
    found = losses(in_one_batch, ROFTMol(alpha=0.5, lr=5e-4, buffers=buffers))
    assert len(found) == 200
    assert all(after <= before + 2e-6 for before, after in pairwise(found))
    assert found[-1] < found[0] - 1e-3


@pytest.mark.parametrize("name", but_whole([*SMALL, "graphgps"], ("graphium", "gat", "graphgps")))
def test_full_batch_steps_never_raise_the_loss_of_any_network(name: str) -> None:
    """Without the gradient through running statistics, GraphSAGE's rises in 25 of 200 steps."""
    found = losses(moved_network(name), ROFTMol(alpha=0.5, lr=1e-3, buffers="interpolate"))
    assert all(after < before for before, after in pairwise(found))


@pytest.mark.parametrize("buffers", ["interpolate", "finetuned"])
@pytest.mark.parametrize("name", [*SMALL, "graphgps"])
def test_gradients_are_those_of_the_loss_that_is_evaluated(name: str, buffers: str) -> None:
    """Autograd against a central difference in float64, block by block, running statistics included."""
    fitted = moved_network(name)
    values = {block: 0.3 + 0.1 * i for i, block in enumerate(fitted.encoder_blocks)}

    def loss(block: str = "", step: float = 0.0) -> Tensor:
        shares = {
            key: torch.tensor(value + step * (key == block), dtype=torch.float64, requires_grad=not block)
            for key, value in values.items()
        }
        found = fitted.val_loss(mix(fitted, shares, buffers), 0)
        if not block:
            found.backward()
            return torch.stack([share.grad for share in shares.values() if share.grad is not None])
        return found.detach()

    gradients, step = loss(), 1e-6
    numeric = [(loss(block, step) - loss(block, -step)) / (2 * step) for block in fitted.encoder_blocks]
    assert gradients.tolist() == pytest.approx([value.item() for value in numeric], rel=1e-6, abs=1e-9)
    assert gradients.abs().min() > 1e-5


def test_a_gradient_without_the_statistics_would_be_another_one() -> None:
    """What the test above could not see if the statistics of its networks did not matter."""
    fitted = moved_network("gin")
    found = []
    for buffers in ({}, {"moved_buffers": frozenset[str]()}):
        vars(fitted).update(buffers)
        shares = {block: torch.tensor(0.5, dtype=torch.float64, requires_grad=True) for block in fitted.encoder_blocks}
        fitted.val_loss(mix(fitted, shares, "interpolate"), 0).backward()
        found.append(torch.stack([share.grad for share in shares.values() if share.grad is not None]))
    assert (found[0] - found[1]).abs().max() > 0.01 * found[0].abs().max()


def small(name: str) -> Encoder:
    return SMALL[name]() if name in SMALL else GraphGPS(2, 16, num_heads=4, walk_dim=5)


def moved_network(name: str) -> Fitted:
    """Return what a method finishes with for a small network in float64: two states, each with its own statistics."""
    torch.manual_seed(0)
    encoder = small(name)
    model, batch = Predictor(encoder, 1).double(), batch_for(encoder)
    states = []
    for _ in range(2):
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        for _ in range(10):  # until the running statistics are those of these weights
            model.train()(batch)
        states.append(copy_state(model))
    model.eval().requires_grad_(False)
    y = torch.linspace(-1, 1, len(SMILES), dtype=torch.float64)[:, None]

    def val_loss(state: State, number: int) -> Tensor:
        with DifferentiableStatistics():
            return (functional_call(model, state, (batch,)) - y).square().mean()

    return fitted_between(model, states, val_loss)


def test_full_fine_tuning_is_a_candidate_if_asked_for(fitted: Fitted) -> None:
    """Of two equal scores the learned coefficients count; the fine-tuned weights are chosen where they are better."""
    score = fitted.val_score(fitted.tuned)
    fitted = replace(fitted, better=lambda a, b: a == score)
    wanted = ROFTMol(alpha=0.1, lr=1e-4, epochs=2, include_finetuned=True).finish(fitted)
    assert equal(wanted.state, fitted.tuned)
    assert wanted.info["alpha"] == dict.fromkeys(BLOCKS, 1.0)
    assert wanted.info["best_epoch"] is None
    plain = ROFTMol(alpha=0.1, lr=1e-4, epochs=2).finish(fitted)
    assert plain.info["best_epoch"] is not None
    assert not equal(plain.state, fitted.tuned)
    assert wanted.info["history"] == plain.info["history"]
    never = replace(fitted, better=lambda a, b: False)
    assert ROFTMol(epochs=1, include_finetuned=True).finish(never).info["best_epoch"] == 0
    assert ROFTMol(alpha=1.0, lr=1e-30, epochs=1, include_finetuned=True).finish(never).info["best_epoch"] == 0


@pytest.mark.parametrize("metric_better", ["lower", "higher"])
def test_the_first_best_epoch_is_kept_and_the_start_counts(fitted: Fitted, metric_better: str) -> None:
    better = fitted.better
    if metric_better == "higher":  # the worst RMSE, as if it were a score to raise
        better = lambda a, b: b is None or (a is not None and a > b)  # noqa: E731
    method = ROFTMol(alpha=0.9, lr=0.05, epochs=15, buffers="interpolate")
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
    history = [row["val_loss"] for row in info["history"][1:]]
    assert history[-1] < history[0]
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
    with raises_usage(key=next(iter(wrong))):
        ROFTMol(**wrong)


@pytest.mark.parametrize("buffers", ["interpolate", "finetuned"])
def test_without_learning_it_is_wise_ft(lab: Lab, buffers: str) -> None:
    setting = (*SETTING, f"method.buffers={buffers}", "method.alpha=0.3")
    learned = lab.done("method=roftmol", "method.lr=1e-30", *setting)
    fixed = lab.done("method=wise_ft", *setting)
    assert learned.scores == fixed.scores
    assert learned.test_predictions == fixed.test_predictions
    assert learned.details["alpha"] == pytest.approx(fixed.details["alpha"])


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_the_record_tells_the_coefficients_and_their_history(lab: Lab, dataset: str) -> None:
    record = lab.done("method=roftmol", "method.epochs=7", "method.lr=0.05", f"dataset={dataset}", *SETTING)
    details = record.details
    assert list(details["alpha"]) == BLOCKS
    assert len(details["history"]) == 8
    assert record.best_epoch == details["best_epoch"]
    assert details["history"][record.best_epoch]["val_score"] == primary(record)
    assert len(record.history) == 4
    assert {row.stage for row in record.history} == {"ft"}
    full = lab.done("method=full_ft", f"dataset={dataset}", *SETTING)
    assert record.base.test == full.scores.test
    assert record.history == full.history
