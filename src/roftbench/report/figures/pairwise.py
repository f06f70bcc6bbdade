"""Rows of a table compared inside one data set: matrix of all pairs, and simultaneous intervals.

draw_pairs(contest, title, delta) -> Figure        mean differences in the metric's unit, stars for p (MCSim plot)
draw_intervals(contest, title, delta) -> Figure    means whose intervals do not overlap differ by Tukey's HSD
"""

from typing import TYPE_CHECKING

import numpy as np

from roftbench.formatting import score_text
from roftbench.report.figures.style import headings, style
from roftbench.report.format import METRIC_NAMES, metric_name
from roftbench.report.statistics.contest import CONOVER, Contest, versus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
_BEST, _ALIKE, _APART = "#d55e00", "#505050", "#9a9a9a"
_LETTER = 0.075  # inches, at the size of row names
_MANY = 12  # rows from which numbers are small


def draw_pairs(contest: Contest, title: str, delta: float | None = None) -> "Figure":
    """Draw the mean difference of each row of a tested contest from each other row, best rows first.

    Blue where the row is better than the column, red where it is worse, full at twice `delta`, the smallest difference
    of interest, or at the largest difference. Stars mark differences that are significant by the contest's test.
    """
    order = _order(contest)
    means = contest.means[order]
    differences = means[:, None] - means[None, :]
    reach = 2 * delta if delta else float(np.abs(differences).max()) or 1.0
    k = len(order)
    cell = (0.64, 0.36) if k <= _MANY else (0.5, 0.27)
    names = [contest.rows[i].label for i in order]
    left = 0.25 + _LETTER * (max(map(len, names)) + 7)
    with style():
        from matplotlib.figure import Figure

        top, foot = 0.62, 0.2 + _LETTER * max(map(len, names)) * 0.75
        note = _pairs_note(contest, delta)
        width = max(left + cell[0] * k + 1.0, 0.1 * len(title), 0.066 * max(map(len, note.splitlines())))
        height = top + cell[1] * k + foot + 0.15 * note.count("\n")
        figure = Figure(figsize=(width, height), label=title)
        axes = figure.add_axes((left / width, foot / height, cell[0] * k / width, cell[1] * k / height))
        shown = axes.imshow(-contest.sign * differences, cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto")
        axes.grid(visible=False)
        axes.set_xticks(range(k), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(
            range(k), [f"{name}  {score_text(float(mean))}" for name, mean in zip(names, means, strict=True)]
        )
        axes.tick_params(length=0)
        _numbers(axes, contest, order, differences, reach)
        bar = figure.add_axes(((left + cell[0] * k + 0.15) / width, foot / height, 0.14 / width, cell[1] * k / height))
        scale = figure.colorbar(shown, cax=bar)
        scale.set_ticks([-reach, 0, reach], labels=["worse", "0", "better"])
        headings(figure, title, note)
    return figure


def _numbers(axes: "Axes", contest: Contest, order: list[int], differences: np.ndarray, reach: float) -> None:
    """Write differences and stars into the cells, in white on dark colors."""
    small = len(order) > _MANY
    for y, i in enumerate(order):
        for x, j in enumerate(order):
            if i == j:
                continue
            value = float(differences[y, x])
            text = f"{value:+.2g}" + ("\n" if small else " ") * bool(stars := _stars(contest, i, j)) + stars
            color = "white" if abs(value) > 0.6 * reach else "#222222"
            size = 5 if small else 7
            axes.text(x, y, text, ha="center", va="center", color=color, fontsize=size, linespacing=0.9)


def _stars(contest: Contest, i: int, j: int) -> str:
    found = versus(contest, i, j)
    if found.verdict == "not distinguishable":
        return ""
    return next(stars for limit, stars in STARS if found.p < limit)


def _pairs_note(contest: Contest, delta: float | None) -> str:
    metric = METRIC_NAMES[contest.metric]
    edge = f"full color at twice delta = {delta:g}" if delta else "full color at the largest difference"
    return (
        f"row − column, mean {metric} over {contest.count}; blue: the row is better; {edge}\n"
        f"* p < 0.05, ** p < 0.01, *** p < 0.001 for all pairs together ({contest.test})"
    )


def draw_intervals(contest: Contest, title: str, delta: float | None = None) -> "Figure":
    """Draw the mean of each row with an interval, such that rows whose intervals do not overlap differ at 0.05.

    By Tukey's HSD, for a tested contest. The best row is colored, and rows that differ from it are gray. `delta`: a
    band of that width on the worse side of the best mean.

    Raises:
        ValueError: the contest's test is Conover's, which compares ranks.
    """
    if contest.test == CONOVER:
        raise ValueError(f"variances differ too much for Tukey's HSD: by {contest.variance_ratio:.3g} times")
    order = _order(contest)
    pair = next(iter(contest.pairs.values()))
    half = (pair.high - pair.low) / 4  # of a difference it is twice as wide
    names = [contest.rows[i].label for i in order]
    left = 0.3 + _LETTER * max(map(len, names))
    with style():
        from matplotlib.figure import Figure

        note = _intervals_note(contest, delta)
        width = max(left + 4.2, 0.1 * len(title), 0.066 * max(map(len, note.splitlines())))
        height = 1.35 + 0.24 * len(order) + 0.15 * note.count("\n")
        figure = Figure(figsize=(width, height), label=title)
        inside = (left / width, 0.5 / height, (width - left - 0.25) / width, (0.24 * len(order) + 0.1) / height)
        axes = figure.add_axes(inside)
        best = float(contest.means[contest.best])
        if delta:
            axes.axvspan(best, best + contest.sign * delta, color="#009e73", alpha=0.15, linewidth=0)
        for edge in (best - half, best + half):
            axes.axvline(edge, color=_BEST, linewidth=0.8, linestyle=":")
        for y, i in enumerate(order):
            color = _BEST if i == contest.best else _ALIKE if i in contest.best_set else _APART
            axes.errorbar(contest.means[i], y, xerr=half, fmt="o", color=color, markersize=4, capsize=2, linewidth=1.6)
        axes.set_yticks(range(len(order)), names)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"mean test {metric_name(contest.metric)}")
        low, high = axes.get_xlim()
        axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
        headings(figure, title, note)
    return figure


def _intervals_note(contest: Contest, delta: float | None) -> str:
    band = f"; green: less than delta = {delta:g} from the best" if delta else ""
    told = f"Tukey HSD over {contest.count}: rows differ at 0.05 where intervals do not overlap"
    return f"{told}\ngray: apart from the best{band}"


def _order(contest: Contest) -> list[int]:
    """Return the rows, best mean first."""
    found: list[int] = np.argsort(contest.means * contest.sign, kind="stable").tolist()
    return found
