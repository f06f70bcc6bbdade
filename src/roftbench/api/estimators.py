"""Estimators in the convention of scikit-learn, whose input are SMILES."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin

from roftbench.api.fine_tuned import FineTuned
from roftbench.api.labels import label_columns
from roftbench.errors import UsageError
from roftbench.metrics import evaluate
from roftbench.predict.column_names import PREDICTED, PROBABILITY
from roftbench.predict.smiles_input import as_list


class FineTunedRegressor(RegressorMixin, FineTuned):  # type: ignore[misc]
    """Regression on SMILES by fine-tuning a pretrained model, as an estimator of scikit-learn.

    `fit` sets a validation part aside, by which epochs are selected. X is a list, Series or array of SMILES or RDKit
    molecules, or a table with a column "smiles"; y is [N], or [N, T] with NaN for missing labels.

    Args:
        model: Name of a pretrained model (`roftbench list models`).
        method: Name of a method (`roftbench list methods`).
        n_seeds: Number of models, whose mean is predicted.
        epochs: Epochs per stage; None: 100.
        split: Name of the split that chooses the validation part, such as "random" or "scaffold".
        validation_fraction: Share of the validation part.
        options: Further options as for `roftbench.finetune`, such as {"train": {"lr": 1e-4}}.
        random_state: Seed of the validation part and the first seed of training; a whole number.
        device: "auto", "cpu", "cuda" or "cuda:N".
        results: Folder in which records and models of all fits stay; None: they are temporary.

    Attributes:
        model_: The fitted models, an `Ensemble`: intervals, similarity and reasons are in `model_.predict(X)`.
        n_outputs_: Number of tasks.

    Example:
        ```python
        from sklearn.model_selection import cross_val_score

        model = roftbench.FineTunedRegressor(model="gin_masking", method="lp_ft")
        scores = cross_val_score(model, smiles, y, cv=5)
        ```
    """

    task = "regression"
    ending = PREDICTED

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Fit to molecules X [N] and labels y [N] or [N, T]; returns the estimator.

        Raises:
            UsageError: Molecules, labels or parameters cannot be used.
            JobError: A fit failed.
        """
        texts = as_list(X, strict=True)
        self._fit(texts, label_columns(y, len(texts)))
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return values in the unit of the labels, [N] or [N, T]; NaN where a molecule cannot be read."""
        values = self._predicted(X)
        return values[:, 0] if self.n_outputs_ == 1 else values

    def score(self, X: Any, y: Any, sample_weight: None = None) -> float:  # noqa: N803
        """Return R², the mean over the tasks; missing labels are left out.

        Raises:
            UsageError: A molecule cannot be read, or `sample_weight` is given.
        """
        _unweighted(sample_weight)
        values = self._predicted(X, complete=True)
        labels = np.array(list(label_columns(y, len(values)).values()), dtype=np.float64).T
        found = evaluate(self.task, labels, values, ["r2"])["r2"]
        return float("nan") if found is None else found


class FineTunedClassifier(ClassifierMixin, FineTuned):  # type: ignore[misc]
    """Classification of SMILES into two classes by fine-tuning a pretrained model, as an estimator of scikit-learn.

    Parameters and X are those of `FineTunedRegressor`; y holds two different numbers or texts, [N], or [N, T] with the
    same two in each task and NaN, None or an empty text for missing labels.

    Attributes:
        classes_: The two classes, sorted: the second is the positive one.
        model_: The fitted models, an `Ensemble`.
        n_outputs_: Number of tasks.
    """

    task = "classification"
    ending = PROBABILITY

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Fit to molecules X [N] and classes y [N] or [N, T]; returns the estimator.

        Raises:
            UsageError: Molecules, classes or parameters cannot be used.
            JobError: A fit failed.
        """
        texts = as_list(X, strict=True)
        columns = label_columns(y, len(texts))
        known = {one for column in columns.values() for one in column if one is not None}
        try:
            classes = sorted(known)
        except TypeError:
            raise UsageError("y mixes numbers and texts: give two classes", key="y", got=known) from None
        if len(classes) != 2:
            shown = ", ".join(map(str, classes[:5])) + ", …" * (len(classes) > 5)
            raise UsageError(f"y holds the classes {shown}: two are needed", key="y", got=classes)
        self.classes_ = np.array(classes)
        if all(isinstance(one, str) for one in classes):  # so that cards and `roftbench predict` name them
            self._fit(texts, columns, list(map(str, classes)))
            return self
        number = {None: None, **{one: place for place, one in enumerate(classes)}}
        self._fit(texts, {name: [number[one] for one in column] for name, column in columns.items()})
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """Return calibrated probabilities of the two classes, [N, 2], or of several tasks a list of T such arrays.

        NaN where a molecule cannot be read.
        """
        each = [np.column_stack([1 - one, one]) for one in self._predicted(X).T]
        return each[0] if self.n_outputs_ == 1 else each

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the more probable class, [N] or [N, T].

        Raises:
            UsageError: A molecule cannot be read.
        """
        positive = self._predicted(X, complete=True) > 0.5
        chosen: NDArray[Any] = self.classes_[positive.astype(int)]
        return chosen[:, 0] if self.n_outputs_ == 1 else chosen

    def score(self, X: Any, y: Any, sample_weight: None = None) -> float:  # noqa: N803
        """Return the accuracy, the mean over the tasks; missing labels are left out.

        Raises:
            UsageError: A molecule cannot be read, or `sample_weight` is given.
        """
        _unweighted(sample_weight)
        predicted = np.asarray(self.predict(X), dtype=object).reshape(-1, self.n_outputs_)
        columns = label_columns(y, len(predicted)).values()
        hits = (
            [p == one for p, one in zip(*pair, strict=True) if one is not None]
            for pair in zip(predicted.T, columns, strict=True)
        )
        means = [np.mean(found) for found in hits if found]
        return float(np.mean(means)) if means else float("nan")

    def _state(self) -> dict[str, Any]:
        return {"classes": self.classes_.tolist()}

    def _restore(self, content: Mapping[str, Any]) -> None:
        self.classes_ = np.array(content["classes"])
        if self.classes_.shape != (2,):
            raise ValueError("it has no two classes")


def _unweighted(sample_weight: object) -> None:
    if sample_weight is not None:
        raise UsageError("scores have no weights of molecules", key="sample_weight", got=sample_weight)
