"""The folder of a saved model: written atomically, read without executing anything in it."""

import csv
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.kinds import KINDS
from roftbench.errors import UsageError
from roftbench.formatting import in_utf8
from roftbench.predict.held_out import HeldOut
from roftbench.predict.saved_schema import check_arrays, check_facts
from roftbench.predict.training_set import TEXTS, TrainingSet, read_training_set
from roftbench.store.checksums import digest, sha256
from roftbench.store.files import write_text
from roftbench.store.folders import new_folder
from roftbench.store.tensors import DamagedFileError, read_tensors, write_tensors

SCHEMA = 2
AGAIN = "Save it again: repeat the command of its job with run.keep=true run.rerun=true."
DESCRIPTION, WEIGHTS, MOLECULES, CARD = "model.json", "weights.safetensors", "molecules.safetensors", "README.md"
FILES = (DESCRIPTION, WEIGHTS, MOLECULES, CARD, TEXTS)


@dataclass(frozen=True)
class SavedModel:
    """Content of the folder of a saved model.

    Attributes:
        folder: The folder.
        facts: Content of model.json: job, tasks, calibration, scores and versions.
        weights: State dict of a network, or the arrays of estimators.
        train: Packed ECFP4 fingerprints of the training molecules, [n, 256] uint8.
        val: Held-out molecules for calibration: the validation part or out-of-fold predictions.
        test: Test molecules.
        sha256: Checksum of model.json, which the other files repeat so that files of different models are not mixed;
            it identifies the model.
        training: Rows, labels and SMILES of the training molecules; None in models of earlier versions.
    """

    folder: Path
    facts: dict[str, Any]
    weights: dict[str, Tensor]
    train: NDArray[np.uint8]
    val: HeldOut
    test: HeldOut
    sha256: str = ""  # before the folder is written
    training: TrainingSet | None = None

    @property
    def targets(self) -> list[str]:
        """Names of the T prediction tasks."""
        return [str(name) for name in self.facts["targets"]]

    @property
    def task(self) -> str:
        """Kind of the tasks: "regression" or "classification"."""
        return str(self.facts["task"])

    @property
    def classes(self) -> tuple[str, str]:
        """Texts of the negative and the positive class in the table; probabilities are those of the positive one."""
        negative, positive = self.facts["job"]["dataset"].get("classes") or ("0", "1")
        return str(negative), str(positive)

    @property
    def untrained(self) -> list[int]:
        """Indices of tasks without a training label."""
        return [place for place, one in enumerate(self.facts["labels"]) if not one["labels"]]

    @property
    def strip_salts(self) -> bool:
        """Whether molecules are reduced to the largest organic fragment of their SMILES, as in the data set."""
        return bool(self.facts["job"]["dataset"].get("strip_salts", False))

    @property
    def data(self) -> str:
        """Checksum of the table that row numbers refer to."""
        return str(self.facts["job"]["dataset"]["sha256"])

    @property
    def holds_molecules(self) -> bool:
        """Whether it holds the SMILES of its training molecules."""
        return self.training is not None and self.training.smiles is not None

    def without_molecules(self) -> "SavedModel":
        """Return the model without SMILES and identifiers of its training molecules."""
        training = None if self.training is None else replace(self.training, smiles=None, ids=None)
        return replace(self, training=training)


def write_saved(saved: SavedModel, card: str) -> None:
    """Write the folder of a saved model under a temporary name, then move it to its own.

    An earlier folder is replaced in one step; the user's files in it stay.

    Raises:
        OSError: The folder cannot be written.
    """
    text = json.dumps({"schema": SCHEMA, **in_utf8(saved.facts)}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    belongs = {DESCRIPTION: sha256(text.encode())}
    with new_folder(saved.folder, FILES) as folder:
        write_tensors(folder / WEIGHTS, saved.weights, belongs)
        write_tensors(folder / MOLECULES, _molecules(saved), belongs)
        if saved.training is not None and (texts := saved.training.text()) is not None:
            write_text(folder / TEXTS, texts)
        write_text(folder / CARD, card)
        write_text(folder / DESCRIPTION, text)


def _molecules(saved: SavedModel) -> dict[str, Tensor]:
    """Return the tensors of training and held-out molecules by name; what is unknown is left out."""
    parts = {"val": saved.val, "test": saved.test}
    arrays = {f"{part}.{name}": array for part, one in parts.items() for name, array in asdict(one).items()}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
    training = {} if saved.training is None else saved.training.tensors()
    return {**tensors, **training, "train": torch.from_numpy(saved.train.copy())}


def read_saved(folder: Path) -> SavedModel:
    """Return the model in a folder.

    Raises:
        UsageError: The folder holds no saved model, a damaged one, or one of another schema.
    """
    file = folder / DESCRIPTION
    if not file.is_file():
        raise UsageError(
            f"model_dir={folder} holds no saved model (no {DESCRIPTION})",
            key="model_dir",
            got=str(folder),
            hint="`roftbench run … run.keep=true` writes one to <results>/models/<key>.",
        )
    try:
        content = file.read_bytes()
        facts = json.loads(content)
        if not isinstance(facts, dict):
            raise ValueError("its description is not a JSON object")
        if facts["schema"] != SCHEMA:
            problem = f"{file} has schema {facts['schema']}; this version of roftbench reads {SCHEMA}"
            raise UsageError(problem, key="model_dir", got=str(folder), hint=AGAIN)
        if digest(facts["job"]) != facts["key"]:
            raise ValueError("its job does not have its key")
        if facts["kind"] not in KINDS:
            raise ValueError(f"its kind is {facts['kind']!r}")
        weights, of_weights = read_tensors(folder / WEIGHTS)
        molecules, of_molecules = read_tensors(folder / MOLECULES)
        if not of_weights == of_molecules == {DESCRIPTION: sha256(content)}:
            raise ValueError("its files do not belong together, or one was changed")
        check_facts(facts, weights)
        arrays = {name: tensor.numpy() for name, tensor in molecules.items()}
        val, test = (
            HeldOut(
                *(arrays[f"{part}.{name}"] for name in ("rows", "y", "prediction")),
                *(arrays.get(f"{part}.{name}") for name in ("similarity", "local")),
            )
            for part in ("val", "test")
        )
        check_arrays(len(facts["targets"]), arrays["train"], val, test)
        training = read_training_set(folder, facts.get("training"), arrays, len(facts["targets"]))
        return SavedModel(folder, facts, weights, arrays["train"], val, test, sha256(content), training)
    except UsageError:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        msgspec.MsgspecError,
        csv.Error,
        DamagedFileError,
    ) as error:
        raise UsageError(
            f"model_dir={folder} is damaged: {error}", key="model_dir", got=str(folder), hint=AGAIN
        ) from None
