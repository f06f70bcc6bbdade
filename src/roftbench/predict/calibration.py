"""Calibrated probabilities by Platt's method, whose two parameters few held-out labels can determine."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.held_out import HeldOut, Matrix, joined, with_others
from roftbench.predict.reliability import losses

LEAST = 5  # held-out labels per class; with fewer, probabilities are not calibrated
CLIP = 1e-3  # in fitting: a single probability of 0 must not dominate
EXTREME = 1e-5  # in use: few labels do not justify more certainty
BINS = 10
FOLDS = 5
UNCHANGED = (1.0, 0.0)

Column = NDArray[np.float64]


def platt(held_out: HeldOut) -> NDArray[np.float64]:
    """Return slope and offset of the logit for each of T tasks, [T, 2]; 1 and 0 where probabilities stay as they are.

    That is so with too few labels, and where labels that took no part in the fit, one fifth after the other, are not
    clearly more probable by the fit to the others. Labels are smoothed to (n₁ + 1)/(n₁ + 2) and 1/(n₀ + 2) (Platt 1999,
    Advances in Large Margin Classifiers). A negative slope, which would reverse the model's order, is not used either.
    """
    return np.array([_platt(y, p) for y, p in zip(held_out.y.T, held_out.prediction.T, strict=True)]).reshape(-1, 2)


def _platt(y: Column, prediction: Column) -> tuple[float, float]:
    known = ~np.isnan(y)
    y, prediction = y[known], prediction[known]
    ones, zeros = int((y == 1).sum()), int((y == 0).sum())
    if min(ones, zeros) < LEAST or not _gains(y, prediction):
        return UNCHANGED
    return fitted(y, prediction)


def _gains(y: Column, prediction: Column) -> bool:
    """Return whether labels of each class, dealt to five folds, are more probable by the fits to the other folds.

    The mean gain must be above its standard error: by chance alone, fits to few labels gain as often as they lose.
    """
    fold = np.empty(len(y), np.int64)
    for value in (0, 1):
        fold[y == value] = np.arange((y == value).sum()) % FOLDS
    after = np.empty(len(y))
    for number in range(FOLDS):
        inside = fold == number
        maps = np.array([fitted(y[~inside], prediction[~inside])])
        after[inside] = calibrated(prediction[inside, None], maps)[:, 0]
    gain = losses(y, prediction, EXTREME) - losses(y, after, EXTREME)
    return bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def fitted(y: Column, prediction: Column) -> tuple[float, float]:
    """Return slope and offset fitted to the labels; 1 and 0 where they would reverse the model's order."""
    from sklearn.linear_model import LogisticRegression  # here, as the import takes a second

    ones, zeros = int((y == 1).sum()), int((y == 0).sum())
    target = np.where(y == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    x = np.tile(_logit(prediction, CLIP), 2)[:, None]
    classes = np.repeat([1, 0], len(target))
    fit = LogisticRegression(C=1e6).fit(x, classes, sample_weight=np.concatenate([target, 1 - target]))
    slope, offset = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (slope, offset) if slope > 0 else UNCHANGED


def calibrated(probability: Matrix, maps: NDArray[np.float64]) -> Matrix:
    """Return probabilities [M, T] mapped by the parameters [T, 2] of `platt`; slope 1 and offset 0 keep every bit."""
    mapped = 1 / (1 + np.exp(-(maps[:, 0] * _logit(probability, EXTREME) + maps[:, 1])))
    return np.where((maps == UNCHANGED).all(axis=1), probability, mapped)


def _logit(probability: Matrix, clip: float) -> Matrix:
    inside = np.clip(probability, clip, 1 - clip)
    logit: Matrix = np.log(inside) - np.log1p(-inside)
    return logit


def cross_calibrated(parts: Sequence[HeldOut]) -> HeldOut:
    """Return the molecules of all parts with probabilities calibrated on the other parts."""
    return joined(
        [replace(one, prediction=calibrated(one.prediction, platt(others))) for one, others in with_others(parts)]
    )


def calibration_error(held_out: HeldOut) -> list[float | None]:
    """Return the expected calibration error of each task over ten bins of equal width; None without a label."""
    return [_error(y, p) for y, p in zip(held_out.y.T, held_out.prediction.T, strict=True)]


def _error(y: NDArray[np.float64], prediction: NDArray[np.float64]) -> float | None:
    known = ~np.isnan(y)
    if not known.any():
        return None
    y, prediction = y[known], prediction[known]
    place = np.minimum((prediction * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, weights=prediction - y, minlength=BINS)
    return float(np.abs(gaps).sum() / len(y))


def log_losses(held_out: HeldOut) -> list[float | None]:
    """Return the mean negative log likelihood of the classes of each task; None without a label."""
    columns = zip(held_out.y.T, held_out.prediction.T, strict=True)
    found = [losses(y[~np.isnan(y)], p[~np.isnan(y)], EXTREME) for y, p in columns]
    return [float(one.mean()) if len(one) else None for one in found]
