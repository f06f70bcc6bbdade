"""Random forest: the baseline without a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.errors import SkipJob, check_choice, check_range
from roftbench.methods.estimator import Estimator, Labels, Predict
from roftbench.methods.forest import check_forest, of_forest, predict_forest

AUTO = {"classification": "sqrt", "regression": 1 / 3}
CLASS_WEIGHTS = ("balanced", "balanced_subsample")


@dataclass(frozen=True)
class RandomForest(Estimator):
    """scikit-learn's random forest with what is left to choose; the rest are its defaults.

    500 trees and the `max_features` that "auto" stands for, the square root of the features for classification and a
    third of them for regression, are those of Svetnik et al. 2003 (J. Chem. Inf. Comput. Sci. 43, 1947), who brought
    random forests to structure-activity data. Otherwise `max_features` is "sqrt", "log2" or a share in (0, 1].
    """

    n_estimators: int = 500
    max_features: int | float | str = "auto"
    min_samples_leaf: int = 1
    class_weight: str | None = None

    def __post_init__(self) -> None:
        check_range("n_estimators", self.n_estimators, 1)
        check_range("min_samples_leaf", self.min_samples_leaf, 1)
        if isinstance(self.max_features, str):
            check_choice("max_features", self.max_features, ("auto", "sqrt", "log2", "a share in (0, 1]"))
        else:
            check_range("max_features", self.max_features, 0, 1, open_low=True)
            object.__setattr__(
                self, "max_features", float(self.max_features)
            )  # to scikit-learn, 1 would be one feature
        if self.class_weight is not None:
            check_choice("class_weight", self.class_weight, CLASS_WEIGHTS)

    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Fit a forest with the job's seed as its `random_state`."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # only here: it takes a second

        settings = {
            "n_estimators": self.n_estimators,
            "max_features": AUTO[task] if self.max_features == "auto" else self.max_features,
            "min_samples_leaf": self.min_samples_leaf,
            "random_state": seed % 2**32,
            "n_jobs": threads,
        }
        if task == "classification":
            forest = RandomForestClassifier(**settings, class_weight=self.class_weight)
            predict: Predict = partial(_probability, forest)
        elif self.class_weight is not None:
            raise SkipJob(f"class_weight={self.class_weight} is for classification; a regression data set has none")
        else:
            forest = RandomForestRegressor(**settings)
            predict = forest.predict
        forest.fit(x, y)
        forest.set_params(n_jobs=1)  # threads would add up the trees' predictions in any order: other last bits
        return predict

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the nodes of all trees, one tree after the other."""
        forest = predict.args[0] if isinstance(predict, partial) else predict.__self__  # type: ignore[attr-defined]
        return of_forest(forest)

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the same predictions, bit for bit, without scikit-learn."""
        check_forest(arrays)
        return partial(predict_forest, arrays)


def _probability(forest: Any, x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of class 1 for features x [m, D], [m]."""
    probabilities: NDArray[np.float64] = forest.predict_proba(x)
    return probabilities[:, 1]
