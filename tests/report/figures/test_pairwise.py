"""Figures of rows compared inside one data set."""

import re

import numpy as np
import pytest
from boards import computed
from drawn import svg, texts_outside
from folds import SCORES, folds, three
from matplotlib.figure import Figure

from roftbench.report.figures.pairwise import draw_intervals, draw_pairs
from roftbench.report.statistics.contest import Contest


def contest(count: int = 3) -> Contest:
    rng = np.random.default_rng(1)
    if count == 3:
        return computed(three()).contests[0]
    scores = SCORES[:, :1] + np.linspace(0, 0.3, count) + rng.normal(0, 0.03, (10, count))
    records = [one for i in range(count) for one in folds(f"a_long_method_{i}", scores[:, i])]
    return computed(records).contests[0]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_matrix_has_the_differences_in_the_unit_and_stars_for_p() -> None:
    one = contest()
    figure = draw_pairs(one, "esol", 0.1)
    names = [label.get_text().rpartition("  ")[0] for label in figure.axes[0].get_yticklabels()]
    assert names == [one.rows[i].label for i in np.argsort(one.means)]  # RMSE: lowest first
    difference = (SCORES[:, 0] - SCORES[:, 1]).mean()
    assert texts(figure)[0] == f"{difference:+.2g}"  # not significant
    assert texts(figure)[1] == f"{(SCORES[:, 0] - SCORES[:, 2]).mean():+.2g} ***"
    [image] = figure.axes[0].images
    assert image.get_clim() == (-0.2, 0.2)
    assert image.get_array()[0, 2] > 0 > image.get_array()[2, 0]  # blue: the row is better
    largest = np.abs(one.means[:, None] - one.means).max()
    assert draw_pairs(one, "esol").axes[0].images[0].get_clim() == (-largest, largest)


def test_intervals_overlap_just_where_tukey_finds_no_difference() -> None:
    one = contest(20)
    figure = draw_intervals(one, "esol", 0.05)
    pair = one.pairs[0, 1]
    half = (pair.high - pair.low) / 4
    for (i, j), found in one.pairs.items():
        assert (abs(one.means[i] - one.means[j]) <= 2 * half) == (found.p >= 0.05)
    bars = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert {bar.get_color() for bar in bars[1 : len(one.best_set)]} == {"#505050"}
    assert {bar.get_color() for bar in bars[len(one.best_set) :]} == {"#9a9a9a"}
    assert "less than delta = 0.05 from the best" in svg(figure)


def test_ranks_have_no_intervals() -> None:
    scores = SCORES.copy()
    scores[:, 0] = 1.0 + 1e-4 * np.arange(len(scores))  # hardly varies
    one = computed(three(scores=scores)).contests[0]
    with pytest.raises(ValueError, match="variances"):
        draw_intervals(one, "esol")
    assert "Conover–Friedman" in svg(draw_pairs(one, "esol"))


@pytest.mark.parametrize("count", [3, 20])
def test_no_text_is_cut_off(count: int) -> None:
    one = contest(count)
    for draw in (draw_pairs, draw_intervals):
        figure = draw(one, "esol · gin_masking · cv split · full labels · paper training", 0.1)
        assert texts_outside(figure) == []
        assert re.search(r"<svg ", svg(figure))
