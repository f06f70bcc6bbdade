"""Interpolation between pretrained and fine-tuned weights, against public programs' numbers and by its own rules."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Lab, equal, fitted_between, moved
from refusals import raises_usage
from torch import Tensor
from torch.func import functional_call

from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import PackedGraphs
from roftbench.methods.base import Fitted
from roftbench.methods.interpolate import mix
from roftbench.methods.wise_ft import WiSEFT
from roftbench.metrics import masked_loss
from roftbench.models.encoder import Predictor, State
from roftbench.models.gin import GIN

BLOCKS = ["embed", "layer0", "layer1", "layer2", "layer3", "layer4"]
SETTING = ("train.epochs=4", "train.lr=0.01")
CASES = ["0.0", "0.25", "0.5", "1.0", "mixed"]


@pytest.fixture(scope="module")
def fitted(shared: Path, esol32: dict[str, Any]) -> Fitted:
    """Network a as the pretrained one, b as the fine-tuned one, ESOL's first 32 molecules to validate."""
    states = []
    for name in "ab":
        state = torch.load(shared / "golden" / f"gin_state_{name}.pt", weights_only=True)
        states.append(
            {key.replace("gnn.", "encoder.", 1).replace("graph_pred_linear", "head"): state[key] for key in state}
        )
    model = Predictor(GIN(), 1).eval().requires_grad_(False)
    graphs = PackedGraphs.from_graphs(smiles_to_graph(text) for text in esol32["meta"]["smiles"])
    batch, y = graphs.batch(torch.arange(32)), torch.tensor(esol32["meta"]["y"])[:, None]

    def val_loss(state: State, number: int) -> Tensor:
        assert number == 0
        return masked_loss("rmse")(functional_call(model, state, (batch,)), y)

    return fitted_between(model, states, val_loss)


def shares(values: list[float]) -> dict[str, Tensor]:
    return {block: torch.tensor(value, requires_grad=True) for block, value in zip(BLOCKS, values, strict=True)}


def predict(fitted: Fitted, esol32: dict[str, Any], state: State) -> list[float]:
    model = Predictor(GIN(), 1).eval()
    model.load_state_dict(state)
    graphs = PackedGraphs.from_graphs(smiles_to_graph(text) for text in esol32["meta"]["smiles"])
    with torch.no_grad():
        return model(graphs.batch(torch.arange(32))).flatten().tolist()


