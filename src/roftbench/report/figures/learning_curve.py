"""Learning curve of one candidate: scores by number of training molecules, with an extrapolated power law."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from roftbench.report.figures.panels import Floats
from roftbench.report.figures.style import SOFT, appearance, style
from roftbench.report.format import metric_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Line(NamedTuple):
    """A power law at numbers of molecules [n]: score [n] and the ends of its interval [n]."""

    molecules: Floats
    score: Floats
    low: Floats
    high: Floats


def draw_learning_curve(
    points: Sequence[tuple[float, float, float, float]], line: Line | None, title: str, metric: str, method: str
) -> "Figure":
    """Draw a learning curve on a logarithmic axis of molecules.

    Args:
        points: Number of molecules, mean score over folds, the lowest and the highest.
        line: The power law, None if there is none; beyond the last point it is broken and has its interval.
        title: Title of the figure.
        metric: Name of the metric.
        method: Name of the method, which has the color.
    """
    size, mean, low, high = (np.array(column) for column in zip(*points, strict=True))
    color = appearance(method).color
    with style():
        from matplotlib.figure import Figure
        from matplotlib.ticker import NullFormatter

        figure = Figure(figsize=(5.4, 3.1), label=title)
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        axes.errorbar(size, mean, yerr=np.abs([mean - low, high - mean]), fmt="o", color=color, elinewidth=0.9)
        ticks = list(size)
        if line is not None:
            seen = line.molecules <= size[-1]
            axes.plot(line.molecules[seen], line.score[seen], color=color, linewidth=1.4)
            axes.plot(line.molecules[~seen], line.score[~seen], color=color, linewidth=1.4, linestyle="--")
            axes.fill_between(
                line.molecules[~seen], line.low[~seen], line.high[~seen], color=color, alpha=0.18, linewidth=0
            )
            ticks.append(line.molecules[-1])
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks([], minor=True)
        axes.set_xlabel("training molecules")
        axes.set_ylabel(metric_name(metric))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        note = "mean over folds, bars: lowest and highest fold; broken: extrapolated, with its 95 % interval"
        figure.supxlabel(note, fontsize=8, color=SOFT)
    return figure
