"""Error of predictions against the similarity of a molecule to its nearest training molecule."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.report.figures.panels import Floats, Panel, grid, scatter
from roftbench.report.figures.style import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGES = np.array([0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])  # of the bands; the last includes 1
_NOTE = "Tanimoto similarity of ECFP4 bits; lines and numbers: mean error and number of predictions of a band"


class Bands(NamedTuple):
    """Number of predictions [9] and mean error [9] of the bands between EDGES; NaN without a prediction."""

    total: NDArray[np.int64]
    mean: Floats


def bands(similarity: Floats, error: Floats) -> Bands:
    """Return the bands of errors [n] at similarities [n]; a similarity at an edge is in the band above it."""
    place = np.clip(np.searchsorted(EDGES, similarity, side="right") - 1, 0, len(EDGES) - 2)
    count = np.bincount(place, minlength=len(EDGES) - 1)
    total = np.bincount(place, weights=error, minlength=len(EDGES) - 1)
    return Bands(count, np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def draw_similarity_error(panels: Sequence[Panel], title: str, error: str) -> "Figure":
    """Draw |prediction − label| against the highest similarity to a training molecule, a panel per cell.

    Args:
        panels: the cells; points whose similarity is not known are not drawn.
        title: of the figure.
        error: label of the axis of errors.
    """
    titles = [f"{one.title}\n{one.count()}" for one in panels]
    with style():
        figure, columns = grid(title, titles, (2.7,), _NOTE, pad=14)
        for panel, (axes,) in zip(panels, columns, strict=True):
            nearest = panel.points.similarity
            known = ~np.isnan(nearest)
            errors = np.abs(panel.points.prediction - panel.points.y)[known]
            scatter(axes, panel, nearest[known], errors)
            found = bands(nearest[known], errors)
            axes.hlines(found.mean, EDGES[:-1], EDGES[1:], color="#222222", linewidth=2, zorder=3)
            for low, high, count in zip(EDGES[:-1], EDGES[1:], found.total, strict=True):
                if count:
                    at = axes.get_xaxis_transform()
                    axes.text(
                        (low + high) / 2, 1.0, _short(int(count)), ha="center", va="bottom", size=6.5, transform=at
                    )
            axes.set_xlim(-0.02, 1.02)
            axes.set_xlabel("similarity to the nearest training molecule")
        largest = max(float(np.abs(one.points.prediction - one.points.y).max()) for one in panels)
        columns[0][0].set_ylim(0, 1.05 * (largest or 1.0))
        columns[0][0].set_ylabel(error)
    return figure


def _short(count: int) -> str:
    """Return a count in at most four characters."""
    return str(count) if count < 10_000 else f"{count // 1000}k"
