"""Kept models that predict together: their mean and spread, intervals, calibrated probabilities, similarity."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.config.plugins import load_plugin
from roftbench.data.similarity import nearest
from roftbench.errors import UsageError
from roftbench.predict.calibration import calibrated, platt
from roftbench.predict.conformal import covered, half_widths
from roftbench.predict.featurize import CHUNK, Molecules, featurized
from roftbench.predict.held_out import HeldOut, common, pooled
from roftbench.predict.member import as_list, embedded, member_of
from roftbench.predict.saved_model import SavedModel, read_kept
from roftbench.runner.devices import choose_device

if TYPE_CHECKING:
    import pandas as pd

REASON, SIMILARITY = "reason", "similarity"
NOT_FINITE = "the model's output is not a finite number"


class Predicted(NamedTuple):
    """What is said of R rows: values [R, C] of the numeric columns, NaN where nothing is said, and reasons [R]."""

    values: NDArray[np.float64]
    reasons: list[str]


class Ensemble:
    """One kept model or several of the same tasks. `columns` are the names of what `rows` gives, reasons left out."""

    def __init__(self, kept: Sequence[SavedModel], device: str = "auto", plugins: Sequence[str] = ()) -> None:
        self.kept = list(kept)
        _check_same_tasks(self.kept)
        names = tuple(load_plugin(plugin) for plugin in plugins)
        self.members = [member_of(one, choose_device(device), names) for one in self.kept]
        self.featurizers = sorted({one.featurizer for one in self.members})
        self.task, self.targets = self.kept[0].task, self.kept[0].targets
        self.strip_salts = self.members[0].strip_salts
        self.untrained = sorted({place for one in self.kept for place in one.untrained})
        self.train = np.unique(np.concatenate([one.train for one in self.kept]), axis=0)
        self.calibration = self._calibration()
        self.columns = [f"{name}{end}" for name in self.targets for end in self._endings()] + [SIMILARITY]

    def _endings(self) -> list[str]:
        spread = ["_std"] if len(self.members) > 1 else []
        if self.task == "classification":
            return ["_probability", *spread]
        return ["_predicted", *spread, "_low", "_high"]

    def _calibration(self) -> NDArray[np.float64]:
        """Return half widths [T], or slopes and offsets [T, 2]; those of a single model are in its folder."""
        if len(self.kept) > 1:
            held_out = pooled([(one.data, one.val) for one in self.kept])
            return half_widths(held_out) if self.task == "regression" else platt(held_out)
        found = self.kept[0].facts["calibration"]
        numbers = found["half_width"] if self.task == "regression" else found["slope_and_offset"]
        return np.array(numbers, dtype=np.float64)

    def test(self) -> HeldOut:
        """Return the test molecules that all members hold out, predicted by their mean."""
        return common([(one.data, one.test) for one in self.kept])

    def coverage(self) -> list[float | None]:
        """Return for each regression task the share of test labels inside the intervals; classes have none."""
        return covered(self.test(), self.calibration) if self.task == "regression" else []

    def rows(self, molecules: Molecules) -> Predicted:
        """Return what is said of the rows of a chunk."""
        count = len(molecules.places) + len(molecules.reasons)
        reasons = [molecules.reasons.get(row, "") for row in range(count)]
        values = np.full((count, len(self.columns)), np.nan)
        if molecules.places:
            each = np.stack([one.predict(molecules) for one in self.members])
            finite = np.isfinite(each).all(axis=(0, 2))
            for place in np.array(molecules.places)[~finite]:
                reasons[place] = NOT_FINITE
            said = np.column_stack([self._said(each), nearest(molecules.fingerprint, self.train, None)])
            values[np.array(molecules.places)[finite]] = said[finite]
        return Predicted(values, reasons)

    def _said(self, each: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the columns [K, C - 1] from the members' predictions [members, K, T], task by task."""
        mean = each.mean(axis=0)
        spread = [each.std(axis=0, ddof=1)] if len(each) > 1 else []
        if self.task == "classification":
            parts = [calibrated(mean, self.calibration), *spread]
        else:
            parts = [mean, *spread, mean - self.calibration, mean + self.calibration]
        said = np.stack(parts, axis=2)
        said[:, self.untrained] = np.nan  # nothing was learned for them
        return said.reshape(len(mean), -1)

    def predict(self, smiles: Sequence[str]) -> "pd.DataFrame":
        """Return a row for each SMILES, in order: it, the columns of each task, `similarity` and `reason`.

        Columns of a task: "…_predicted" in the label's unit with "…_low" and "…_high", the ends of the 90 % interval,
        or "…_probability" of the positive class (1, or the second of `dataset.classes`), calibrated; "…_std" over the
        members where there are several. A SMILES that has no graph has NaN there, and why not as its reason, which is
        otherwise empty; a task without any training label has NaN everywhere.
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

    def embed(self, smiles: Sequence[str]) -> NDArray[np.float32]:
        """Return graph representations [N, d] of a single model's network, NaN for a SMILES that has no graph."""
        if len(self.members) > 1:
            raise UsageError("several models have several representations: embed with one of them")
        return embedded(self.members[0], as_list(smiles))


def _check_same_tasks(kept: Sequence[SavedModel]) -> None:
    first = kept[0]
    for one in kept[1:]:
        if (one.targets, one.task) != (first.targets, first.task):
            raise UsageError(
                f"{one.folder} predicts {', '.join(one.targets[:5])} ({one.task}), but {first.folder} predicts"
                f" {', '.join(first.targets[:5])} ({first.task}): only models of the same tasks can predict together"
            )
        if one.task == "classification" and one.classes != first.classes:
            raise UsageError(
                f"{one.folder} gives the probability of '{one.classes[1]}' against '{one.classes[0]}', but"
                f" {first.folder} that of '{first.classes[1]}' against '{first.classes[0]}'"
            )
        if one.strip_salts != first.strip_salts:
            raise UsageError(
                f"{one.folder} and {first.folder} read salts in different ways: dataset.strip_salts is true for one"
            )
        if one.facts["units"] != first.facts["units"]:
            units = one.facts["units"], first.facts["units"]
            raise UsageError(f"{one.folder} predicts in {units[0]}, but {first.folder} in {units[1]}")


def load(*model_dirs: str | Path, device: str = "auto", plugins: Sequence[str] = ()) -> Ensemble:
    """Return kept models, ready to predict together.

    Raises:
        UsageError: a folder holds no kept model or a damaged one, or the models have different tasks.
    """
    if not model_dirs or not all(isinstance(folder, str | Path) for folder in model_dirs):
        raise UsageError("load() takes the folder of a kept model, or several one by one: load(a, b)")
    kept = [read_kept(Path(folder).expanduser()) for folder in model_dirs]
    if len({one.sha256 for one in kept}) < len(kept):
        raise UsageError(f"one model counts once, but is given twice: {', '.join(str(one.folder) for one in kept)}")
    return Ensemble(kept, device, plugins)
