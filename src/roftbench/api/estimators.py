"""Estimators in the convention of scikit-learn, whose input are SMILES."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from roftbench.api.finetune import finetune
from roftbench.api.labels import label_columns
from roftbench.errors import UsageError
from roftbench.metrics import evaluate
from roftbench.predict.column_names import PREDICTED, PROBABILITY, REASON
from roftbench.predict.ensemble import Ensemble, load
from roftbench.predict.member import as_list

PARAMETERS = "estimator.json"  # beside the models of a saved estimator


class _FineTuned(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share; `task` is that of their models, `ending` that of their columns of predictions."""

    task: ClassVar[str]
    ending: ClassVar[str]
    model_: Ensemble

    def __init__(
        self,
        model: str = "gin_masking",
        method: str = "roftmol",
        *,
        n_seeds: int = 1,
        epochs: int | None = None,
        split: str = "random",
        validation_fraction: float = 0.1,
        options: Mapping[str, Any] | None = None,
        random_state: Any = 0,
        device: str = "auto",
        results: str | Path | None = None,
    ) -> None:
        self.model = model
        self.method = method
        self.n_seeds = n_seeds
        self.epochs = epochs
        self.split = split
        self.validation_fraction = validation_fraction
        self.options = options
        self.random_state = random_state
        self.device = device
        self.results = results

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = tags.input_tags.allow_nan = True
        tags.input_tags.two_d_array = False
        tags.target_tags.multi_output = tags.target_tags.two_d_labels = True
        return tags

    def _fit(self, texts: list[str], columns: Mapping[str, list[Any]]) -> None:
        """Fine-tune to labels by task; a validation part is set aside, and no test part."""
        if not isinstance(self.random_state, int | np.integer):
            kind = type(self.random_state).__name__
            problem = f"random_state is a {kind}: give a whole number, as every fit can be repeated"
            raise UsageError(problem, key="random_state", got=self.random_state)
        if not 0 < self.validation_fraction < 1:
            problem = f"validation_fraction must be between 0 and 1, got {self.validation_fraction}"
            raise UsageError(problem, key="validation_fraction", got=self.validation_fraction)
        seed, total = int(self.random_state), max(1, len(texts))
        held = max(1, round(self.validation_fraction * total))
        options: dict[str, Any] = {
            "split": self.split,
            "split.fractions": [1 - held / total, held / total, 0.0],
            "split.seed": seed,
            **({} if self.epochs is None else {"train.epochs": self.epochs}),
            **(self.options or {}),
        }
        self.model_ = finetune(
            texts,
            dict(columns),
            model=self.model,
            method=self.method,
            n_seeds=self.n_seeds,
            seed=seed,
            task=self.task,
            device=self.device,
            results=self.results,
            **options,
        )
        self.n_outputs_ = len(columns)

    def _predicted(self, X: Any, *, complete: bool = False) -> NDArray[np.float64]:  # noqa: N803 (scikit-learn's name)
        """Return predictions [N, T]; a row without one is NaN, or with `complete` an error."""
        check_is_fitted(self, "model_")
        table = self.model_.predict(as_list(X, strict=True))
        if complete and (table[REASON] != "").any():
            bad = table[table[REASON] != ""]
            row, first = int(bad.index[0]), bad.iloc[0]
            problem = (
                f"{len(bad)} of {len(table)} molecules have no prediction, such as row {row}"
                f" ({str(first['smiles'])[:40]!r}): {first[REASON]}"
            )
            raise UsageError(problem, key="X", got=row, hint="Leave them out; model_.predict(X) gives all reasons")
        values: NDArray[np.float64] = table[[f"{name}{self.ending}" for name in self.model_.targets]].to_numpy()
        return values

    def save(self, folder: str | Path) -> Path:
        """Write the fitted estimator into a folder, without pickle; `roftbench predict` reads its models, too.

        Raises:
            UsageError: The folder holds other files, or a parameter is not plain.
            NotFittedError: The estimator is not fitted.
        """
        check_is_fitted(self, "model_")
        content = {"estimator": type(self).__name__, "params": self.get_params(deep=False), **self._state()}
        try:
            text = json.dumps(content, indent=1, default=_plain)
        except TypeError as error:
            raise UsageError(f"the parameters cannot be saved: {error}", key="options", got=self.options) from None
        return self.model_.save(folder, {PARAMETERS: text + "\n"})

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto", plugins: tuple[str, ...] = ()) -> Self:
        """Return an estimator that `save` has written; nothing in the folder is executed.

        Raises:
            UsageError: The folder holds no estimator of this class, or a damaged one.
        """
        path = Path(folder).expanduser() / PARAMETERS
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["estimator"] != cls.__name__:
                raise ValueError(f"it is a {content['estimator']}")
            found = cls(**{**content["params"], "device": device})
            found._restore(content)
        except (OSError, ValueError, TypeError, KeyError) as error:
            problem = f"{folder} holds no saved {cls.__name__}: {error}"
            raise UsageError(problem, key="folder", got=str(folder)) from None
        found.model_ = load(path.parent, device=device, plugins=plugins)
        if found.model_.task != cls.task:
            raise UsageError(f"{folder} holds models for {found.model_.task}", key="folder", got=str(folder))
        found.n_outputs_ = len(found.model_.targets)
        return found

    def _state(self) -> dict[str, Any]:
        """Return what is learned beside the models, as plain values."""
        return {}

    def _restore(self, content: Mapping[str, Any]) -> None:
        """Set what `_state` returned."""


class FineTunedRegressor(RegressorMixin, _FineTuned):  # type: ignore[misc]
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


class FineTunedClassifier(ClassifierMixin, _FineTuned):  # type: ignore[misc]
    """Classification of SMILES into two classes by fine-tuning a pretrained model, as an estimator of scikit-learn.

    Parameters and X are those of `FineTunedRegressor`; y holds two different numbers or texts, [N], or [N, T] with the
    same two in each task and NaN or None for missing labels.

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
            raise UsageError(f"y holds {len(classes)} classes ({shown}): two are needed", key="y", got=classes)
        self.classes_ = np.array(classes)
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


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}")
