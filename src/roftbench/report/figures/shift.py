"""Parameter shifts by block, and scores against the feature shift."""

import math
from typing import TYPE_CHECKING

import numpy as np

from roftbench.report.figures.cost import set_worth
from roftbench.report.figures.named_points import NamedPoint, draw_named, family_legend
from roftbench.report.figures.style import headings, style
from roftbench.report.row_means import RowMeans, with_shift
from roftbench.store.record_schema import SHIFT_MOLECULES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (4.6, 4.0)  # inches of the scatter plot
_CELL = (0.52, 0.2)
_LETTER = 0.068  # inches, of a row's name
_BOTTOM, _TOP, _BETWEEN, _RIGHT = 0.85, 0.9, 0.95, 0.2


def draw_shift(means: RowMeans, title: str) -> "Figure":
    """Draw a matrix of parameter shifts, rows of the table by blocks, and worth against the feature shift.

    Raises ValueError if no row has a shift.
    """
    rows = [i for i, blocks in enumerate(means.blocks) if blocks]
    drawn = with_shift(means)
    if not drawn:
        raise ValueError("no row has shifts in each data set")
    blocks = list(dict.fromkeys(block for i in rows for block in means.blocks[i]))
    left = 0.25 + _LETTER * max(len(means.names[i]) for i in rows)
    matrix = (_CELL[0] * len(blocks), max(_CELL[1] * len(rows), 0.6))
    with style():
        from matplotlib.figure import Figure

        inside = max(matrix[1], _SIZE[1])
        size = (_SIZE[0], inside)
        width, height = left + matrix[0] + _BETWEEN + size[0] + _RIGHT, _BOTTOM + inside + _TOP
        figure = Figure(figsize=(width, height), label=title)
        top = _BOTTOM + inside
        at = (left / width, (top - matrix[1]) / height, matrix[0] / width, matrix[1] / height)
        _matrix(figure.add_axes(at), means, rows, blocks)
        x = (left + matrix[0] + _BETWEEN) / width
        axes = figure.add_axes((x, _BOTTOM / height, size[0] / width, size[1] / height))
        points = _scatter(axes, means, drawn, size)
        family_legend(figure, points, 0.0, 0.3 / height)
        headings(figure, title, _note(means))
    return figure


def _matrix(axes: "Axes", means: RowMeans, rows: list[int], blocks: list[str]) -> None:
    shifts = np.array([[means.blocks[i].get(block, np.nan) for block in blocks] for i in rows])
    shown = np.log10(np.where(shifts > 0, shifts, np.nan))  # of no change: white
    axes.imshow(shown, cmap="YlOrBr", vmin=-3, vmax=0.3, aspect="auto")
    axes.grid(visible=False)
    axes.set_title("Which block moves: ‖θ − θ⁰‖/‖θ⁰‖", loc="left", fontsize=9)
    axes.set_xticks(range(len(blocks)), blocks, rotation=40, ha="right", rotation_mode="anchor", fontsize=7.5)
    axes.set_yticks(range(len(rows)), [means.names[i] for i in rows], fontsize=7.5)
    axes.tick_params(length=0)
    for (y, x), value in np.ndenumerate(shifts):
        color = "white" if value > 0.3 else "#222222"
        axes.text(x, y, "–" if math.isnan(value) else f"{value:.2g}", ha="center", va="center", fontsize=6, color=color)


def _scatter(axes: "Axes", means: RowMeans, drawn: list[int], size: tuple[float, float]) -> list[NamedPoint]:
    points = [NamedPoint(means.names[i], means.families[i], means.feature_shift[i], means.worth[i]) for i in drawn]
    set_worth(axes, means, [point.y for point in points])
    largest = max(point.x for point in points) or 0.01
    axes.set_xlim(-0.05 * largest, 1.12 * largest)
    axes.set_xlabel("feature shift: 1 − linear CKA to the pretrained representations")
    axes.set_title("Does moving pay?", loc="left", fontsize=9)
    draw_named(axes, points, size)
    return points


def _note(means: RowMeans) -> str:
    over = (
        f"means over {len(means.datasets)} data sets and all seeds" if len(means.datasets) > 1 else "means over seeds"
    )
    over = f"{over[0].upper()}{over[1:]}; representations of at most {SHIFT_MOLECULES} test molecules."
    left = f" Left out, as scores are missing: {len(means.left_out)} rows." if means.left_out else ""
    return f"{over} Better is upward.{left}"
