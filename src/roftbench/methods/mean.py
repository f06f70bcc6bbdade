"""Null model: the training mean, or the share of class 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.methods.estimator import Estimator, Labels, Predict, constant_prediction


@dataclass(frozen=True)
class Mean(Estimator):
    """The same prediction for every molecule: what a score has to beat."""

    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Average the labels."""
        return partial(constant_prediction, float(y.mean()))

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the mean, [1]."""
        assert isinstance(predict, partial)
        return {"mean": np.array([predict.args[0]])}

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the same prediction from the arrays."""
        return partial(constant_prediction, float(arrays["mean"][0]))
