"""Predicted against measured values, with residuals beneath."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from roftbench.report.figures.panels import Panel, grid, labeled, scatter
from roftbench.report.figures.style import SOFT, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHTS = (2.6, 1.1)  # inches
_MARGIN = 0.04  # of the span of the values, around them


def draw_parity(panels: Sequence[Panel], title: str, target: str, units: str = "") -> "Figure":
    """Draw predicted against measured values on equal scales, and their differences beneath, a column per cell.

    The title of a column has RMSE and R², mean ± standard deviation over jobs, and the number of predictions.
    """
    titles = [
        f"{one.title}\n{one.score('regression', 'rmse')}, {one.score('regression', 'r2')}\n{one.count()}"
        for one in panels
    ]
    with style():
        figure, columns = grid(title, titles, _HEIGHTS)
        limits = _limits(panels)
        for panel, (above, below) in zip(panels, columns, strict=True):
            points = panel.points
            above.plot(limits, limits, color=SOFT, linewidth=0.8, linestyle="--", zorder=1)
            scatter(above, panel, points.y, points.prediction)
            above.set_xlim(*limits)
            above.set_ylim(*limits)
            _residuals(below, panel)
            below.set_xlabel(labeled("measured", target, units))
        columns[0][0].set_ylabel(labeled("predicted", target, units))
        columns[0][1].set_ylabel("predicted −\nmeasured")
        _symmetric([below for _, below in columns])
    return figure


def _residuals(axes: "Axes", panel: Panel) -> None:
    axes.axhline(0, color=SOFT, linewidth=0.8, linestyle="--", zorder=1)
    scatter(axes, panel, panel.points.y, panel.points.prediction - panel.points.y)


def _symmetric(axes: "Sequence[Axes]") -> None:
    reach = max(abs(limit) for one in axes for limit in one.get_ylim())
    axes[0].set_ylim(-reach, reach)


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    """Return limits that hold all measured and predicted values."""
    values = np.concatenate([column for one in panels for column in (one.points.y, one.points.prediction)])
    low, high = float(values.min()), float(values.max())
    margin = _MARGIN * ((high - low) or 1.0)
    return low - margin, high + margin
