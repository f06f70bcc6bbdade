"""What both estimators of scikit-learn share: parameters, fitting, predictions, and a folder without pickle."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from roftbench.api.finetune import finetune
from roftbench.errors import UsageError
from roftbench.predict.column_names import REASON
from roftbench.predict.ensemble import Ensemble, load
from roftbench.predict.smiles_input import as_list

PARAMETERS = "estimator.json"  # beside the models of a saved estimator
SET_BY = {  # parameter that sets it, by key of `options`
    "model": "model", "method": "method", "n_seeds": "n_seeds", "seed": "random_state", "split": "split",
    "device": "device", "results": "results",
}  # fmt: skip


class FineTuned(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator; `task` is that of its models, `ending` that of its columns of predictions."""

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

    def _fit(self, texts: list[str], columns: Mapping[str, list[Any]], classes: Sequence[str] | None = None) -> None:
        """Fine-tune to labels by task; a validation part is set aside, and no test part."""
        if not isinstance(self.random_state, int | np.integer):
            kind = type(self.random_state).__name__
            problem = f"random_state is a {kind}: give a whole number, as every fit can be repeated"
            raise UsageError(problem, key="random_state", got=self.random_state)
        if not 0 < self.validation_fraction < 1:
            problem = f"validation_fraction must be between 0 and 1, got {self.validation_fraction}"
            raise UsageError(problem, key="validation_fraction", got=self.validation_fraction)
        if taken := next((name for name in self.options or {} if name in SET_BY), None):
            problem = f"options holds {taken}, which the parameter {SET_BY[taken]} sets"
            raise UsageError(problem, key="options", got=taken)
        seed, total = int(self.random_state), max(1, len(texts))
        held = max(1, round(self.validation_fraction * total))
        options: dict[str, Any] = {
            "split": self.split,
            "split.fractions": [1 - held / total, held / total, 0.0],
            "split.seed": seed,
            **({} if classes is None else {"dataset.classes": list(classes)}),
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


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}")
