"""Scatter plots whose points are the rows of a table, each with its name beside it and the color of its mechanism."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from roftbench.methods.config import FAMILIES
from roftbench.report.format import FAMILY_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS: Mapping[str, tuple[str, str]] = {  # color and marker of a mechanism
    "full": ("#505050", "o"),
    "weight": ("#d55e00", "*"),
    "representation": ("#6e2e99", "X"),
    "partial": ("#4545e6", "v"),
    "parameter-efficient": ("#009e73", "s"),
    "ensemble": ("#b2a84c", "D"),
    "estimator": ("#000000", "P"),
    "other": ("#8c8c8c", "h"),
}
_LETTER, _LINE = 0.064, 0.12  # inches of a name, at most on average
_GAP = 0.07  # inches between a point and its name
_Box = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True)
class NamedPoint:
    """A row of a table in a scatter plot."""

    name: str
    family: str
    x: float
    y: float
    strong: bool = False


def draw_named(axes: "Axes", points: Sequence[NamedPoint], size: tuple[float, float]) -> None:
    """Draw points and their names, beside one another without overlap as far as there is room.

    The limits and scales of the axes are set before; `size`: their width and height in inches.
    """
    for point in points:
        color, marker = LOOKS[point.family]
        area = 70 if marker == "*" else 34
        axes.scatter([point.x], [point.y], s=area, c=color, marker=marker, zorder=3, linewidths=0)
    to_axes = axes.transData + axes.transAxes.inverted()
    at = [tuple(to_axes.transform((point.x, point.y)) * size) for point in points]
    taken: list[_Box] = [(x - 0.04, y - 0.04, x + 0.04, y + 0.04) for x, y in at]
    for i in sorted(range(len(points)), key=lambda i: (not points[i].strong, -at[i][1], at[i][0])):
        point, (x, y) = points[i], at[i]
        box, far = _place(x, y, _LETTER * len(point.name), size, [one for j, one in enumerate(taken) if j != i])
        taken.append(box)
        middle = (box[0] / size[0], (box[1] + box[3]) / 2 / size[1])
        weight = "bold" if point.strong else "normal"
        color = LOOKS[point.family][0]
        words = axes.text(
            *middle, point.name, transform=axes.transAxes, va="center", fontsize=7, color=color, zorder=2.5
        )
        words.set(weight=weight, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        if far:
            edge = (min(max(x, box[0]), box[2]) / size[0], min(max(y, box[1]), box[3]) / size[1])
            ends = [x / size[0], edge[0]], [y / size[1], edge[1]]
            axes.plot(*ends, transform=axes.transAxes, color=color, linewidth=0.5, zorder=2)


def _place(x: float, y: float, width: float, size: tuple[float, float], taken: Sequence[_Box]) -> tuple[_Box, bool]:
    """Return the box of a name near a point, the nearest with least overlap, and whether it needs a line to it."""
    best: tuple[float, _Box, bool] | None = None
    for ring, way in product(range(8), ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))):
        reach = _GAP + 0.13 * ring
        left = x + reach * way[0] - (width if way[0] < 0 else width / 2 if way[0] == 0 else 0)
        low = y + (reach + 0.02) * way[1] - (_LINE if way[1] < 0 else _LINE / 2 if way[1] == 0 else 0)
        box = (left, low, left + width, low + _LINE)
        outside = max(0.0, -box[0], box[2] - size[0], -box[1], box[3] - size[1])
        overlap = sum(_overlap(box, one) for one in taken) + outside
        if best is None or overlap < best[0]:
            best = overlap, box, ring > 0
        if overlap == 0:
            break
    assert best is not None
    return best[1], best[2]


def _overlap(a: _Box, b: _Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def family_legend(figure: "Figure", points: Sequence[NamedPoint], x: float, y: float) -> None:
    """Add a legend of the mechanisms of points at a place of the figure, from its upper left corner."""
    from matplotlib.lines import Line2D

    shown = [family for family in FAMILIES if any(point.family == family for point in points)]
    handles = [
        Line2D([], [], linestyle="", color=LOOKS[one][0], marker=LOOKS[one][1], label=FAMILY_NAMES.get(one, one))
        for one in shown
    ]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(x, y), ncols=len(shown), fontsize=7.5, columnspacing=1.2
    )
