"""Conformal prediction sets: the classes of a molecule that held-out molecules do not rule out."""

import math

import numpy as np
from numpy.typing import NDArray

from roftbench.predict.conformal import COVERAGE, order_statistic
from roftbench.predict.held_out import HeldOut, Matrix

BOTH = "|"  # between two classes


def thresholds(held_out: HeldOut, coverage: float = COVERAGE) -> NDArray[np.float64]:
    """Return how improbable a class may be and still be in the set, [T, 2] for class 0 and 1; NaN with few labels.

    It is the order statistic of 1 − p over the held-out molecules of the class itself, so that a molecule of either
    class has it in its set with at least this probability, however rare the class is (class-conditional conformal
    prediction; Vovk 2012, ACML). 90 % needs nine labels of a class; without them the class is in every set.
    """
    found = []
    for y, p in zip(held_out.y.T, held_out.prediction.T, strict=True):
        improbable = (p[y == 0], 1 - p[y == 1])
        found.append([order_statistic(one, coverage) for one in improbable])
    return np.array(found).reshape(-1, 2)


def set_texts(probability: Matrix, limits: NDArray[np.float64], classes: tuple[str, str]) -> list[list[str]]:
    """Return the sets of uncalibrated probabilities [K, T] as texts per task, such as "0", "1", "0|1" and "none".

    A molecule unlike either class has none of them in its set.
    """
    columns = []
    for p, (negative, positive) in zip(probability.T, limits, strict=True):
        rows = []
        for value in p:
            if math.isnan(value):
                rows.append("")
                continue
            inside = [
                name
                for name, improbable, limit in zip(classes, (value, 1 - value), (negative, positive), strict=True)
                if not improbable > limit
            ]
            rows.append(BOTH.join(inside) or "none")
        columns.append(rows)
    return columns
