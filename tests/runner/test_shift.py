"""Shifts from the pretrained model against independent formulas, and that measuring them changes nothing."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from encoders import SMALL, batch_for
from lab import Lab, numbers
from torch import Tensor

from roftbench.methods.lora import LoRA
from roftbench.models.encoder import Predictor
from roftbench.runner.network import NetworkExperiment, extended
from roftbench.runner.shift import feature_shift, linear_cka, parameter_shift
from roftbench.store.record_schema import Record

FAST = ("train.lr=0.01", "train.epochs=2")


def by_gram_matrices(x: Tensor, y: Tensor) -> float:
    """CKA as the normalized Hilbert–Schmidt independence criterion of linear kernels (Kornblith et al., eq. 3)."""
    n = len(x)
    center = torch.eye(n, dtype=torch.float64) - 1 / n
    k, m = (center @ one.double() @ one.double().T @ center for one in (x, y))

    def hsic(a: Tensor, b: Tensor) -> float:
        return float(torch.trace(a @ b)) / (n - 1) ** 2

    return hsic(k, m) / (hsic(k, k) * hsic(m, m)) ** 0.5


@pytest.mark.parametrize(("n", "widths"), [(60, (5, 7)), (9, (40, 30)), (2, (3, 3))])
def test_cka_is_the_normalized_independence_of_gram_matrices(n: int, widths: tuple[int, int]) -> None:
    torch.manual_seed(n)
    x, noise = (torch.randn(n, width) + 3 for width in widths)
    y = x @ torch.randn(*widths) + noise
    found = linear_cka(x, y)
    assert found == pytest.approx(by_gram_matrices(x, y), rel=1e-9)
    assert feature_shift(x, y) == pytest.approx(1 - found, abs=1e-12)


def test_cka_ignores_rotation_scale_and_shift_alone() -> None:
    torch.manual_seed(0)
    x = torch.randn(30, 6)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6))
    assert feature_shift(x, 3 * x @ rotation + 5) == pytest.approx(0, abs=1e-6)
    assert feature_shift(x, x * torch.tensor([9.0, 1, 1, 1, 1, 1])) > 0.05
    assert feature_shift(x, x) == 0
    assert feature_shift(x, torch.ones(30, 6)) is None


@pytest.mark.parametrize("name", ["gin", "gat", "minimol"])
def test_parameter_shift_is_the_relative_change_of_the_effective_weights(name: str) -> None:
    """LoRA's products move the matrices of the layers as if they were added to them; what is beside them does not."""
    torch.manual_seed(0)
    plain = Predictor(SMALL[name](), 1)
    more = extended(plain, LoRA(rank=2, scale=0.5))
    with torch.no_grad():
        for one in more.added.parameters():
            one.normal_()
        next(more.encoder.blocks()["embed"].parameters()).mul_(1.5)
    start = dict(plain.encoder.state_dict())
    found = parameter_shift(more.encoder, start)

    moved = plain.state_dict()
    for key, tensor in more.state_dict().items():
        if key.endswith(".original"):
            moved[key.replace(".parametrizations.weight.original", ".weight")] = tensor
        elif key in moved:
            moved[key] = tensor
    merged = Predictor(SMALL[name](), 1)
    originals = [key for key in more.state_dict() if key.endswith(".original")]
    for key, product in zip(originals, more.added.values(), strict=True):
        plain_key = key.replace(".parametrizations.weight.original", ".weight")
        moved[plain_key] = moved[plain_key] + 0.5 * (product.b @ product.a).detach()  # type: ignore[operator]
    merged.load_state_dict(moved)
    batch = batch_for(plain.encoder)
    torch.testing.assert_close(merged.eval()(batch), more.eval()(batch), rtol=1e-3, atol=1e-4)
    for block, module in merged.encoder.blocks().items():
        before = torch.cat([one.detach().flatten() for one in plain.encoder.blocks()[block].parameters()])
        after = torch.cat([one.detach().flatten() for one in module.parameters()])
        assert found[block] == pytest.approx(float((after - before).norm() / before.norm()), rel=1e-4), block
    assert min(found.values()) > 0


def test_a_block_that_starts_at_zero_has_no_relative_shift() -> None:
    model = Predictor(SMALL["gin"](), 1)
    for one in model.encoder.blocks()["embed"].parameters():
        torch.nn.init.zeros_(one)
    start = {key: tensor.clone() for key, tensor in model.encoder.state_dict().items()}
    assert parameter_shift(model.encoder, start) == {"embed": None, "layer0": 0, "layer1": 0}


def test_half_of_the_way_is_half_of_the_shift(lab: Lab) -> None:
    whole, half = (
        lab.done(method, *more, *FAST).candidates[0].parameter_shift
        for method, *more in (("method=full_ft",), ("method=wise_ft", "method.alpha=0.5"))
    )
    assert half == {block: pytest.approx(shift / 2, rel=1e-4) for block, shift in whole.items()}
    assert min(whole.values()) > 0


def shifts(record: Record) -> list[tuple[Any, Any]]:
    return [(one.parameter_shift, one.feature_shift) for one in record.candidates]


def test_a_search_records_the_shift_of_each_candidate(lab: Lab) -> None:
    record = lab.done("method=wise_ft", "method.search=true", "method.grid.alpha=[0.0,0.5,1.0]", *FAST)
    blocks, features = zip(*shifts(record), strict=True)
    assert set(blocks[0].values()) == {0}
    assert (features[0], features[2] > 0) == (pytest.approx(0, abs=1e-9), True)
    assert shifts(lab.done("method=full_ft", *FAST))[0] == (
        {block: pytest.approx(shift, rel=1e-6) for block, shift in blocks[2].items()},
        pytest.approx(features[2], rel=1e-6),
    )


@pytest.mark.parametrize("words", [("method=full_ft",), ("method=lora",), ("method=ensemble", "method.size=2")])
def test_measuring_shifts_changes_no_bit_of_anything_else(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    with_shift = numbers(lab.done(*words, *FAST))
    monkeypatch.setattr(NetworkExperiment, "shift", lambda self, fitted: {})
    without = numbers(lab.elsewhere("without").done(*words, *FAST))
    for one in with_shift["candidates"]:
        one.pop("parameter_shift", None)
        one.pop("feature_shift", None)
    assert with_shift == without


def test_the_cpu_time_of_a_fit_is_stored_and_shared(lab: Lab) -> None:
    fit = lab.done("method=full_ft", *FAST).cpu_seconds
    shared = lab.done("method=wise_ft", *FAST).cpu_seconds
    assert fit.keys() == {"ft", "total"}
    assert shared.keys() == {"ft (reused)", "finish", "total"}
    assert shared["ft (reused)"] == fit["ft"] > 0
    assert shared["total"] >= shared["finish"] > 0
    assert fit["total"] > fit["ft"]


def test_a_stage_stored_without_cpu_time_leaves_a_gap(lab: Lab) -> None:
    fit = lab.done("method=full_ft", *FAST)
    [path] = lab.stages()
    state, description = lab.store.get_stage(path.stem)
    del description["cpu_seconds"]
    lab.store.put_stage(path.stem, (state, description))
    shared = lab.done("method=wise_ft", *FAST)
    assert shared.cpu_seconds["ft (reused)"] is None
    assert shared.seconds["ft (reused)"] == fit.seconds["ft"]
