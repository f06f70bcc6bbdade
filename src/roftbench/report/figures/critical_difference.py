"""Critical difference diagrams (Demšar 2006): mean ranks on a line, bars over methods that do not differ."""

import math
from typing import TYPE_CHECKING

from roftbench.config.method_cards import proposed
from roftbench.report.figures.style import SOFT, appearance, headings, style
from roftbench.report.format import method_name
from roftbench.report.statistics.inference import ALPHA
from roftbench.report.statistics.paired import Friedman

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#222222"
_AXIS = 3.4  # inches, the length of the axis of ranks
_ROW = 0.26  # inches between names
_LETTER = 0.09  # inches, of the title, at most on average
_BAR = 0.13  # inches between bars


def draw_critical_difference(result: Friedman, title: str) -> "Figure":
    """Draw mean ranks, best on the left, with bars that join the groups of methods that do not differ at 0.05.

    Above the axis stands the length of the critical difference. Without a difference in the Friedman test,
    a text replaces the groups.
    """
    places = list(result.ranks.values())
    sure = result.p < ALPHA
    rows = math.ceil(len(places) / 2)
    bars = len(result.groups) if sure else 1
    depth = 0.16 + _BAR * bars + 0.10 + _ROW * rows
    with style():
        from matplotlib.figure import Figure

        height = 1.15 + depth
        margin = 0.7 + 0.08 * max(len(method_name(method)) for method in result.ranks)
        width = max(_AXIS + 2 * margin, 0.2 + _LETTER * len(title))
        figure = Figure(figsize=(width, height), label=title)
        axes = figure.add_axes((margin / width, 0, _AXIS / width, 1))
        axes.set_axis_off()
        axes.set_xlim(1, len(places))
        axes.set_ylim(-depth - 0.05, height - depth - 0.05)  # inches, 0 on the axis of ranks
        headings(figure, title, _note(result), size=9)
        _axis(axes, len(places), result.critical_difference)
        _names(axes, result, 0.16 + _BAR * bars + 0.10)
        if sure:
            _bars(axes, result)
        else:
            _no_difference(axes, len(places))
    return figure


def _note(result: Friedman) -> str:
    p = "p < 0.0001" if result.p < 1e-4 else f"p = {result.p:.4f}"
    return f"Mean rank over {result.n} data sets, 1 is best. Friedman χ² = {result.statistic:.1f}, {p}"


def _axis(axes: "Axes", methods: int, distance: float) -> None:
    """The axis of ranks with its numbers, and the critical difference above it, as far as it fits."""
    axes.plot([1, methods], [0, 0], color=_INK, linewidth=1, clip_on=False)
    for place in range(1, methods + 1):
        axes.plot([place, place], [0, 0.06], color=_INK, linewidth=1, clip_on=False)
        axes.text(place, 0.09, str(place), ha="center", va="bottom")
    end = min(1 + distance, methods)
    axes.plot([1, end], [0.36, 0.36], color=_INK, linewidth=1.2, clip_on=False)
    for x in (1.0, end) if end == 1 + distance else (1.0,):
        axes.plot([x, x], [0.32, 0.40], color=_INK, linewidth=1.2, clip_on=False)
    axes.text(1, 0.43, f"critical difference {distance:.2f}", ha="left", va="bottom")


def _names(axes: "Axes", result: Friedman, top: float) -> None:
    """The better half of the methods is named on the left, the other on the right, the extremes topmost."""
    methods = list(result.ranks)
    left = math.ceil(len(methods) / 2)
    low, high = axes.get_xlim()
    reach = 0.03 * (high - low)
    for i, method in enumerate(methods):
        on_left = i < left
        y = -top - _ROW * ((i if on_left else len(methods) - 1 - i) + 0.3)
        x = result.ranks[method]
        edge = low - reach if on_left else high + reach
        look = appearance(method)
        axes.plot([x, x, edge], [0, y, y], color=look.color, linewidth=0.9, clip_on=False, zorder=1)
        axes.plot([x], [0], color=look.color, marker="o", markersize=5, clip_on=False, zorder=4)
        name, rank = method_name(method), f"{x:.2f}"
        text = f"{rank}  {name}" if not on_left else f"{name}  {rank}"
        weight = "bold" if method == proposed() else "normal"
        side = "right" if on_left else "left"
        axes.text(edge + (-reach if on_left else reach) / 2, y, text, ha=side, va="center", color=_INK, weight=weight)


def _bars(axes: "Axes", result: Friedman) -> None:
    """Draw one bar per group, slightly longer than the distance of its ranks."""
    overhang = 0.006 * (len(result.ranks) - 1)
    for i, group in enumerate(result.groups):
        y = -0.16 - _BAR * i
        ends = (result.ranks[group[0]] - overhang, result.ranks[group[-1]] + overhang)
        axes.plot(ends, [y, y], color=_INK, linewidth=3, solid_capstyle="round", clip_on=False, zorder=3)


def _no_difference(axes: "Axes", methods: int) -> None:
    text, backed = "the Friedman test finds no difference", {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    axes.text((1 + methods) / 2, -0.2, text, ha="center", va="center", color=SOFT, bbox=backed, zorder=5)
