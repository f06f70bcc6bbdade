"""Ridge regression, and for classes logistic regression with the same penalty."""

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from roftbench.errors import check_range
from roftbench.methods.estimator import Labels, Predict
from roftbench.methods.kernels import standardization
from roftbench.methods.linear import LinearEstimator

MAX_ITERATIONS = 2000


@dataclass(frozen=True)
class Ridge(LinearEstimator):
    """Least squares or log loss plus `penalty`/2 · ‖coefficients‖²; the intercept is free (Hoerl & Kennard 1970).

    Embeddings are standardized over the training molecules; bits and counts are used as they are.
    """

    protocol: ClassVar[int | None] = 2  # up to 1, features of embeddings that hardly vary could explode
    penalty: float = 10.0

    def __post_init__(self) -> None:
        check_range("penalty", self.penalty, 0, open_low=True)

    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Fit by scikit-learn: a direct solution, or L-BFGS for classes."""
        from sklearn import linear_model  # only here: it takes a second

        center, scale = standardization(x)
        if task == "classification":
            model = linear_model.LogisticRegression(C=1 / self.penalty, max_iter=MAX_ITERATIONS)
            model.fit((x - center) / scale, y)
            return self.folded(model.coef_[0], model.intercept_[0], center, scale, task)
        model = linear_model.Ridge(self.penalty).fit((x - center) / scale, y)
        return self.folded(model.coef_, model.intercept_, center, scale, task)
