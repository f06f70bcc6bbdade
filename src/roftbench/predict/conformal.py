"""Conformal prediction intervals, as wide as errors on held-out molecules of the same difficulty were."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.difficulty import LEAST, Difficulty, features, fitted, relative_errors
from roftbench.predict.held_out import HeldOut, Matrix, Surroundings, joined, with_others

COVERAGE = 0.9


def half_widths(held_out: HeldOut, coverage: float = COVERAGE) -> NDArray[np.float64]:
    """Return the constant half width of the interval of each of T tasks, NaN where there are too few labels.

    It is the ⌈(n + 1)·coverage⌉-th smallest of n absolute errors (Lei et al. 2018, J. Am. Stat. Assoc. 113, 1094). The
    label of a new molecule like the held-out ones is inside with at least this probability; 90 % needs nine labels.
    """
    errors = np.abs(held_out.y - held_out.prediction)
    return np.array([order_statistic(column[~np.isnan(column)], coverage) for column in errors.T])


def order_statistic(scores: NDArray[np.float64], coverage: float = COVERAGE) -> float:
    """Return the ⌈(n + 1)·coverage⌉-th smallest of n scores, NaN if there is none."""
    place = math.ceil(round((len(scores) + 1) * coverage, 9))
    return float(np.sort(scores)[place - 1]) if 0 < place <= len(scores) else math.nan


@dataclass(frozen=True)
class Normalized:
    """Half width of a task's interval: `factor` times the `difficulty` of a molecule."""

    factor: float
    difficulty: Difficulty


@dataclass(frozen=True)
class Intervals:
    """Half widths for T tasks: constant ones [T], or where `normalized` is not None, one per molecule.

    A normalized width is the order statistic of errors over σ times σ (Papadopoulos et al. 2011, J. Artif. Intell. Res.
    40, 815). σ is fitted to the same held-out errors; the errors are divided by the σ of the other four fifths, as
    those of its own fit would be too small.
    """

    constant: NDArray[np.float64]
    normalized: tuple[Normalized | None, ...]

    @classmethod
    def of(cls, held_out: HeldOut, coverage: float = COVERAGE) -> Self:
        """Return the intervals from held-out molecules; constant where they have no surroundings or few labels."""
        tasks = range(held_out.y.shape[1])
        return cls(half_widths(held_out, coverage), tuple(_normalized(held_out, task, coverage) for task in tasks))

    def half_widths(self, prediction: Matrix, around: Surroundings | None) -> Matrix:
        """Return the half widths for predictions [M, T] with these surroundings, [M, T]; constant ones without any."""
        widths = np.tile(self.constant, (len(prediction), 1))
        for task, one in enumerate(self.normalized):
            if one is not None and around is not None and around.local is not None:
                x = features(prediction[:, task], around, task, one.difficulty.unit)
                widths[:, task] = one.factor * one.difficulty(x)
        return widths

    def plain(self) -> list[dict[str, Any] | None]:
        """Return the normalized intervals per task as plain values."""
        return [
            None if one is None else {"factor": one.factor, "difficulty": one.difficulty.plain()}
            for one in self.normalized
        ]

    @classmethod
    def of_plain(cls, half_width: Sequence[float | None], found: Sequence[dict[str, Any] | None] | None) -> Self:
        """Return intervals from constant half widths and their `plain` values, None in models of earlier versions.

        Raises:
            ValueError: A scale is not positive.
        """
        given = [None] * len(half_width) if found is None else found
        normalized = tuple(
            None if one is None else Normalized(float(one["factor"]), Difficulty.of_plain(one["difficulty"]))
            for one in given
        )
        return cls(np.array(half_width, dtype=np.float64), normalized)


def _normalized(held_out: HeldOut, task: int, coverage: float) -> Normalized | None:
    """Return the intervals of a task, None where one width must do."""
    y, prediction = held_out.y[:, task], held_out.prediction[:, task]
    known = ~np.isnan(y) & ~np.isnan(prediction)
    around = held_out[known].around
    if around is None or around.local is None or known.sum() < LEAST:
        return None
    errors = np.abs(y - prediction)[known]
    unit = float(y[known].std())
    if not unit or not errors.max():
        return None
    x = features(prediction[known], around, task, unit)
    return Normalized(order_statistic(relative_errors(x, errors, unit), coverage), fitted(x, errors, unit))


def covered(held_out: HeldOut, widths: Matrix) -> list[float | None]:
    """Return the share of labels inside ± widths, [T] or [M, T], per task; None where no label has a width."""
    inside = np.abs(held_out.y - held_out.prediction) <= widths
    known = ~np.isnan(held_out.y - widths)
    return [float(column[has].mean()) if has.any() else None for column, has in zip(inside.T, known.T, strict=True)]


def cross_widths(parts: Sequence[HeldOut]) -> tuple[HeldOut, Matrix]:
    """Return the molecules of all parts, and the half widths of the intervals made from the other parts, [M, T]."""
    widths = [Intervals.of(others).half_widths(one.prediction, one.around) for one, others in with_others(parts)]
    return joined(parts), np.concatenate(widths)
