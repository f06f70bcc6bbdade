"""What a method is that trains no network: it is fitted to the features of a fingerprint, task by task."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.float64]
Predict = Callable[[NDArray[Any]], Labels]  # features [m, D] to values in the label's unit, or probabilities, [m]


class Estimator(ABC):
    """A frozen dataclass whose fields are its hyperparameters. A new one is a subclass; it works with any fingerprint.

    Tasks are fitted apart, each on the molecules that have its label.
    """

    fits_on_validation: ClassVar[bool] = False  # as `Method` has it

    @classmethod
    def can_be_kept(cls) -> bool:
        """Tell whether there are the two hooks that `run.keep` and `roftbench predict` need."""
        return cls.arrays is not Estimator.arrays and cls.restored is not Estimator.restored

    @abstractmethod
    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Fit one task, "regression" or "classification", to features x [n, D] and labels y [n], none missing.

        There is at least one label, and both classes for classification. Predictions must follow from the seed,
        whatever the number of threads.

        Raises:
            SkipJob: the hyperparameters make no sense for this task.
        """

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return what `fit` gave as arrays, so that it can be kept in a file without code (`run.keep`).

        Optional, with `restored`: what cannot be kept is refused before anything is fitted, so this one is not called.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `arrays`")

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return what `fit` gave, from its `arrays`; optional as they are."""
        raise NotImplementedError(f"{type(self).__name__} has no `restored`")


def constant(y: Labels, task: str) -> float | None:
    """Return what is predicted for a task whose training labels y [n] teach nothing, or None where they do.

    One class only: the probability that it has been observed with, 0 or 1; no label: a probability of 0.5. Regression
    without any label: 0, as nothing tells the unit; it is also where an untrained network's predictions lie.
    """
    if task == "regression":
        return None if len(y) else 0.0
    classes = np.unique(y)
    if len(classes) == 2:
        return None
    return float(classes[0]) if len(classes) else 0.5
