"""Probabilities against classes: ROC and precision-recall curves, and reliability."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.formatting import score_text
from roftbench.report.figures.panels import Floats, JobPoints, Panel, grid, labeled
from roftbench.report.figures.style import SOFT, appearance, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10  # of equal width, of probabilities
_GRID = np.linspace(0, 1, 201)  # at which curves of several jobs are averaged


class Reliability(NamedTuple):
    """Number of predictions, mean probability and share of class 1 of each bin, [BINS]; NaN in an empty bin."""

    total: NDArray[np.int64]
    predicted: Floats
    observed: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: the gap between both, averaged over predictions (Naeini et al., AAAI 2015)."""
        gaps = np.abs(self.predicted - self.observed)
        return float(np.nansum(gaps * self.total) / self.total.sum())


def reliability(y: Floats, prediction: Floats) -> Reliability:
    """Return the reliability of probabilities [n] for classes [n]."""
    place = np.minimum((prediction * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    sums = [np.bincount(place, weights=values, minlength=BINS) for values in (prediction, y)]
    return Reliability(count, *(np.divide(one, count, out=np.full(BINS, np.nan), where=count > 0) for one in sums))


def draw_roc_pr(panels: Sequence[Panel], title: str) -> "Figure | None":
    """Draw the ROC curves of cells on the left and their precision-recall curves on the right; None without a curve.

    A curve is the mean over jobs, at equal false-positive rate or recall (Fawcett 2006, Pattern Recognit. Lett. 27,
    861); those of single jobs are thin. Dotted are chance, and the share of class 1. Jobs whose test part lacks a class
    have no curve.
    """
    drawn = [(one, jobs) for one in panels if (jobs := [job for job in one.jobs if 0 < job.y.mean() < 1])]
    if not drawn:
        return None
    with style():
        figure, ((roc,), (pr,)) = grid(title, ["ROC", "Precision and recall"], (2.9,), share=False)
        for panel, jobs in drawn:
            names = [panel.score("classification", name) for name in ("roc_auc", "average_precision")]
            for axes, curve, name in zip((roc, pr), (_roc, _precision_recall), names, strict=True):
                _curve(axes, panel, [curve(job) for job in jobs], f"{panel.title}\n{name}")
        share = float(np.mean([job.y.mean() for _, jobs in drawn for job in jobs]))
        roc.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, linestyle=":", label="chance")
        pr.axhline(share, color=SOFT, linewidth=0.9, linestyle=":", label=f"share of class 1: {share:.3f}")
        for axes, x, y in ((roc, "false-positive rate", "true-positive rate"), (pr, "recall", "precision")):
            axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7.5)
    return figure


def _curve(axes: "Axes", panel: Panel, curves: Sequence[Floats], label: str) -> None:
    """Draw the curves [jobs, grid] of a cell, and their mean."""
    look = appearance(panel.method)
    for one in curves if len(curves) > 1 else ():
        axes.plot(_GRID, one, color=look.color, linewidth=0.5, alpha=0.35)
    wide = max(look.linewidth, 1.6)
    axes.plot(_GRID, np.mean(curves, axis=0), label=label, color=look.color, linestyle=look.linestyle, linewidth=wide)


def _roc(job: JobPoints) -> Floats:
    """Return the true-positive rate at each false-positive rate of the grid."""
    from sklearn.metrics import roc_curve

    false_positive, true_positive, _ = roc_curve(job.y, job.prediction, drop_intermediate=False)
    found: Floats = np.interp(_GRID, false_positive, true_positive)
    return found


def _precision_recall(job: JobPoints) -> Floats:
    """Return the precision at each recall of the grid: that of the first threshold that reaches it."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(job.y, job.prediction)
    at = np.searchsorted(recall[::-1], _GRID - 1e-12)  # from the highest threshold on, after a point at recall 0
    found: Floats = precision[::-1][np.maximum(at, 1)]
    return found


def draw_calibration(panels: Sequence[Panel], title: str, target: str) -> "Figure":
    """Draw the share of class 1 against the predicted probability in bins, and their counts, a column per cell.

    The title of a column has the Brier score, mean ± standard deviation over jobs, and the calibration error of all
    predictions together.
    """
    found = [
        reliability(*(np.concatenate([getattr(job, name) for job in one.jobs]) for name in ("y", "prediction")))
        for one in panels
    ]
    titles = [
        f"{one.title}\n{one.score('classification', 'brier')}, ECE {score_text(bins.error)}\n{one.count()}"
        for one, bins in zip(panels, found, strict=True)
    ]
    with style():
        figure, columns = grid(title, titles, (2.6, 0.9))
        for panel, bins, (above, below) in zip(panels, found, columns, strict=True):
            above.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle="--", zorder=1)
            there = bins.total > 0
            above.plot(
                bins.predicted[there], bins.observed[there], "o-", color=panel.color, linewidth=1.4, markersize=4
            )
            above.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
            below.bar((np.arange(BINS) + 0.5) / BINS, bins.total, width=0.9 / BINS, color=panel.color)
            below.set_xlabel(f"{labeled('probability of', target)} = 1")
        columns[0][0].set_ylabel("observed share")
        columns[0][1].set_ylabel("predictions")
    return figure
