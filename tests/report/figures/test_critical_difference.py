"""Critical difference diagrams, read back from the figure."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from drawn import svg, texts_outside
from matplotlib.axes import Axes

from roftbench.report.figures.critical_difference import draw_critical_difference
from roftbench.report.statistics.paired import Friedman

RESULT = Friedman(
    ranks={"roftmol": 1.25, "lp": 2.0, "bss": 3.25, "full_ft": 3.5},
    n=12,
    statistic=20.5,
    p=0.00013,
    critical_difference=1.354,
    groups=(("roftmol", "lp"), ("lp", "bss"), ("bss", "full_ft")),
)


def bars(axes: Axes) -> list[tuple[float, float]]:
    """The ends of the thick bars, from the top."""
    thick = [line for line in axes.lines if line.get_linewidth() == 3]
    thick.sort(key=lambda line: -line.get_ydata()[0])
    return [(float(line.get_xdata()[0]), float(line.get_xdata()[1])) for line in thick]


def test_ranks_bars_and_the_critical_difference_are_to_scale() -> None:
    [axes] = draw_critical_difference(RESULT, "gin").axes
    points = sorted(float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "o")
    assert points == [1.25, 2.0, 3.25, 3.5]
    ends = [end for bar in bars(axes) for end in bar]
    assert ends == pytest.approx([1.25, 2.0, 2.0, 3.25, 3.25, 3.5], abs=0.05)
    [distance] = [line.get_xdata() for line in axes.lines if list(line.get_ydata()) == [0.36, 0.36]]
    assert distance == pytest.approx([1, 2.354])


def test_every_method_is_named_with_its_rank() -> None:
    figure = draw_critical_difference(RESULT, "gin · regression")
    words = "".join(ElementTree.fromstring(svg(figure)).itertext())
    for text in (
        *("gin · regression", "ROFT-MOL  1.25", "LP  2.00", "3.25  BSS", "3.50  Full FT", "critical difference 1.35"),
        "Mean rank over 12 data sets, 1 is best. Friedman χ² = 20.5, p = 0.0001",
    ):
        assert text in words
    sure = svg(draw_critical_difference(replace(RESULT, n=3, p=1e-9), "gin"))
    assert "Mean rank over 3 data sets, 1 is best. Friedman χ² = 20.5, p &lt; 0.0001" in sure


def test_without_a_difference_no_groups_are_shown() -> None:
    figure = draw_critical_difference(replace(RESULT, p=0.05), "gin")
    assert bars(figure.axes[0]) == []
    assert "the Friedman test finds no difference" in svg(figure)


@pytest.mark.parametrize("distance", [0.5, 1.354, 5.0])
def test_nothing_is_cut_off(distance: float) -> None:
    ranks = {**RESULT.ranks, "a_method_of_mine_with_a_long_name": 5.0, "another_method_with_a_long_name": 1.0}
    ordered = dict(sorted(ranks.items(), key=lambda item: item[1]))
    title = "gin_of_a_long_name · paper (epochs=100, batch_size=32) · classification · ranks over data sets · MAE"
    for ranks, name in ((ordered, "gin · regression"), (RESULT.ranks, title)):
        figure = draw_critical_difference(replace(RESULT, ranks=ranks, critical_difference=distance), name)
        assert texts_outside(figure) == []
