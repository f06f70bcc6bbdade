"""Normalized conformal intervals: their coverage, their widths, and what they do with little."""

import numpy as np
import pytest

from roftbench.predict.conformal import Intervals, covered, cross_widths, half_widths, order_statistic
from roftbench.predict.difficulty import LEAST, Difficulty, features, fitted
from roftbench.predict.held_out import HeldOut, Surroundings


def drawn(count: int, rng: np.random.Generator, *, effect: float = 2.5, scale: float = 1.0) -> HeldOut:
    """Labels whose errors shrink with the similarity, by exp(−effect · similarity)."""
    similarity = rng.uniform(0.1, 1.0, count)
    y = rng.normal(0, 2, (count, 1))
    errors = rng.normal(0, np.exp(-effect * similarity))[:, None]
    prediction = y + errors  # from which the neighbors' labels differ by chance alone
    around = [prediction + rng.normal(0, 0.5, y.shape), np.full_like(y, 0.7), prediction + rng.normal(0, 1, y.shape)]
    local = np.stack(around, axis=2)
    return HeldOut(np.arange(count), scale * y, scale * prediction, similarity, scale * local)


def shares(count: int, repeats: int, effect: float) -> tuple[float, list[float], float, float]:
    """Return coverage of fresh labels, also below and above similarity 0.4, and mean width over the constant one."""
    rng = np.random.default_rng(3)
    inside, near, ratios, correlation = [], [], [], []
    for _ in range(repeats):
        held_out, new = drawn(count, rng, effect=effect), drawn(400, rng, effect=effect)
        intervals = Intervals.of(held_out)
        widths = intervals.half_widths(new.prediction, new.around)
        error = np.abs(new.y - new.prediction)
        inside.append((error <= widths)[:, 0])
        assert new.similarity is not None
        near.append(new.similarity)
        ratios.append(widths.mean() / intervals.constant[0])
        correlation.append(np.corrcoef(error[:, 0], widths[:, 0])[0, 1] if np.ptp(widths) else 0.0)
    whole, similarity = np.concatenate(inside), np.concatenate(near)
    bands = [float(whole[similarity < 0.4].mean()), float(whole[similarity >= 0.4].mean())]
    return float(whole.mean()), bands, float(np.mean(ratios)), float(np.mean(correlation))


@pytest.mark.parametrize(("count", "off"), [(40, 0.02), (200, 0.012)])
def test_coverage_on_exchangeable_molecules(count: int, off: float) -> None:
    """⌈0.9 (n + 1)⌉ of n + 1 is what exchangeability gives: 0.902 for 40 labels, 0.905 for 200."""
    exact = np.ceil(0.9 * (count + 1)) / (count + 1)
    found, _, _, _ = shares(count, 120, effect=2.5)
    assert found == pytest.approx(exact, abs=off)


