"""The folder of a kept model: written whole or not at all, read without executing anything in it."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.job import FINGERPRINT, NETWORK
from roftbench.errors import UsageError
from roftbench.formatting import in_utf8
from roftbench.predict.held_out import HeldOut
from roftbench.predict.saved_schema import check_arrays, check_facts
from roftbench.store.checksums import digest, sha256
from roftbench.store.files import write_text
from roftbench.store.folders import replace_folder
from roftbench.store.leftovers import temporary_name
from roftbench.store.tensors import DamagedFileError, read_tensors, write_tensors

SCHEMA = 2
AGAIN = "Write it again: the command of its job with run.keep=true run.rerun=true."
DESCRIPTION, WEIGHTS, MOLECULES, CARD = "model.json", "weights.safetensors", "molecules.safetensors", "README.md"
OURS = (DESCRIPTION, WEIGHTS, MOLECULES, CARD)


@dataclass(frozen=True)
class SavedModel:
    """What is in the folder of a kept model.

    facts: model.json. weights: a network's state dict, or the arrays of estimators. train [n, 256] uint8: packed ECFP4
    fingerprints of the training molecules. val and test: what the weights were not fitted to. sha256: of model.json,
    which the other files name, so that all of them belong together; it names the model.
    """

    folder: Path
    facts: dict[str, Any]
    weights: dict[str, Tensor]
    train: NDArray[np.uint8]
    val: HeldOut
    test: HeldOut
    sha256: str = ""  # until it is written

    @property
    def targets(self) -> list[str]:
        """Names of the T tasks."""
        return [str(name) for name in self.facts["targets"]]

    @property
    def task(self) -> str:
        """What the tasks are: regression or classification."""
        return str(self.facts["task"])

    @property
    def classes(self) -> tuple[str, str]:
        """The texts of the negative and the positive class in the table; a probability is that of the positive one."""
        negative, positive = self.facts["job"]["dataset"].get("classes") or ("0", "1")
        return str(negative), str(positive)

    @property
    def untrained(self) -> list[int]:
        """The tasks of which no training molecule had a label, by their place."""
        return [place for place, one in enumerate(self.facts["labels"]) if not one["labels"]]

    @property
    def strip_salts(self) -> bool:
        """Whether a molecule is the largest organic fragment of its SMILES, as in the model's data set."""
        return bool(self.facts["job"]["dataset"].get("strip_salts", False))

    @property
    def data(self) -> str:
        """Names the table that rows count in."""
        return str(self.facts["job"]["dataset"]["sha256"])


def write_kept(kept: SavedModel, card: str) -> None:
    """Write the folder of a kept model under a temporary name, then give it its own.

    An earlier one is replaced in one step; files in it that are the user's stay. Raises OSError.
    """
    folder = kept.folder
    temporary = temporary_name(folder)
    text = json.dumps({"schema": SCHEMA, **in_utf8(kept.facts)}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    belongs = {DESCRIPTION: sha256(text.encode())}
    try:
        temporary.mkdir(parents=True)
        write_tensors(temporary / WEIGHTS, kept.weights, belongs)
        parts = {"val": kept.val, "test": kept.test}
        tensors = {
            f"{part}.{name}": torch.from_numpy(a) for part, one in parts.items() for name, a in asdict(one).items()
        }
        write_tensors(temporary / MOLECULES, {**tensors, "train": torch.from_numpy(kept.train.copy())}, belongs)
        write_text(temporary / CARD, card)
        write_text(temporary / DESCRIPTION, text)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    replace_folder(temporary, folder, OURS)


def read_kept(folder: Path) -> SavedModel:
    """Return the model in a folder.

    Raises:
        UsageError: there is no kept model, it is damaged, or a later version of roftbench has written it.
    """
    file = folder / DESCRIPTION
    if not file.is_file():
        raise UsageError(
            f"model_dir={folder} holds no kept model (no {DESCRIPTION}). `roftbench run … run.keep=true` writes one to"
            " <results>/models/<key>."
        )
    try:
        content = file.read_bytes()
        facts = json.loads(content)
        if not isinstance(facts, dict):
            raise ValueError("it is no description")
        if facts["schema"] != SCHEMA:
            raise UsageError(f"{file} has schema {facts['schema']}; this version of roftbench reads {SCHEMA}. {AGAIN}")
        if digest(facts["job"]) != facts["key"]:
            raise ValueError("its job is not the one that its key names")
        if facts["kind"] not in (NETWORK, FINGERPRINT):
            raise ValueError(f"its kind is {facts['kind']!r}")
        weights, of_weights = read_tensors(folder / WEIGHTS)
        molecules, of_molecules = read_tensors(folder / MOLECULES)
        if not of_weights == of_molecules == {DESCRIPTION: sha256(content)}:
            raise ValueError("its files do not belong together, or one was changed")
        check_facts(facts, weights)
        arrays = {name: tensor.numpy() for name, tensor in molecules.items()}
        val, test = (
            HeldOut(*(arrays[f"{part}.{name}"] for name in ("rows", "y", "prediction"))) for part in ("val", "test")
        )
        check_arrays(
            len(facts["targets"]), arrays["train"], *((one.rows, one.y, one.prediction) for one in (val, test))
        )
        return SavedModel(folder, facts, weights, arrays["train"], val, test, sha256(content))
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError, msgspec.MsgspecError, DamagedFileError) as error:
        raise UsageError(f"model_dir={folder} is damaged: {error}. {AGAIN}") from None
