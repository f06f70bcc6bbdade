"""Saved models that predict together: mean and spread, intervals, calibrated probabilities, similarity."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.config.plugins import load_plugin
from roftbench.data.similarity import nearest
from roftbench.errors import UsageError
from roftbench.formatting import printable_name
from roftbench.predict.calibration import calibrated, platt
from roftbench.predict.conformal import covered, half_widths
from roftbench.predict.featurize import CHUNK, Molecules, featurized
from roftbench.predict.held_out import HeldOut, common, pooled
from roftbench.predict.kept import folders_or_names
from roftbench.predict.member import as_list, embedded, member_of
from roftbench.predict.saved_ensemble import folders_of, write_ensemble
from roftbench.predict.saved_model import SavedModel, read_saved
from roftbench.runner.devices import choose_device

if TYPE_CHECKING:
    import pandas as pd

REASON, SIMILARITY = "reason", "similarity"
NOT_FINITE = "the model's output is not a finite number"


class Predicted(NamedTuple):
    """Predictions for R rows: values [R, C] of the numeric columns, NaN where there are none, and reasons [R]."""

    values: NDArray[np.float64]
    reasons: list[str]


class Ensemble:
    """One saved model or several of the same tasks, which predict together. `roftbench.load` returns it.

    Attributes:
        saved: The saved models.
        task: "regression" or "classification".
        targets: Names of the T tasks.
        columns: Names of the numeric columns of a prediction.
        calibration: Half widths of the intervals [T] (regression), or slopes and offsets of the logits [T, 2].
    """

    def __init__(self, saved: Sequence[SavedModel], device: str = "auto", plugins: Sequence[str] = ()) -> None:
        self.saved = list(saved)
        _check_same_tasks(self.saved)
        names = tuple(load_plugin(plugin) for plugin in plugins)
        self.members = [member_of(one, choose_device(device), names) for one in self.saved]
        self.featurizers = list(dict.fromkeys(one.featurizer for one in self.members))
        self.task, self.targets = self.saved[0].task, self.saved[0].targets
        self.strip_salts = self.members[0].strip_salts
        self.untrained = sorted({place for one in self.saved for place in one.untrained})
        self.train = np.unique(np.concatenate([one.train for one in self.saved]), axis=0)
        self.calibration = self._calibration()
        self.columns = [f"{name}{end}" for name in self.targets for end in self._endings()] + [SIMILARITY]

    def __repr__(self) -> str:
        jobs = [one.facts["job"] for one in self.saved]
        names = sorted({f"{job['model']['name']} · {job['method']['name']}" for job in jobs})
        count = "1 model" if len(jobs) == 1 else f"{len(jobs)} models"
        targets = ", ".join(self.targets[:3]) + ", …" * (len(self.targets) > 3)
        return printable_name(
            f"<Ensemble of {count}: {', '.join(names)}; {self.task} of {targets};"
            f" {sum(one['labels'] for one in self.saved[0].facts['labels'])} training labels; predict, embed, save>"
        )

    def _endings(self) -> list[str]:
        spread = ["_std"] if self.has_deviation or len(self.members) > 1 else []
        if self.task == "classification":
            return ["_probability", *spread]
        return ["_predicted", *spread, "_low", "_high"]

    def _calibration(self) -> NDArray[np.float64]:
        """Return half widths [T], or slopes and offsets [T, 2]; the folder of a single model has them."""
        if len(self.saved) > 1:
            held_out = pooled([(one.data, one.val) for one in self.saved])
            return half_widths(held_out) if self.task == "regression" else platt(held_out)
        found = self.saved[0].facts["calibration"]
        numbers = found["half_width"] if self.task == "regression" else found["slope_and_offset"]
        return np.array(numbers, dtype=np.float64)

    def test(self) -> HeldOut:
        """Return the test molecules common to all members, predicted by their mean."""
        return common([(one.data, one.test) for one in self.saved])

    def coverage(self) -> list[float | None]:
        """Return the share of test labels inside the intervals, per task; empty for classification.

        A refit without a test part has the share of the labels of each fold inside intervals from the other folds.
        """
        if self.task == "classification":
            return []
        if len(self.saved) == 1 and self.refitted:
            return list(self.saved[0].facts["calibration"]["test_coverage"])
        return covered(self.test(), self.calibration)

    @property
    def refitted(self) -> bool:
        """Whether a model was fitted to all labeled molecules (run.keep=all), so that no test part is left."""
        return any("evaluation" in one.facts for one in self.saved)

    def rows(self, molecules: Molecules) -> Predicted:
        """Return the predictions for the rows of a chunk."""
        count = len(molecules.places) + len(molecules.reasons)
        reasons = [molecules.reasons.get(row, "") for row in range(count)]
        values = np.full((count, len(self.columns)), np.nan)
        if molecules.places:
            each, own = self._moments(molecules)
            finite = np.isfinite(each).all(axis=(0, 2))
            for place in np.array(molecules.places)[~finite]:
                reasons[place] = NOT_FINITE
            found = np.column_stack([self._values(each, own), nearest(molecules.fingerprint, self.train, None)])
            values[np.array(molecules.places)[finite]] = found[finite]
        return Predicted(values, reasons)

    @property
    def has_deviation(self) -> bool:
        """Whether every member has standard deviations of its own."""
        return all(one.has_deviation for one in self.members)

    def _moments(self, molecules: Molecules) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return the members' predictions [members, K, T] and their own deviations, None unless all have them."""
        means, deviations = zip(*(one.moments(molecules) for one in self.members), strict=True)
        known = [one for one in deviations if one is not None]
        return np.stack(means), np.stack(known) if len(known) == len(means) else None

    def _values(self, each: NDArray[np.float64], own: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return the columns [K, C - 1] from the members' `_moments`, task by task.

        The variance of members with deviations of their own is that of their mixture, by the law of total variance.
        """
        mean = each.mean(axis=0)
        spread = [each.std(axis=0, ddof=1)] if len(each) > 1 else []
        if own is not None:
            spread = [np.sqrt((own**2).mean(axis=0) + each.var(axis=0))]
        if self.task == "classification":
            parts = [calibrated(mean, self.calibration), *spread]
        else:
            parts = [mean, *spread, mean - self.calibration, mean + self.calibration]
        values = np.stack(parts, axis=2)
        values[:, self.untrained] = np.nan  # tasks without a training label
        return values.reshape(len(mean), -1)

    def predict(self, smiles: Sequence[str]) -> "pd.DataFrame":
        """Return one row per SMILES, in order, with the predictions of all tasks.

        Args:
            smiles: N SMILES in a list, a pandas Series or a NumPy array, or a table with a column "smiles".

        Returns:
            A table with N rows and the columns

            - `smiles`;
            - for a regression task, `TASK_predicted` in the label's unit, and `TASK_low` and `TASK_high`, the ends of
              the 90 % interval (NaN with fewer than nine held-out labels);
            - for a classification task, `TASK_probability` in [0, 1], the calibrated probability of the positive class
              (1, or the second of `dataset.classes`);
            - with several models, `TASK_std`, their standard deviation (n − 1; of probabilities before calibration);
              for regression by Gaussian processes, also by a single one, that of a new measurement (noise included, and
              of several their total variance);
            - `similarity`, Tanimoto in [0, 1] (ECFP4), to the nearest training molecule;
            - `reason`, empty or why the row has no prediction, for example an invalid SMILES.

            Rows without a prediction, and tasks without a training label, are NaN.

        Raises:
            UsageError: `smiles` is a single text or has no order of rows.

        Example:
            ```python
            model = roftbench.load("results/models/KEY")
            table = model.predict(["CCO", "c1ccccc1O", "not a molecule"])
            ```
        """
        import pandas as pd

        texts = as_list(smiles)
        chunks = [
            featurized(texts[i : i + CHUNK], self.featurizers, self.strip_salts) for i in range(0, len(texts), CHUNK)
        ]
        found = [self.rows(chunk) for chunk in chunks]
        values = np.concatenate([np.empty((0, len(self.columns))), *(one.values for one in found)])
        frame = pd.DataFrame(values, columns=self.columns)
        frame.insert(0, "smiles", texts)
        frame[REASON] = [reason for one in found for reason in one.reasons]
        return frame

    def save(self, folder: str | Path, files: Mapping[str, str] | None = None) -> Path:
        """Write the models into a folder, from which `roftbench.load` and `roftbench predict` read them.

        The folder is replaced in one step if it holds a saved model; other files in it stay.

        Args:
            folder: The folder, such as "models/solubility".
            files: Further text files by name, which belong to the models.

        Returns:
            The folder.

        Raises:
            UsageError: The folder holds other files and no saved model, or cannot be written.
        """
        path = Path(folder).expanduser().absolute()
        write_ensemble(self.saved, path, files or {})
        return path

    def embed(self, smiles: Sequence[str]) -> NDArray[np.float32]:
        """Return the graph representations of molecules by a single model.

        Args:
            smiles: N SMILES, as for `predict`.

        Returns:
            Pooled node states, [N, d] float32; rows of SMILES without a graph are NaN.

        Raises:
            UsageError: There are several models, or the model is a forest on a fingerprint.
        """
        if len(self.members) > 1:
            raise UsageError("each of several models has its own representations: embed with one", key="model_dir")
        return embedded(self.members[0], as_list(smiles))


def _check_same_tasks(saved: Sequence[SavedModel]) -> None:
    """Raise UsageError unless the models predict the same quantities from the same molecules."""
    first, *others = saved
    for one in others:
        for name, value in _quantities(one).items():
            if value != (wanted := _quantities(first)[name]):
                found, other = (", ".join(map(str, v[:5])) if isinstance(v, list) else v for v in (value, wanted))
                problem = (
                    f"models with different {name} cannot predict together: {one.folder} has {found}, {first.folder}"
                    f" has {other}"
                )
                raise UsageError(problem, key="model_dir", got=str(one.folder))


def _quantities(one: SavedModel) -> dict[str, object]:
    classes = f"'{one.classes[1]}' against '{one.classes[0]}'" if one.task == "classification" else None
    salts = {"dataset.strip_salts": one.strip_salts, "units": one.facts["units"]}
    return {"targets": one.targets, "task": one.task, "classes": classes, **salts}


def load(
    *model_dirs: str | Path, device: str = "auto", plugins: Sequence[str] = (), results: str | Path | None = None
) -> Ensemble:
    """Return saved models, ready to predict together.

    Nothing in the folders is executed.

    Args:
        *model_dirs: Names (`run.keep=NAME`, `roftbench list kept`) or folders of one or more saved models of the same
            tasks (`run.keep=true` and `roftbench advise` write them to `<results>/models/<key>`, `Ensemble.save` to any
            folder), each as an argument of its own.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
        plugins: Modules or `.py` files with the classes of your own models and methods; they are imported.
        results: Results folder that has the names; by default ROFTBENCH_RESULTS or "results".

    Returns:
        The models, with the methods `predict` and `embed`.

    Raises:
        UsageError: A name is unknown, a folder holds no saved model or a damaged one, the models have different tasks,
            classes or units, or a model is given twice.

    Example:
        ```python
        import roftbench

        model = roftbench.load("solubility")
        ensemble = roftbench.load("results/models/KEY1", "results/models/KEY2")
        ```
    """
    if not model_dirs or not all(isinstance(folder, str | Path) for folder in model_dirs):
        problem = "load() takes the name or the folder of a saved model, or several one by one: load(a, b)"
        raise UsageError(problem, key="model_dirs", got=model_dirs)
    saved = [read_saved(one) for folder in folders_or_names(model_dirs, results) for one in folders_of(folder)]
    if len({one.sha256 for one in saved}) < len(saved):
        folders = [str(one.folder) for one in saved]
        raise UsageError(f"a model is given twice: {', '.join(folders)}", key="model_dirs", got=folders)
    return Ensemble(saved, device, plugins)
