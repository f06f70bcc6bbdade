"""Common parts of figures of single predictions: the points of a cell, and panels side by side, one per cell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from roftbench.formatting import UNDEFINED, cut, score_text
from roftbench.metrics import evaluate
from roftbench.report.figures.style import SOFT, appearance
from roftbench.report.format import METRIC_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
MOST = 100_000  # points of a panel; of more, a sample is drawn
VECTORS = 2_000  # points of a panel that are drawn as shapes; more are a picture inside the figure
SEED = 42  # of the sample
WIDTH = 3.1  # inches of a panel
LETTER = 0.075  # inches, of a panel's title, at most on average
LONGEST = 24  # characters of a target's name on an axis


@dataclass(frozen=True)
class JobPoints:
    """Test predictions of a job for one target.

    Attributes:
        row: rows in the data file, [n].
        y: labels, [n].
        prediction: values in the unit of the labels, or probabilities of class 1, [n].
        similarity: to the nearest training molecule, [n], NaN where it is not known.
    """

    row: NDArray[np.int64]
    y: Floats
    prediction: Floats
    similarity: Floats


@dataclass(frozen=True)
class Panel:
    """A cell in a figure: its title, the method that gives its color, and the points of each job."""

    title: str
    method: str
    jobs: tuple[JobPoints, ...]

    @property
    def color(self) -> str:
        """Color of the method in all figures."""
        return appearance(self.method).color

    @cached_property
    def points(self) -> JobPoints:
        """The points of all jobs, at most MOST."""
        columns = [np.concatenate([getattr(job, field.name) for job in self.jobs]) for field in fields(JobPoints)]
        kept = sample(len(columns[0]), MOST)
        return JobPoints(*(column[kept] for column in columns))

    def score(self, task: str, metric: str) -> str:
        """Return a metric as text: mean ± standard deviation (ddof 0) over jobs, as the leaderboard has it."""
        values = [evaluate(task, job.y[:, None], job.prediction[:, None], [metric])[metric] for job in self.jobs]
        name = METRIC_NAMES[metric]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return f"{name} {UNDEFINED}"
        spread = f" ± {score_text(float(np.std(known)))}" if len(known) > 1 else ""
        return f"{name} {score_text(float(np.mean(known)))}{spread}"

    def count(self) -> str:
        """Return the number of predictions and molecules, in words."""
        total = sum(len(job.y) for job in self.jobs)
        molecules = len(np.unique(np.concatenate([job.row for job in self.jobs])))
        jobs = f", {len(self.jobs)} jobs" if len(self.jobs) > 1 else ""
        drawn = f"; a random {MOST:,} are drawn" if total > MOST else ""
        return f"{total:,} predictions of {molecules:,} molecules{jobs}{drawn}"


def sample(total: int, most: int) -> NDArray[np.int64]:
    """Return all positions below `total` or a random sample of `most` of them, ascending and of a fixed seed."""
    if total <= most:
        return np.arange(total)
    return np.sort(np.random.default_rng(SEED).choice(total, most, replace=False))


def grid(
    title: str, titles: Sequence[str], heights: Sequence[float], note: str = "", *, share: bool = True, pad: float = 6
) -> "tuple[Figure, list[list[Axes]]]":
    """Return a figure with a column of axes per panel, and the axes by column.

    Call it inside `style()`.

    Args:
        title: of the figure.
        titles: of the columns, with line ends.
        heights: inches of the rows.
        note: a line below the panels.
        share: whether the axes of a row share their scales.
        pad: points between titles and axes.
    """
    from matplotlib.figure import Figure

    longest = max(len(line) for text in titles for line in text.split("\n"))
    width = max(len(titles) * max(WIDTH, LETTER * longest + 0.5), 0.09 * len(title) + 0.3)
    lines = 1 + titles[0].count("\n")
    figure = Figure(figsize=(width, sum(heights) + 0.75 + 0.17 * lines), label=title)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05)
    shared: Literal["row", "none"] = "row" if share else "none"
    axes = figure.subplots(
        len(heights), len(titles), squeeze=False, sharey=shared, sharex=share, height_ratios=list(heights)
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    if note:
        figure.supxlabel(note, fontsize=8, color=SOFT)
    columns = [list(column) for column in axes.T]
    for column, text in zip(columns, titles, strict=True):
        column[0].set_title(text, loc="left", fontsize=9, fontweight="normal", pad=pad)
    return figure, columns


def scatter(axes: "Axes", panel: Panel, x: Floats, y: Floats) -> None:
    """Draw points, the fainter the more there are, and as a picture where they are many."""
    faint = float(np.clip(12 / math.sqrt(max(len(x), 1)), 0.06, 0.6))
    axes.plot(x, y, ".", color=panel.color, markersize=5, markeredgewidth=0, alpha=faint, rasterized=len(x) > VECTORS)


def labeled(name: str, target: str, units: str = "") -> str:
    """Return the label of an axis, with the unit or else the name of the target: "measured (log mol/L)"."""
    return f"{name} ({units})" if units else f"{name} {cut(target, LONGEST)}"
