"""Score against cost: the rows of a table, and its Pareto front."""

from typing import TYPE_CHECKING

from roftbench.report.cost import CPU
from roftbench.report.figures.named_points import NamedPoint, draw_named, family_legend
from roftbench.report.figures.style import headings, style
from roftbench.report.row_means import RowMeans, front, with_cost

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (6.0, 4.0)  # inches of the axes
_FEW_DECADES = 1000.0  # ratio of the ends of the axis up to which 2 and 5 have labels
_LEFT, _BOTTOM, _TOP, _RIGHT = 0.75, 0.85, 0.75, 0.2


def draw_cost(means: RowMeans, title: str) -> "Figure":
    """Draw worth against cost on a logarithmic axis, better upward, with the rows that no other row beats joined.

    Raises ValueError if no row has a cost.
    """
    best = front(means)
    if not best:
        raise ValueError("no row has both a score and a cost in each data set")
    known = with_cost(means)
    points = [NamedPoint(means.names[i], means.families[i], means.cost[i], means.worth[i], i in best) for i in known]
    with style():
        from matplotlib.figure import Figure

        width, height = _LEFT + _SIZE[0] + _RIGHT, _BOTTOM + _SIZE[1] + _TOP
        figure = Figure(figsize=(width, height), label=title)
        inside = (_LEFT / width, _BOTTOM / height, _SIZE[0] / width, _SIZE[1] / height)
        axes = figure.add_axes(inside)
        set_worth(axes, means, [point.y for point in points])
        _log_axis(axes, min(point.x for point in points) / 1.5, max(point.x for point in points) * 2.5)
        axes.set_xlabel(f"{means.unit} of a job's fits{', mean over data sets' if len(means.datasets) > 1 else ''}")
        steps = [points[known.index(i)] for i in best]
        right = axes.get_xlim()[1]
        x, y = [*(one.x for one in steps), right], [*(one.y for one in steps), steps[-1].y]
        axes.step(x, y, where="post", color="#bdbdbd", linewidth=1.2, zorder=1)
        draw_named(axes, points, _SIZE)
        family_legend(figure, points, 0.0, 0.3 / height)
        headings(figure, title, _note(means, known))
    return figure


def _log_axis(axes: "Axes", low: float, high: float) -> None:
    """Set the horizontal axis for seconds: plain numbers, two more per decade where there are few decades."""
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter("{x:g}")
    if high / low < _FEW_DECADES:
        axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.xaxis.set_minor_formatter("{x:g}")
    else:
        axes.xaxis.set_minor_formatter("")


def set_worth(axes: "Axes", means: RowMeans, values: list[float]) -> None:
    """Set the vertical axis for worth, better upward."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.5
    limits = (high + margin, low - margin) if means.lower else (low - margin, high + margin)
    axes.set_ylim(*limits)
    axes.set_ylabel(means.label)


def _note(means: RowMeans, known: list[int]) -> str:
    clock = "CPU seconds of all cores" if means.unit == CPU else "wall-clock seconds"
    missing = [*means.left_out, *(name for i, name in enumerate(means.names) if i not in known)]
    shown = f" Not drawn, as scores or seconds are missing: {_some(missing)}." if missing else ""
    cost = f"Cost: {clock}; fits from the store count as when they were fitted, searches with all candidates."
    return f"{cost}\nGray line and bold: no other row is better and as cheap (Pareto front).{shown}"


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names) if len(names) <= most else f"{len(names)} rows"
