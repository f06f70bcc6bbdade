"""LiNeS, TPGM and the forms of ROFT-MOL: what is interpolated, and what each must equal."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lab import Lab, equal, moved, primary
from refusals import raises_usage

from roftbench.errors import JobError
from roftbench.methods.base import Fitted
from roftbench.methods.interpolate import mix
from roftbench.methods.lines import LiNeS
from roftbench.methods.roftmol import ROFTMol
from roftbench.methods.tpgm import TPGM
from roftbench.methods.wise_ft import WiSEFT

SETTING = ("train.epochs=4", "train.lr=0.01", "model.num_layers=4")
HEAD_KEYS = {"head.weight", "head.bias"}


@pytest.fixture
def fitted(lab: Lab) -> Fitted:
    """Weights before and after real full fine-tuning of a tiny encoder with four layers."""
    return lab.fitted(*SETTING)


def test_lines_rises_from_the_first_layer_to_the_last(fitted: Fitted) -> None:
    finished = LiNeS(0.4).finish(fitted)
    shares = {"embed": 0.4, "layer0": 0.4, "layer1": 0.6, "layer2": 0.8, "layer3": 1.0}
    assert finished.info["alpha"] == pytest.approx(shares)
    for key, tensor in finished.state.items():
        share, start, end = shares.get(fitted.block_of[key], 1.0), fitted.start[key], fitted.tuned[key]
        expected = start + share * (end - start) if tensor.is_floating_point() else end
        torch.testing.assert_close(tensor, expected, msg=key)


def test_lines_at_one_is_full_fine_tuning_and_at_zero_leaves_the_first_blocks(fitted: Fitted) -> None:
    assert equal(LiNeS(1.0).finish(fitted).state, fitted.tuned)
    state = LiNeS(0.0).finish(fitted).state
    still = {key for key in fitted.block_of if fitted.block_of[key] in ("embed", "layer0")}
    assert {key for key in moved(fitted.start, state) & still if state[key].is_floating_point()} == set()
    last = [key for key in fitted.block_of if fitted.block_of[key] in ("layer3", "head")]
    assert all(torch.equal(state[key], fitted.tuned[key]) for key in last)


def test_lines_keeps_the_statistics_where_asked(fitted: Fitted) -> None:
    state = LiNeS(0.0, buffers="finetuned").finish(fitted).state
    assert all(torch.equal(state[key], fitted.tuned[key]) for key in fitted.buffers)


def test_tpgm_starts_within_the_distance_and_follows_the_gradient(fitted: Fitted) -> None:
    """Adam's first step moves each radius by its learning rate against the gradient of the validation loss."""
    finished = TPGM(initial=0.5, lr=1e-3, iterations=1).finish(fitted)
    keys = list(finished.info["alpha"])
    assert set(keys) == fitted.block_of.keys() - fitted.buffers - HEAD_KEYS
    half = {key: torch.tensor(0.5, requires_grad=True) for key in keys}
    loss = fitted.val_loss(mix(fitted, half, "finetuned"), 0)
    assert finished.info["val_losses"] == pytest.approx([loss.item()])
    slopes = torch.autograd.grad(loss, list(half.values()))
    for key, slope in zip(keys, slopes, strict=True):
        if abs(slope) > 1e-6:
            distance = float((fitted.tuned[key] - fitted.start[key]).norm())
            step = 1e-3 * float(slope) / (abs(float(slope)) + 1e-8 * distance)
            expected = min(max(0.5 - step / distance, 0.0), 1.0)
            assert finished.info["alpha"][key] == pytest.approx(expected, abs=1e-5), key


def test_tpgm_lies_where_its_radii_say_with_head_and_statistics_as_tuned(fitted: Fitted) -> None:
    finished = TPGM(lr=1e-3, iterations=20).finish(fitted)
    shares = finished.info["alpha"]
    assert all(0 <= share <= 1 for share in shares.values())
    assert len({round(share, 3) for share in shares.values()}) > 3
    for key, tensor in finished.state.items():
        start, end = fitted.start[key], fitted.tuned[key]
        torch.testing.assert_close(tensor, start + shares[key] * (end - start) if key in shares else end, msg=key)


