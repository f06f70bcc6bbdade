import numpy as np
import pytest

from roftbench.predict.calibration import calibrated, calibration_error, cross_calibrated, log_losses, platt
from roftbench.predict.held_out import HeldOut


def drawn(count: int, sharpness: float, seed: int = 0) -> HeldOut:
    """Labels drawn with known probabilities, and a model whose logits are `sharpness` times the true ones."""
    logit = np.random.default_rng(seed).normal(0, 1.5, (count, 1))
    y = (np.random.default_rng(seed + 1).random((count, 1)) < 1 / (1 + np.exp(-logit))).astype(float)
    return HeldOut(np.arange(count), y, 1 / (1 + np.exp(-sharpness * logit)))


def test_a_model_that_is_too_sure_becomes_as_sure_as_it_may_be() -> None:
    maps = platt(drawn(4000, sharpness=3.0))
    assert maps[0] == pytest.approx([1 / 3, 0], abs=0.06)
    fresh = drawn(4000, sharpness=3.0, seed=7)
    after = HeldOut(fresh.rows, fresh.y, calibrated(fresh.prediction, maps))
    [before_error], [after_error] = calibration_error(fresh), calibration_error(after)
    assert before_error is not None
    assert after_error is not None
    assert after_error < 0.03 < 0.1 < before_error


def test_the_order_stays_and_certainty_does_not() -> None:
    maps = np.array([[0.5, -0.2]])
    found = calibrated(np.linspace(0.001, 0.999, 99)[:, None], maps)[:, 0]
    assert (np.diff(found) > 0).all()
    ends = calibrated(np.array([[0.0], [1.0]]), maps)[:, 0]
    assert 0 < ends[0] < ends[1] < 1


@pytest.mark.parametrize("case", ["few", "one class", "contradiction"])
def test_labels_that_say_too_little_change_nothing(case: str) -> None:
    given = drawn(200, 1.0)
    y, p = given.y.copy(), given.prediction.copy()
    if case == "few":
        y[6:] = np.nan
    elif case == "one class":
        y[:] = 1
    else:
        p = 1 - p
    maps = platt(HeldOut(given.rows, y, p))
    assert maps.tolist() == [[1.0, 0.0]]
    assert np.array_equal(calibrated(p, maps), p)


@pytest.mark.parametrize("count", [20, 40, 100])
def test_probabilities_that_are_right_are_seldom_changed_and_lose_little(count: int) -> None:
    """Of labels drawn with the model's own probabilities, whatever a fit changes is by chance."""
    losses, changed = [], []
    fresh = drawn(4000, sharpness=1.0, seed=1000)
    for seed in range(0, 120, 2):
        maps = platt(drawn(count, sharpness=1.0, seed=seed))
        changed.append(maps.tolist() != [[1.0, 0.0]])
        [before], [after] = (
            log_losses(HeldOut(fresh.rows, fresh.y, p)) for p in (fresh.prediction, calibrated(fresh.prediction, maps))
        )
        assert before is not None
        assert after is not None
        losses.append(after - before)
    assert np.mean(changed) < 0.2
    assert np.mean(losses) < 0.01


def test_each_part_is_calibrated_by_the_others_alone() -> None:
    whole = drawn(300, 2.0)
    thirds = [
        HeldOut(*(a[part] for a in (whole.rows, whole.y, whole.prediction))) for part in np.split(np.arange(300), 3)
    ]
    found = cross_calibrated(thirds)
    assert found.rows.tolist() == whole.rows.tolist()
    for at, one in enumerate(thirds):
        rest = np.setdiff1d(np.arange(300), np.arange(100 * at, 100 * at + 100))
        maps = platt(HeldOut(whole.rows[rest], whole.y[rest], whole.prediction[rest]))
        assert found.prediction[100 * at : 100 * at + 100] == pytest.approx(calibrated(one.prediction, maps))
