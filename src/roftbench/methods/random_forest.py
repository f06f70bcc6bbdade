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
    """Random forest of scikit-learn, with its defaults for all other parameters.

    The defaults below are those of Svetnik et al., who introduced random forests for structure-activity data (J. Chem.
    Inf. Comput. Sci. 43, 1947, 2003).

    Attributes:
        n_estimators: number of trees.
        max_features: features that a split considers: "sqrt", "log2", a share in (0, 1], or "auto" for the square root
            of their number in classification and a third in regression.
        min_samples_leaf: fewest molecules of a leaf.
        class_weight: None, "balanced" or "balanced_subsample"; for classification alone.
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
        """Fit a forest with the job's seed as `random_state`; see `Estimator.fit`."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # slow to import

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
            raise SkipJob(
                f"class_weight={self.class_weight} is for classification; a regression data set has no classes"
            )
        else:
            forest = RandomForestRegressor(**settings)
            predict = forest.predict
        forest.fit(x, y)
        forest.set_params(n_jobs=1)  # threads would sum the trees' predictions in varying order
        return predict

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the nodes of all trees; see `of_forest`."""
        forest = predict.args[0] if isinstance(predict, partial) else predict.__self__  # type: ignore[attr-defined]
        return of_forest(forest)

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the prediction function without scikit-learn, with the same results bit for bit."""
        check_forest(arrays)
        return partial(predict_forest, arrays)


def _probability(forest: Any, x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of class 1 for features x [m, D], [m]."""
    probabilities: NDArray[np.float64] = forest.predict_proba(x)
    return probabilities[:, 1]
