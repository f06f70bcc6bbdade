import numpy as np
import pytest

from roftbench.predict.held_out import HeldOut
from roftbench.predict.prediction_sets import set_texts, thresholds


def drawn(count: int, rng: np.random.Generator) -> HeldOut:
    """One class in five is positive; the model is biased toward the negative one."""
    y = (rng.random((count, 1)) < 0.2).astype(float)
    logit = rng.normal(2.5 * y - 2.5, 1)
    return HeldOut(np.arange(count), y, 1 / (1 + np.exp(-logit)))


def test_either_class_is_in_its_set_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    inside: dict[float, list[bool]] = {0.0: [], 1.0: []}
    for _ in range(150):
        limits = thresholds(drawn(200, rng))
        new = drawn(200, rng)
        for text, y in zip(set_texts(new.prediction, limits, ("0", "1"))[0], new.y[:, 0], strict=True):
            inside[y].append(f"{y:.0f}" in text)
    for found in inside.values():  # ⌈0.9 (n + 1)⌉ / (n + 1) is up to 0.93 for 40 labels of a class
        assert 0.89 < np.mean(found) < 0.93


def test_sets_by_hand() -> None:
    limits = np.array([[0.6, 0.7]])  # class 0 up to p = 0.6, class 1 down to p = 0.3
    p = np.array([[0.1], [0.3], [0.5], [0.61], [np.nan]])
    assert set_texts(p, limits, ("inactive", "active")) == [
        ["inactive", "inactive|active", "inactive|active", "active", ""]
    ]
    narrow = np.array([[0.2, 0.3]])
    assert set_texts(np.array([[0.5]]), narrow, ("0", "1")) == [["none"]]


def test_without_nine_labels_of_a_class_it_is_never_ruled_out() -> None:
    y = np.array([[0.0]] * 20 + [[1.0]] * 8 + [[np.nan]])
    limits = thresholds(HeldOut(np.arange(29), y, np.full((29, 1), 0.4)))
    assert limits[0, 0] == pytest.approx(0.4)
    assert np.isnan(limits[0, 1])
    assert set_texts(np.array([[0.01], [0.99]]), limits, ("0", "1")) == [["0|1", "1"]]
