"""Linear predictions as plain arrays: what ridge regression, logistic regression and PLS keep of a fit."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from roftbench.methods.estimator import Estimator, Labels, Predict


def linear(coefficients: Labels, intercept: float, link: str, x: NDArray[Any]) -> Labels:
    """Return link(x · coefficients + intercept), [m], for x [m, D]; link is identity, sigmoid or clip to [0, 1]."""
    values: Labels = x.astype(np.float64) @ coefficients + intercept
    if link == "sigmoid":
        return np.asarray(expit(values))
    return values.clip(0, 1) if link == "clip" else values


class LinearEstimator(Estimator):
    """An estimator whose predictions are `linear`; `link` names the last argument per task."""

    def link(self, task: str) -> str:
        """Return what turns the linear value into a prediction."""
        return "sigmoid" if task == "classification" else "identity"

    def folded(self, coefficients: Labels, intercept: float, center: Labels, scale: Labels, task: str) -> Predict:
        """Return predictions from raw features by a fit to (x − center) / scale."""
        weights = coefficients / scale
        return partial(linear, weights, float(intercept - center @ weights), self.link(task))

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the coefficients [D] and the intercept [1]."""
        assert isinstance(predict, partial)
        return {"coefficients": predict.args[0], "intercept": np.array([predict.args[1]])}

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the same predictions from the arrays."""
        return partial(linear, arrays["coefficients"], float(arrays["intercept"][0]), self.link(task))