@pytest.mark.parametrize("case", CASES)
def test_golden_layerwise_interpolation_keeps_the_statistics(esol32: dict[str, Any], fitted: Fitted, case: str) -> None:
    """`buffers: finetuned` is the authors' ROFT-MOL: predictions, loss, and its gradient for each coefficient."""
    expected = esol32["layerwise_interpolation_pt_a_ft_b"]["cases"][case]
    alpha = shares(expected["alphas"])
    state = mix(fitted, alpha, "finetuned")
    assert predict(fitted, esol32, state) == pytest.approx(expected["pred_eval"], abs=1e-4)
    loss = fitted.val_loss(state, 0)
    assert loss.item() == pytest.approx(expected["rmse_eval"], abs=1e-4)
    gradients = torch.autograd.grad(loss, list(alpha.values()))
    assert [g.item() for g in gradients] == pytest.approx(expected["alpha_grad_eval"], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("case", CASES[:4])
def test_golden_uniform_interpolation_takes_the_statistics_along(
    esol32: dict[str, Any], fitted: Fitted, case: str
) -> None:
    """`buffers: interpolate` is the authors' WiSE-FT."""
    expected = esol32["layerwise_interpolation_pt_a_ft_b"]["cases"][case]
    finished = WiSEFT(alpha=float(case)).finish(fitted)
    predictions = predict(fitted, esol32, finished.state)
    assert predictions == pytest.approx(expected["uniform_interpolation_with_buffers_pred_eval"], abs=1e-4)
    assert finished.info == {"alpha": dict.fromkeys(BLOCKS, float(case))}
    with torch.no_grad():
        loss = fitted.val_loss(finished.state, 0).item()
    assert loss == pytest.approx(expected["uniform_interpolation_with_buffers_rmse"], abs=1e-4)


@pytest.fixture
def tuned(lab: Lab) -> Fitted:
    """Weights before and after real full fine-tuning of the tiny encoder."""
    return lab.fitted(*SETTING)


def uniform(fitted: Fitted, alpha: float) -> dict[str, Tensor]:
    return {block: torch.tensor(alpha) for block in fitted.encoder_blocks}


def counters(fitted: Fitted) -> set[str]:
    return {key for key, value in fitted.tuned.items() if not value.is_floating_point()}


def test_share_one_gives_the_fine_tuned_weights_bit_for_bit(tuned: Fitted) -> None:
    for buffers in ("interpolate", "finetuned"):
        assert equal(mix(tuned, uniform(tuned, 1.0), buffers), tuned.tuned)


def test_share_zero_gives_the_pretrained_encoder_bit_for_bit_with_the_tuned_head(tuned: Fitted) -> None:
    state = mix(tuned, uniform(tuned, 0.0), "interpolate")
    head = {"head.weight", "head.bias"}
    assert moved(tuned.start, state) == head | counters(tuned)
    assert not moved(tuned.tuned, state) & (head | counters(tuned))
    kept = mix(tuned, uniform(tuned, 0.0), "finetuned")
    assert moved(tuned.start, kept) == head | tuned.buffers
    assert len(counters(tuned)) == 2
    assert len(tuned.buffers) == 6


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_every_tensor_lies_where_the_formula_says(tuned: Fitted, alpha: float) -> None:
    state = mix(tuned, uniform(tuned, alpha), "interpolate")
    for key in tuned.tuned.keys() - counters(tuned) - {"head.weight", "head.bias"}:
        expected = (1 - alpha) * tuned.start[key] + alpha * tuned.tuned[key]
        torch.testing.assert_close(state[key], expected, msg=key)


def test_a_share_moves_its_own_block_only(tuned: Fitted) -> None:
    base = mix(tuned, uniform(tuned, 0.5), "interpolate")
    for block in tuned.encoder_blocks:
        state = mix(tuned, {**uniform(tuned, 0.5), block: torch.tensor(0.6)}, "interpolate")
        changed = moved(base, state)
        assert {tuned.block_of[key] for key in changed} == {block}
        own = {key for key, owner in tuned.block_of.items() if owner == block} - counters(tuned)
        assert own - changed == {key for key in own if torch.equal(tuned.start[key], tuned.tuned[key])}


@pytest.mark.parametrize("buffers", ["interpolate", "finetuned"])
def test_gradients_reach_the_shares_through_all_that_is_interpolated(tuned: Fitted, buffers: str) -> None:
    alpha = {block: torch.tensor(0.5, requires_grad=True) for block in tuned.encoder_blocks}
    state = mix(tuned, alpha, buffers)
    with_gradient = {key for key, value in state.items() if value.requires_grad}
    fixed = counters(tuned) | {"head.weight", "head.bias"} | (tuned.buffers if buffers == "finetuned" else set())
    assert with_gradient == state.keys() - fixed
    assert state["head.weight"] is tuned.tuned["head.weight"]


@pytest.mark.parametrize("wrong", [{"alpha": -0.1}, {"alpha": 1.1}, {"buffers": "pretrained"}])
def test_impossible_hyperparameters_are_refused(wrong: dict[str, Any]) -> None:
    with raises_usage(key=next(iter(wrong))):
        WiSEFT(**wrong)


def test_wise_ft_at_one_scores_as_full_fine_tuning_and_at_zero_not(lab: Lab) -> None:
    full = lab.done("method=full_ft", *SETTING)
    one = lab.done("method=wise_ft", "method.alpha=1", *SETTING)
    zero = lab.done("method=wise_ft", "method.alpha=0", *SETTING)
    assert one.scores == full.scores
    assert one.test_predictions == full.test_predictions
    for record in (one, zero):
        base = record.base
        assert [base.val, base.test] == [full.scores.val, full.scores.test]
        assert base.method == "full_ft"
        assert base.best_epoch == record.best_epoch == full.best_epoch
    assert zero.scores != full.scores
    assert len(lab.stages()) == 1


def test_a_variance_extrapolated_below_zero_is_zero_and_scores_stay_finite(fitted: Fitted) -> None:
    """Of a share far above 1: unconstrained, ROFT-MOL comes to such shares where the variance fell in fine-tuning."""
    share = dict.fromkeys(BLOCKS, torch.tensor(3.0))
    mixed = mix(fitted, share, "interpolate")
    variances = [key for key in mixed if key.endswith("running_var")]
    assert len(variances) == 5
    plain = {key: fitted.start[key] + 3.0 * (fitted.tuned[key] - fitted.start[key]) for key in variances}
    assert min(float(value.min()) for value in plain.values()) < 0
    for key in variances:
        torch.testing.assert_close(mixed[key], plain[key].clamp(min=0), rtol=1e-5, atol=1e-5)
    score = fitted.val_score(mixed)
    assert score is not None
    assert math.isfinite(score)


def test_the_gradient_of_a_share_is_that_of_the_formula(tuned: Fitted) -> None:
    """Ours against autograd's of start + α·(end − start), each tensor with weights of its own."""
    ours, theirs = (torch.tensor(0.3, requires_grad=True) for _ in range(2))
    state = mix(tuned, dict.fromkeys(tuned.encoder_blocks, ours), "finetuned")
    weights = [key for key in state if state[key].requires_grad]
    assert len(weights) > 5
    for number, key in enumerate(weights):
        direction = torch.cos(torch.arange(state[key].numel()) + number).view_as(state[key])
        (state[key] * direction).sum().backward()
        start, end = tuned.start[key], tuned.tuned[key]
        ((start + theirs * (end - start)) * direction).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert ours.grad.item() == pytest.approx(theirs.grad.item(), rel=1e-4)
