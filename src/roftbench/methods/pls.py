"""Partial least squares, the classical regression of QSAR; for classes its discriminant form."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from roftbench.errors import check_range
from roftbench.methods.estimator import Labels, Predict
from roftbench.methods.kernels import standardization
from roftbench.methods.linear import LinearEstimator


@dataclass(frozen=True)
class PLS(LinearEstimator):
    """Regression on `n_components` directions of largest covariance with the label (Wold et al. 2001, PLS-regression).

    No more components are taken than there are molecules less one, or features that vary. Classes are fitted as 0 and
    1 and predictions are clipped to [0, 1] (PLS-DA; Barker & Rayens 2003).
    """

    protocol: ClassVar[int | None] = 2  # up to 1, features of embeddings that hardly vary could explode
    n_components: int = 5

    def __post_init__(self) -> None:
        check_range("n_components", self.n_components, 1)

    def link(self, task: str) -> str:
        """Clip the predicted class."""
        return "clip" if task == "classification" else "identity"

    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Fit by scikit-learn's NIPALS."""
        from sklearn.cross_decomposition import PLSRegression  # only here: it takes a second

        center, scale = standardization(x)
        varying = int((x != x[0]).any(axis=0).sum())
        count = min(self.n_components, len(y) - 1, varying)
        if count < 1 or np.ptp(y) == 0:  # nothing varies
            return self.folded(np.zeros(x.shape[1]), float(y.mean()), center, scale, task)
        model = PLSRegression(count, scale=False, max_iter=2000).fit((x - center) / scale, y)
        coefficients = model.coef_[0]
        intercept = float(model.intercept_[0] - model._x_mean @ coefficients)
        return self.folded(coefficients, intercept, center, scale, task)
