"""Split-conformal prediction intervals from the errors on held-out labels."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.held_out import HeldOut, Matrix, joined, with_others

COVERAGE = 0.9


def half_widths(held_out: HeldOut, coverage: float = COVERAGE) -> NDArray[np.float64]:
    """Return the half width of the interval of each of T tasks, NaN where there are too few labels.

    It is the ⌈(n + 1)·coverage⌉-th smallest of n absolute errors (Lei et al. 2018, J. Am. Stat. Assoc. 113, 1094). The
    label of a new molecule like the held-out ones is inside with at least this probability; 90 % needs nine labels.
    """
    errors = np.abs(held_out.y - held_out.prediction)
    return np.array([_quantile(column[~np.isnan(column)], coverage) for column in errors.T])


def _quantile(errors: NDArray[np.float64], coverage: float) -> float:
    place = math.ceil(round((len(errors) + 1) * coverage, 9))
    return float(np.sort(errors)[place - 1]) if 0 < place <= len(errors) else math.nan


def covered(held_out: HeldOut, widths: Matrix) -> list[float | None]:
    """Return the share of labels inside ± widths, [T] or [M, T], per task; None where no label has a width."""
    inside = np.abs(held_out.y - held_out.prediction) <= widths
    known = ~np.isnan(held_out.y - widths)
    return [float(column[has].mean()) if has.any() else None for column, has in zip(inside.T, known.T, strict=True)]


def cross_covered(parts: Sequence[HeldOut]) -> list[float | None]:
    """Return the share of labels inside intervals made from the other parts, per task, as `covered` does."""
    widths = [np.tile(half_widths(others), (len(one.rows), 1)) for one, others in with_others(parts)]
    return covered(joined(parts), np.concatenate(widths))
