"""How well intervals and probabilities hold on labels that they were not made from, for the model card."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.held_out import HeldOut, Matrix

BANDS = (0.0, 0.3, 0.5, 0.7, 1.0)  # of similarity to the nearest training molecule; the last one includes its end
NORMAL_90 = 1.6448536269514722  # standard deviations of a normal distribution on either side that hold 90 %
FLOOR = 1e-6  # of the widest interval: one without width must not make a label infinitely likely
BINS, PER_BIN = 10, 10  # most bins of ENCE, and fewest labels in each

Column = NDArray[np.float64]


def interval_quality(held_out: HeldOut, widths: Matrix) -> list[dict[str, Any]]:
    """Return per task how intervals ± widths [M, T] hold on labels: see `_of_intervals`."""
    errors = np.abs(held_out.y - held_out.prediction)
    found = []
    for error, width in zip(errors.T, widths.T, strict=True):
        known = ~np.isnan(error) & ~np.isnan(width)
        similarity = None if held_out.similarity is None else held_out.similarity[known]
        found.append(_of_intervals(error[known], width[known], similarity))
    return found


def _of_intervals(error: Column, width: Column, similarity: Column | None) -> dict[str, Any]:
    """Return labels, mean width, correlation of error and width, NLL, ENCE, and coverage by similarity.

    NLL and ENCE take a prediction as normal with the standard deviation that gives the interval 90 %.
    """
    unit = float(width.max(initial=0)) or float(error.max(initial=0)) or 1.0
    sigma = np.maximum(width, FLOOR * unit) / NORMAL_90
    varies = len(error) > 2 and float(np.ptp(width)) > 0 and float(np.ptp(error)) > 0
    nll = 0.5 * np.log(2 * np.pi) + np.log(sigma) + 0.5 * (error / sigma) ** 2
    return {
        "labels": len(error),
        "mean_width": 2 * float(width.mean()) if len(error) else None,
        "correlation": float(np.corrcoef(error, width)[0, 1]) if varies else None,
        "nll": float(nll.mean()) if len(error) else None,
        "ence": ence(error, sigma),
        "by_similarity": [] if similarity is None else by_similarity(error <= width, similarity),
    }


def ence(error: Column, sigma: Column) -> float | None:
    """Return the expected normalized calibration error of standard deviations σ [n]; None with less than 20 labels.

    The mean over up to ten bins of equal number, in order of σ, of |RMV − RMSE| / RMV: root mean variance and root mean
    squared error of a bin (Levi et al. 2022, Sensors 22, 5540).
    """
    bins = min(BINS, len(error) // PER_BIN)
    if bins < 2:
        return None
    order = np.argsort(sigma, kind="stable")
    gaps = []
    for chosen in np.array_split(order, bins):
        variance, squared = (sigma[chosen] ** 2).mean(), (error[chosen] ** 2).mean()
        gaps.append(abs(np.sqrt(variance) - np.sqrt(squared)) / np.sqrt(variance))
    return float(np.mean(gaps))


def by_similarity(inside: NDArray[np.bool_], similarity: Column) -> list[dict[str, Any]]:
    """Return the share of labels inside their intervals per band of similarity, bands without labels left out."""
    band = np.clip(np.searchsorted(BANDS, similarity, side="right") - 1, 0, len(BANDS) - 2)
    return [
        {"from": BANDS[at], "to": BANDS[at + 1], "labels": int((band == at).sum()), "coverage": float(share)}
        for at in range(len(BANDS) - 1)
        if (band == at).any()
        for share in [inside[band == at].mean()]
    ]


def losses(y: Column, probability: Column, clip: float) -> Column:
    """Return the negative log likelihood of each class of y [n] (0 or 1); certainty is limited by `clip`."""
    p = np.clip(probability, clip, 1 - clip)
    return np.asarray(-np.where(y == 1, np.log(p), np.log1p(-p)))
