import numpy as np
import pytest

from roftbench.predict.held_out import HeldOut
from roftbench.predict.reliability import NORMAL_90, by_similarity, ence, interval_quality, losses


def test_ence_by_hand() -> None:
    """Two bins: σ = 1 with errors of 1 is right, σ = 2 with errors of 1 is off by half of it."""
    sigma = np.repeat([1.0, 2.0], 10)
    assert ence(np.ones(20), sigma) == pytest.approx(0.25)
    assert ence(np.ones(19), sigma[:19]) is None
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 2, 5000)
    honest = ence(np.abs(rng.normal(0, spread)), spread)
    assert honest is not None
    assert honest < 0.05


def test_bands_of_similarity() -> None:
    similarity = np.array([0.0, 0.29, 0.3, 0.69, 0.7, 1.0])
    inside = np.array([True, False, True, True, True, False])
    assert by_similarity(inside, similarity) == [
        {"from": 0.0, "to": 0.3, "labels": 2, "coverage": 0.5},
        {"from": 0.3, "to": 0.5, "labels": 1, "coverage": 1.0},
        {"from": 0.5, "to": 0.7, "labels": 1, "coverage": 1.0},
        {"from": 0.7, "to": 1.0, "labels": 2, "coverage": 0.5},
    ]


def test_quality_of_intervals() -> None:
    rng = np.random.default_rng(1)
    sigma = rng.uniform(0.2, 2, (3000, 1))
    y = np.concatenate([rng.normal(0, sigma), [[np.nan]]])
    widths = np.concatenate([NORMAL_90 * sigma, [[1.0]]])
    [found] = interval_quality(HeldOut(np.arange(3001), y, np.zeros_like(y), np.full(3001, 0.6)), widths)
    assert found["labels"] == 3000
    assert found["nll"] == pytest.approx(np.mean(np.log(sigma)) + 0.5 * np.log(2 * np.pi * np.e), abs=0.05)
    assert found["correlation"] == pytest.approx(0.5, abs=0.1)
    [band] = found["by_similarity"]
    assert band["coverage"] == pytest.approx(0.9, abs=0.02)
    [none] = interval_quality(HeldOut(np.arange(1), y[-1:], y[-1:]), widths[-1:])
    assert (none["labels"], none["mean_width"], none["nll"], none["by_similarity"]) == (0, None, None, [])


@pytest.mark.parametrize("unit", [1e-14, 1e14])
def test_quality_does_not_depend_on_the_unit(unit: float) -> None:
    rng = np.random.default_rng(2)
    widths = np.concatenate([rng.uniform(0.2, 2, (200, 1)), [[0.0]]])
    y = rng.normal(0, 0.6, (201, 1))
    [one], [other] = (
        interval_quality(HeldOut(np.arange(201), u * y, np.zeros_like(y)), u * widths) for u in (1.0, unit)
    )
    assert other["ence"] == pytest.approx(one["ence"])
    assert other["nll"] == pytest.approx(one["nll"] + np.log(unit))


def test_losses_limit_certainty() -> None:
    y = np.array([1.0, 0.0])
    assert losses(y, np.array([0.5, 0.5]), 1e-5) == pytest.approx([np.log(2)] * 2)
    assert losses(y, np.array([0.0, 0.0]), 1e-5) == pytest.approx([-np.log(1e-5), 0], abs=1e-4)
