import numpy as np
import pytest

from roftbench.predict.conformal import covered, cross_widths, half_widths
from roftbench.predict.held_out import HeldOut, common, pooled


def held_out(y: np.ndarray, prediction: np.ndarray, first: int = 0) -> HeldOut:
    return HeldOut(np.arange(first, first + len(y)), y, prediction)


def test_the_width_is_the_right_order_statistic() -> None:
    errors = np.arange(1.0, 20)[:, None]  # n = 19: the ceil(20 · 0.9) = 18th smallest
    assert half_widths(held_out(errors, np.zeros_like(errors))).tolist() == [18.0]
    nine, eight = errors[:9], errors[:8]
    assert half_widths(held_out(nine, np.zeros_like(nine))).tolist() == [9.0]
    assert np.isnan(half_widths(held_out(eight, np.zeros_like(eight)))).all()


def test_missing_labels_take_no_part_and_tasks_are_apart() -> None:
    y = np.column_stack([np.arange(1.0, 21), np.arange(1.0, 21) * 10])
    y[19, 0] = np.nan
    assert half_widths(held_out(y, np.zeros_like(y))).tolist() == [18.0, 190.0]


def test_new_draws_are_covered_as_promised() -> None:
    """Over many calibrations of 30 labels each, the mean coverage is 28/31 = 90.3 %."""
    random = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        y, new = random.standard_t(3, (30, 1)), random.standard_t(3, (200, 1))
        widths = half_widths(held_out(y, np.zeros_like(y)))
        shares.append(covered(held_out(new, np.zeros_like(new)), widths)[0])
    assert np.mean(shares) == pytest.approx(28 / 31, abs=0.012)


def test_a_label_is_judged_by_the_intervals_of_the_other_parts() -> None:
    """Errors of 1 to 10 give ± 10 for the other part, eleven errors of 2 give ± 2."""
    first, second = np.arange(1.0, 11)[:, None], np.full((11, 1), 2.0)
    parts = [held_out(first, np.zeros_like(first)), held_out(second, np.zeros_like(second), first=10)]
    assert covered(*cross_widths(parts)) == [
        pytest.approx((2 + 11) / 21)
    ]  # of 1 … 10 two are within ± 2, of the 2s all
    assert covered(*cross_widths(parts[:1])) == [None]  # there are no others
    y = np.column_stack([np.r_[first, second], np.full((21, 1), np.nan)])
    both = [held_out(y[:10], np.zeros_like(y[:10])), held_out(y[10:], np.zeros_like(y[10:]), first=10)]
    assert covered(*cross_widths(both)) == [pytest.approx(13 / 21), None]


def test_seeds_give_the_error_of_their_mean_and_folds_the_out_of_fold_ones() -> None:
    y = np.array([[1.0], [2.0]])
    seeds = pooled([("data", held_out(y, y + 1)), ("data", held_out(y, y - 1))])
    assert seeds.prediction.tolist() == y.tolist()
    folds = pooled([("data", held_out(y, y + 1)), ("data", held_out(y, y - 1, first=2))])
    assert folds.rows.tolist() == [0, 1, 2, 3]
    assert (folds.prediction - folds.y).ravel().tolist() == [1, 1, -1, -1]
    assert len(pooled([("data", held_out(y, y)), ("other", held_out(y, y))]).rows) == 4


def test_only_what_all_hold_out_is_common() -> None:
    y = np.array([[1.0], [2.0], [3.0]])
    shared = common([("data", held_out(y, y + 1)), ("data", held_out(y[1:], y[1:] - 1, first=1))])
    assert shared.rows.tolist() == [1, 2]
    assert shared.prediction.tolist() == [[2.0], [3.0]]
    assert len(common([("data", held_out(y, y)), ("data", held_out(y, y, first=9))]).rows) == 0