def test_with_a_given_difficulty_the_guarantee_is_exact() -> None:
    """The label of a new molecule is inside with probability ⌈0.9 (n + 1)⌉ / (n + 1), whatever σ is: 28/31 here."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(2000):
        sigma = rng.uniform(0.1, 3, 31)  # unrelated to the errors
        scores = np.abs(rng.standard_t(3, 31)) / sigma
        found.append(scores[-1] <= order_statistic(scores[:-1]))
    assert np.mean(found) == pytest.approx(28 / 31, abs=0.015)  # two standard errors


def test_distant_molecules_are_covered_as_near_ones_and_intervals_are_narrower_on_average() -> None:
    _, bands, ratio, correlation = shares(300, 30, effect=2.5)
    assert bands == pytest.approx([0.9, 0.9], abs=0.03)  # with one width: 0.71 and 0.98
    assert ratio < 0.9
    assert correlation > 0.3


def test_where_nothing_tells_easy_from_hard_widths_are_nearly_equal() -> None:
    found, _, ratio, _ = shares(100, 60, effect=0.0)
    assert found == pytest.approx(91 / 101, abs=0.015)
    assert ratio == pytest.approx(1, abs=0.05)


def test_units_of_the_label_change_nothing() -> None:
    one, other = (drawn(80, np.random.default_rng(1), scale=scale) for scale in (1.0, 1e-6))
    widths = [Intervals.of(x).half_widths(x.prediction, x.around) for x in (one, other)]
    assert widths[1] == pytest.approx(1e-6 * widths[0], rel=1e-6)


def test_few_labels_no_surroundings_or_equal_labels_give_one_width() -> None:
    whole = drawn(60, np.random.default_rng(2))
    few = whole[np.arange(LEAST - 1)]
    unknown = HeldOut(whole.rows, whole.y, whole.prediction)
    equal = HeldOut(whole.rows, np.ones_like(whole.y), whole.prediction, whole.similarity, whole.local)
    exact = HeldOut(whole.rows, whole.y, whole.y, whole.similarity, whole.local)
    for held_out in (few, unknown, equal, exact):
        intervals = Intervals.of(held_out)
        assert not any(intervals.normalized)
        widths = intervals.half_widths(whole.prediction, whole.around)
        assert widths.tolist() == [half_widths(held_out).tolist()] * 60
    assert any(Intervals.of(whole).normalized)


def test_molecules_beyond_all_held_out_ones_are_as_hard_as_the_hardest_of_them() -> None:
    held_out = drawn(150, np.random.default_rng(4))
    intervals = Intervals.of(held_out)
    assert held_out.similarity is not None
    assert held_out.local is not None
    hardest = held_out[np.argsort(held_out.similarity)[:1]]
    assert hardest.local is not None
    beyond = Surroundings(np.zeros(1), hardest.local)
    assert intervals.half_widths(hardest.prediction, beyond) == pytest.approx(
        intervals.half_widths(hardest.prediction, hardest.around)
    )


def test_unknown_neighbor_labels_count_as_the_mean() -> None:
    held_out = drawn(60, np.random.default_rng(5))
    intervals = Intervals.of(held_out)
    assert held_out.similarity is not None
    around = Surroundings(held_out.similarity, np.full((60, 1, 3), np.nan))
    widths = intervals.half_widths(held_out.prediction, around)
    assert np.isfinite(widths).all()
    assert (np.diff(widths[np.argsort(held_out.similarity), 0]) <= 1e-12).all()  # wider where less similar


def test_each_task_has_intervals_of_its_own_labels() -> None:
    one, other = drawn(80, np.random.default_rng(6)), drawn(80, np.random.default_rng(7), effect=0.5)
    y = np.column_stack([one.y, other.y])
    y[:70, 1] = np.nan  # ten labels: one width
    assert one.local is not None
    assert other.local is not None
    both = HeldOut(
        one.rows,
        y,
        np.column_stack([one.prediction, other.prediction]),
        one.similarity,
        np.concatenate([one.local, other.local], axis=1),
    )
    intervals = Intervals.of(both)
    alone = Intervals.of(one)
    widths = intervals.half_widths(both.prediction, both.around)
    assert widths[:, 0] == pytest.approx(alone.half_widths(one.prediction, one.around)[:, 0])
    assert np.unique(widths[:, 1]).tolist() == [intervals.constant[1]]


def test_plain_values_restore_the_same_widths() -> None:
    held_out = drawn(50, np.random.default_rng(8))
    intervals = Intervals.of(held_out)
    again = Intervals.of_plain(intervals.constant.tolist(), intervals.plain())
    before, after = (one.half_widths(held_out.prediction, held_out.around) for one in (intervals, again))
    assert np.array_equal(before, after)
    earlier = Intervals.of_plain([1.5], None)
    assert earlier.half_widths(held_out.prediction, held_out.around).tolist() == [[1.5]] * 50
    damaged = {
        **Difficulty(1, *((1.0,) * 4,) * 4, intercept=0, slopes=(0.0,) * 4).plain(),
        "scale": [1.0, 1.0, 0.0, 1.0],
    }
    with pytest.raises(ValueError, match="not positive"):
        Difficulty.of_plain(damaged)


def test_difficulty_is_the_maximum_of_its_penalized_likelihood() -> None:
    rng = np.random.default_rng(9)
    held_out = drawn(200, rng)
    assert held_out.around is not None
    x = features(held_out.prediction[:, 0], held_out.around, 0, 2.0)
    errors = np.abs(held_out.y - held_out.prediction)[:, 0]
    best = fitted(x, errors, 2.0)

    def loss(intercept: float, slopes: np.ndarray) -> float:
        z = (x - best.center) / best.scale
        log_sigma = intercept + z @ slopes
        return float((log_sigma + 0.5 * (errors / np.exp(log_sigma)) ** 2).sum() + 25 * (slopes**2).sum())

    least = loss(best.intercept, np.array(best.slopes))
    for _ in range(20):
        assert loss(best.intercept + rng.normal(0, 0.05), np.array(best.slopes) + rng.normal(0, 0.05, 4)) > least
    assert best.slopes[0] < 0  # errors shrink with the similarity
    assert abs(best.slopes[2]) < abs(best.slopes[0])  # and have nothing to do with the neighbors' labels


def test_widths_of_a_part_come_from_the_other_parts() -> None:
    rng = np.random.default_rng(10)
    parts = [drawn(60, rng) for _ in range(3)]
    whole, widths = cross_widths(parts)
    assert len(whole) == len(widths) == 180
    changed = HeldOut(parts[0].rows, parts[0].y + 9, parts[0].prediction, parts[0].similarity, parts[0].local)
    _, again = cross_widths([changed, *parts[1:]])
    assert np.array_equal(widths[:60], again[:60])
    assert not np.isclose(widths[60:], again[60:]).any()
    [share] = covered(whole, widths)
    assert share == pytest.approx(0.9, abs=0.07)
