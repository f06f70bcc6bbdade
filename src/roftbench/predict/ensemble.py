"""Saved models that predict together: mean and spread, intervals, calibrated probabilities, similarity."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from roftbench.config.plugins import load_plugin
from roftbench.errors import UsageError
from roftbench.formatting import printable_name
from roftbench.predict.calibration import calibrated
from roftbench.predict.column_names import DOMAIN, ID, SET, SMILES
from roftbench.predict.conformal import covered
from roftbench.predict.coverage import fold_coverage, fold_labels, pooled_share
from roftbench.predict.featurize import CHUNK, Molecules, featurized
from roftbench.predict.held_out import HeldOut, Matrix, common
from roftbench.predict.kept import folders_or_names
from roftbench.predict.member import embedded, member_of
from roftbench.predict.output_columns import Columns, Predicted, columns_of
from roftbench.predict.prediction_sets import set_texts
from roftbench.predict.references import Neighbors, References
from roftbench.predict.saved_ensemble import check_same_tasks, folders_of, write_ensemble
from roftbench.predict.saved_model import SavedModel, read_saved
from roftbench.predict.smiles_input import as_list
from roftbench.predict.uncertainty import Uncertainty
from roftbench.runner.devices import choose_device

if TYPE_CHECKING:
    import pandas as pd

NOT_FINITE = "the model's output is not a finite number"


class Ensemble:
    """One saved model or several of the same tasks, which predict together. `roftbench.load` returns it.

    Attributes:
        saved: The saved models.
        task: "regression" or "classification".
        targets: Names of the T tasks.
        columns: Names of the numeric columns of a prediction.
        references: The training molecules.
        uncertainty: Intervals, calibration, conformal sets and domain.
        intervals: The intervals of a regression, None for classes.
        calibration: Half widths [T] of intervals of one width (regression), or slopes and offsets of the logits [T, 2].
    """

    def __init__(self, saved: Sequence[SavedModel], device: str = "auto", plugins: Sequence[str] = ()) -> None:
        self.saved = list(saved)
        check_same_tasks(self.saved)
        names = tuple(load_plugin(plugin) for plugin in plugins)
        self.members = [member_of(one, choose_device(device), names) for one in self.saved]
        self.featurizers = list(dict.fromkeys(one.featurizer for one in self.members))
        self.task, self.targets = self.saved[0].task, self.saved[0].targets
        self.strip_salts = self.members[0].strip_salts
        self.untrained = sorted({place for one in self.saved for place in one.untrained})
        self.references = References(self.saved)
        self.uncertainty = Uncertainty.of(self.saved, named=self.references.named)
        self.intervals, self.calibration = self.uncertainty.intervals, self.uncertainty.calibration
        self.columns = self.output_columns().numbers

    def __repr__(self) -> str:
        count = "1 model" if len(self.saved) == 1 else f"{len(self.saved)} models"
        targets = ", ".join(self.targets[:3]) + ", …" * (len(self.targets) > 3)
        return printable_name(
            f"<Ensemble of {count}: {self.names}; {self.task} of {targets};"
            f" {sum(one['labels'] for one in self.saved[0].facts['labels'])} training labels; predict, embed, save>"
        )

    @property
    def names(self) -> str:
        """Models and methods, such as "gin_masking · lp", each once."""
        jobs = [one.facts["job"] for one in self.saved]
        return ", ".join(sorted({f"{job['model']['name']} · {job['method']['name']}" for job in jobs}))

    def output_columns(self, *, sets: bool = False) -> Columns:
        """Return the columns of predictions, with conformal sets of classes if these are wanted.

        Raises:
            UsageError: Sets are wanted of a regression.
        """
        if sets and self.task == "regression":
            problem = "sets=true is for classes: a regression has intervals"
            raise UsageError(problem, key="sets", got=True)
        near = self.references
        texts = [f"{name}{SET}" for name in self.targets] if sets else []
        texts += [*[DOMAIN] * near.named, *[ID] * near.has_ids, *[SMILES] * near.has_smiles]
        widths = None if self.intervals is None else self.intervals.constant
        return columns_of(self.saved, widths, texts, spread=self.has_deviation, named=near.named)

    @cached_property
    def test(self) -> HeldOut:
        """The test molecules common to all members, predicted by their mean."""
        return common([(one.data, one.test) for one in self.saved])

    def coverage(self) -> list[float | None]:
        """Return the share of test labels inside the intervals, per task; empty for classification.

        Refits without a test part have the share of the labels of each fold inside intervals from the other folds, the
        mean over models.
        """
        if self.task == "classification":
            return []
        if self.refitted:
            return fold_coverage(self.saved)
        assert self.intervals is not None
        return covered(self.test, self.intervals.half_widths(self.test.prediction, self.test.around))

    def held(self) -> float | None:
        """Return the share of the labels of all tasks that `coverage` is about; None where it is not known."""
        return pooled_share(self.coverage(), fold_labels(self.saved) if self.refitted else self.test.labels)

    @property
    def refitted(self) -> bool:
        """Whether a model was fitted to all labeled molecules (run.keep=all), so that no test part is left."""
        return any("evaluation" in one.facts for one in self.saved)

    def rows(self, molecules: Molecules, *, sets: bool = False) -> Predicted:
        """Return the predictions for the rows of a chunk."""
        columns = self.output_columns(sets=sets)
        count = len(molecules.places) + len(molecules.reasons)
        reasons = [molecules.reasons.get(row, "") for row in range(count)]
        values = np.full((count, len(columns.numbers)), np.nan)
        texts = {name: [""] * count for name in columns.texts}
        if not molecules.places:
            return Predicted(values, texts, reasons)
        each, own = self._moments(molecules)
        finite = np.isfinite(each).all(axis=(0, 2))
        places = np.array(molecules.places)
        for place in places[~finite]:
            reasons[place] = NOT_FINITE
        near = self.references.neighbors(molecules.fingerprint)
        found = np.column_stack([self._values(each, own, near), near.similarity, *[near.row] * self.references.named])
        values[places[finite]] = found[finite]
        words = self._words(each.mean(axis=0), near) if texts else {}
        for name, column in texts.items():
            for at in np.flatnonzero(finite).tolist():
                column[places[at]] = words[name][at]
        return Predicted(values, texts, reasons)

    def _words(self, mean: Matrix, near: Neighbors) -> dict[str, list[str]]:
        """Return all columns of texts by name, [K] each."""
        limits, domain = self.uncertainty.limits, self.uncertainty.domain
        sets = [] if limits is None else set_texts(mean, limits, self.saved[0].classes)
        named = {f"{name}{SET}": column for name, column in zip(self.targets, sets, strict=False)}
        inside = {} if domain is None else {DOMAIN: domain(near.similarity)}
        return {ID: near.ids, SMILES: near.smiles, **inside, **named}

    @property
    def has_deviation(self) -> bool:
        """Whether predictions have standard deviations: those of several members, or the model's own."""
        return len(self.members) > 1 or self.members[0].has_deviation

    def _moments(self, molecules: Molecules) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return the members' predictions [members, K, T] and their own deviations, None unless all have them."""
        means, deviations = zip(*(one.moments(molecules) for one in self.members), strict=True)
        known = [one for one in deviations if one is not None]
        return np.stack(means), np.stack(known) if len(known) == len(means) else None

    def _values(self, each: NDArray[np.float64], own: NDArray[np.float64] | None, near: Neighbors) -> Matrix:
        """Return the columns of tasks [K, C'] from the members' `_moments`, task by task.

        The variance of members with deviations of their own is that of their mixture, by the law of total variance.
        """
        mean = each.mean(axis=0)
        spread = [each.std(axis=0, ddof=1)] if len(each) > 1 else []
        if own is not None:
            spread = [np.sqrt((own**2).mean(axis=0) + each.var(axis=0))]
        if self.intervals is None:
            parts = [calibrated(mean, self.calibration), *spread]
        else:
            widths = self.intervals.half_widths(mean, near.around)
            parts = [mean, *spread, mean - widths, mean + widths]
        values = np.stack([*parts, *[near.labels] * self.references.named], axis=2)
        values[:, self.untrained] = np.nan  # tasks without a training label
        return values.reshape(len(mean), -1)

    def predict(self, smiles: Sequence[str], *, sets: bool = False) -> "pd.DataFrame":
        """Return one row per SMILES, in order, with the predictions of all tasks.

        Args:
            smiles: N SMILES in a list, a pandas Series or a NumPy array, or a table with a column "smiles".
            sets: Whether to add conformal sets of classes.

        Returns:
            A table with N rows and the columns

            - `smiles`;
            - for a regression task, `TASK_predicted` in the label's unit, and `TASK_low` and `TASK_high`, the ends of
              the 90 % interval (NaN with fewer than nine held-out labels), which is wider for molecules that are harder
              to predict;
            - for a classification task, `TASK_probability` in [0, 1], the calibrated probability of the positive class
              (1, or the second of `dataset.classes`);
            - with several models, `TASK_std`, their standard deviation (n − 1; of probabilities before calibration);
              for regression by Gaussian processes, also by a single one, that of a new measurement (noise included, and
              of several their total variance);
            - with `sets`, `TASK_set`, the classes that are not ruled out at 90 %, such as "0", "0|1" or "none";
            - `TASK_neighbor`, the label of the nearest training molecule;
            - `similarity`, Tanimoto in [0, 1] (ECFP4), to that molecule;
            - `neighbor_row`, its data row in the training table, from 1;
            - `in_domain`, "yes", "edge" or "no" by the similarity (docs/predict.md);
            - `neighbor_id`, its identifier, if the table had such a column, and `neighbor_smiles`;
            - `reason`, empty or why the row has no prediction, for example an invalid SMILES.

            Rows without a prediction, and tasks without a training label, are NaN. Models of earlier versions do not
            name the nearest molecule, and have intervals of one width.

        Raises:
            UsageError: `smiles` is a single text or has no order of rows, or sets are wanted of a regression.

        Example:
            ```python
            model = roftbench.load("results/models/KEY")
            table = model.predict(["CCO", "c1ccccc1O", "not a molecule"])
            ```
        """
        texts = as_list(smiles)
        chunks = [
            featurized(texts[i : i + CHUNK], self.featurizers, self.strip_salts) for i in range(0, len(texts), CHUNK)
        ]
        return self.output_columns(sets=sets).table(texts, [self.rows(chunk, sets=sets) for chunk in chunks])

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
