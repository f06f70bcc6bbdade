"""Base class of methods without a network, fitted to the features of a fingerprint, task by task."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.float64]
Predict = Callable[[NDArray[Any]], Labels]  # features [m, D] to values in the label's unit, or probabilities, [m]


class Estimator(ABC):
    """Base class of estimators; every estimator works with every fingerprint.

    A subclass is a frozen dataclass whose fields are the hyperparameters. Each task is fitted on its own, to the
    molecules that have its label.
    """

    fits_on_validation: ClassVar[bool] = False  # see `Method`

    @classmethod
    def can_be_kept(cls) -> bool:
        """Return whether `arrays` and `restored`, which `run.keep` and `roftbench predict` need, are overridden."""
        return cls.arrays is not Estimator.arrays and cls.restored is not Estimator.restored

    @classmethod
    def has_deviation(cls) -> bool:
        """Return whether `moments` is overridden, so that regression has standard deviations."""
        return cls.moments is not Estimator.moments

    @abstractmethod
    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Fit one task and return its prediction function.

        Args:
            x: features, [n, D].
            y: labels, [n], none missing; at least one, and both classes for classification.
            task: "regression" or "classification".
            seed: seed of all random numbers; predictions must not depend on anything else.
            threads: number of threads to use.

        Raises:
            SkipJob: the hyperparameters do not apply to this task.
        """

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the result of `fit` as arrays, which are saved without code (`run.keep`).

        Optional, together with `restored`: without them `run.keep` is refused before anything runs.
        """
        raise NotImplementedError(f"{type(self).__name__} does not override arrays")

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the prediction function from its `arrays`; optional, together with `arrays`."""
        raise NotImplementedError(f"{type(self).__name__} does not override restored")

    def moments(self, predict: Predict, x: NDArray[Any]) -> tuple[Labels, Labels]:
        """Return predictions and standard deviations of new measurements of a regression, [m] each.

        Optional, for a method that has a distribution of its own: `roftbench predict` writes the deviations.

        Args:
            predict: the result of `fit` or `restored`.
            x: features, [m, D].
        """
        raise NotImplementedError(f"{type(self).__name__} does not override moments")


def constant(y: Labels, task: str) -> float | None:
    """Return the constant prediction for a task whose training labels y [n] cannot be fitted, or None.

    With one class only it is the observed probability, 0 or 1; without labels a probability of 0.5. Regression without
    labels has 0, near which the predictions of an untrained network lie.
    """
    if task == "regression":
        return None if len(y) else 0.0
    classes = np.unique(y)
    if len(classes) == 2:
        return None
    return float(classes[0]) if len(classes) else 0.5


def constant_prediction(value: float, x: NDArray[Any]) -> Labels:
    """Return a value for each row of x [m, D]."""
    return np.full(len(x), value)


def in_blocks(predict: Predict, rows: int, x: NDArray[Any]) -> Labels:
    """Return predictions for x [m, D], [m], computed for so many rows at a time."""
    return np.concatenate([np.empty(0), *(predict(x[start : start + rows]) for start in range(0, len(x), rows))])
