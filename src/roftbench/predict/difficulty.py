"""Expected size of the error of a prediction, learned from held-out molecules and their neighbors' labels."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.held_out import Matrix, Surroundings

FEATURES = 4
LEAST = 20  # held-out labels; with fewer, every error is expected to be of one size
PENALTY = 50.0  # as many molecules on which a feature shows no effect; few labels then change widths little
SOFTENING = 0.15  # of the standard deviation of labels: a difference far below it is as good as none
STEPS = 100
FOLDS = 5

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Difficulty:
    """log σ of a prediction, linear in four standardized `features`, which are bounded by those seen in fitting."""

    unit: float
    center: tuple[float, ...]
    scale: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    intercept: float
    slopes: tuple[float, ...]

    def __call__(self, x: Matrix) -> Column:
        """Return σ in the label's unit for features [M, 4], [M]; NaN features count as the mean."""
        z = (np.clip(x, self.low, self.high) - self.center) / self.scale
        sigma: Column = np.exp(self.intercept + np.where(np.isnan(z), 0.0, z) @ np.array(self.slopes))
        return sigma

    def plain(self) -> dict[str, object]:
        """Return the parameters as plain values."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}

    @classmethod
    def of_plain(cls, found: Mapping[str, Any]) -> Self:
        """Return the function from its `plain` parameters; raises ValueError if a scale is not positive."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}
        one = cls(**values)
        if not (one.unit > 0 and min(one.scale) > 0):
            raise ValueError("its difficulty of molecules has a scale that is not positive")
        return one


def features(prediction: Column, around: Surroundings, task: int, unit: float) -> Matrix:
    """Return the four features of a task's predictions [M], [M, 4].

    These are the similarity to the nearest training molecule, and the logarithms of the spread of the nearest labels,
    of the distance of the prediction from their mean, and of that from the label of the nearest one.

    Args:
        prediction: Predictions of the task.
        around: Surroundings of the molecules, with labels.
        task: Number of the task.
        unit: Standard deviation of the labels, in whose units differences are taken.
    """
    assert around.local is not None
    mean, deviation, first = around.local[:, task].T
    differences = np.stack([deviation, np.abs(prediction - mean), np.abs(prediction - first)], axis=1)
    return np.column_stack([around.similarity, np.log(differences / unit + SOFTENING)])


def fitted(x: Matrix, errors: Column, unit: float) -> Difficulty:
    """Return the σ under which absolute errors [M] with features [M, 4] are most likely as normal ones.

    The logarithm of the likelihood Σ −log σ − (error/σ)²/2 is concave in the parameters (Harvey 1976, Econometrica 44,
    461); slopes are penalized by PENALTY · slope²/2, so that few or uninformative labels leave σ constant.
    """
    with np.errstate(invalid="ignore"):
        center = np.nan_to_num(np.nanmean(x, axis=0)) if len(x) else np.zeros(FEATURES)
    spread = np.nan_to_num(np.nanstd(x, axis=0))
    scale = np.where(spread > 1e-9, spread, 1.0)
    z = np.where(np.isnan(x), 0.0, (x - center) / scale)
    z = np.column_stack([np.ones(len(x)), np.where(spread > 1e-9, z, 0.0)])
    floor = 1e-6 * unit  # an exact prediction must not make others of its kind infinitely likely
    squares = np.maximum(errors, floor) ** 2
    penalty = np.full(z.shape[1], PENALTY)
    penalty[0] = 0
    beta = np.zeros(z.shape[1])
    beta[0] = 0.5 * np.log(squares.mean())
    for _ in range(STEPS):  # Newton
        ratio = squares * np.exp(-2 * z @ beta)
        gradient = z.T @ (1 - ratio) + penalty * beta
        step = np.linalg.solve(2 * (z * ratio[:, None]).T @ z + np.diag(penalty + 1e-9), gradient)
        step *= min(1.0, 1.0 / np.abs(step).max(initial=1e-12))
        beta -= step
        if np.abs(step).max() < 1e-9:
            break
    low, high = np.where(np.isnan(x), center, x).min(axis=0), np.where(np.isnan(x), center, x).max(axis=0)
    rows: list[tuple[float, ...]] = [tuple(row.tolist()) for row in (center, scale, low, high, beta[1:])]
    return Difficulty(unit, rows[0], rows[1], rows[2], rows[3], float(beta[0]), rows[4])


def relative_errors(x: Matrix, errors: Column, unit: float) -> Column:
    """Return each error over the σ that is fitted to the errors of the other four fifths, [M]."""
    fold = np.arange(len(errors)) % FOLDS
    found = np.empty(len(errors))
    for number in range(FOLDS):
        inside = fold == number
        found[inside] = errors[inside] / fitted(x[~inside], errors[~inside], unit)(x[inside])
    return found