def test_tpgm_with_radii_at_the_distance_is_full_fine_tuning(fitted: Fitted) -> None:
    assert equal(TPGM(initial=1.0, lr=1e-30, iterations=1).finish(fitted).state, fitted.tuned)


def test_tpgm_takes_the_validation_batches_in_turn(fitted: Fitted) -> None:
    seen = []

    def loss(state: Any, number: int) -> torch.Tensor:
        seen.append(number)
        return fitted.val_loss(state, number)

    TPGM(iterations=6).finish(replace(fitted, val_loss=loss))
    assert seen == [0, 1, 2, 3, 0, 1]


def test_tpgm_with_a_loss_that_is_not_finite_fails(fitted: Fitted) -> None:
    endless = replace(fitted, val_loss=lambda state, number: fitted.val_loss(state, number) * float("inf"))
    with pytest.raises(JobError, match="not finite"):
        TPGM(iterations=2).finish(endless)


def test_roftmol_with_one_coefficient_is_a_learned_wise_ft(fitted: Fitted) -> None:
    finished = ROFTMol(alpha=0.5, lr=0.01, epochs=5, coefficients="one", buffers="interpolate").finish(fitted)
    share = finished.info["alpha"]["encoder"]
    assert share != 0.5
    assert finished.info["alpha"].keys() == {"encoder"}
    assert equal(finished.state, WiSEFT(share).finish(fitted).state)


@pytest.mark.parametrize("buffers", ["finetuned", "interpolate"])
def test_roftmol_with_a_coefficient_per_tensor_moves_each_by_its_own(fitted: Fitted, buffers: str) -> None:
    method = ROFTMol(alpha=0.5, lr=0.01, epochs=5, coefficients="tensor", buffers=buffers)
    finished = method.finish(replace(fitted, better=lambda a, b: True))
    shares = finished.info["alpha"]
    statistics = {key for key in fitted.buffers if fitted.tuned[key].is_floating_point()}
    weights = fitted.block_of.keys() - fitted.buffers - HEAD_KEYS
    assert shares.keys() == weights | (statistics if buffers == "interpolate" else set())
    assert len({round(share, 5) for share in shares.values()}) > 5
    for key, tensor in finished.state.items():
        start, end = fitted.start[key], fitted.tuned[key]
        torch.testing.assert_close(tensor, start + shares[key] * (end - start) if key in shares else end, msg=key)


def test_coefficients_per_block_are_the_method_as_it_was(lab: Lab) -> None:
    plain, _ = lab.job("method=roftmol")
    named, _ = lab.job("method=roftmol", "method.coefficients=block")
    other, _ = lab.job("method=roftmol", "method.coefficients=one")
    assert plain.key == named.key != other.key
    assert "coefficients" not in plain.identity()["method"]["params"]


@pytest.mark.parametrize("coefficients", ["tensor", "one"])
def test_job_with_other_coefficients_shares_the_fit_and_is_no_worse_than_its_start(lab: Lab, coefficients: str) -> None:
    setting = ("train.epochs=4", "train.lr=0.01")
    lab.done("method=roftmol", *setting)
    assert len(lab.stages()) == 2
    record = lab.done("method=roftmol", f"method.coefficients={coefficients}", *setting)
    assert len(lab.stages()) == 3
    assert primary(record) <= record.details["history"][0]["val_score"]


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        (LiNeS, {"alpha": 1.1}), (LiNeS, {"buffers": "mean"}), (TPGM, {"initial": 2.0}), (TPGM, {"lr": 0.0}),
        (TPGM, {"iterations": 0}), (ROFTMol, {"coefficients": "layer"}),
    ],
)  # fmt: skip
def test_impossible_value_is_refused(method: Any, wrong: dict[str, Any]) -> None:
    with raises_usage(key=next(iter(wrong))):
        method(**wrong)
