"""The training molecules that a saved model holds, so that the nearest one can be named."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.data.table.identifiers import identifier_columns
from roftbench.data.table.load import open_table
from roftbench.formatting import csv_lines
from roftbench.predict.digits import label_decimals
from roftbench.predict.held_out import Matrix
from roftbench.runner.experiment import Experiment
from roftbench.store.checksums import sha256

TEXTS = "training.csv"
HEAD = ("row", "id", "smiles")


@dataclass(frozen=True)
class TrainingSet:
    """n training molecules in the order of their fingerprints.

    Attributes:
        rows: Rows of the data set's file, [n], from 0.
        y: Labels, [n, T], NaN where missing.
        smiles: SMILES, [n]; None where the folder has no training.csv.
        ids: Cells of the table's column of identifiers, [n]; None without such a column.
        id_column: Name of that column.
    """

    rows: NDArray[np.int64]
    y: Matrix
    smiles: Sequence[str] | None = None
    ids: Sequence[str] | None = None
    id_column: str | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Return rows and labels by name."""
        return {"train.rows": torch.from_numpy(self.rows.copy()), "train.y": torch.from_numpy(self.y.copy())}

    def facts(self) -> dict[str, Any]:
        """Return what the description of a model holds of them."""
        text = self.text()
        return {
            "sha256": None if text is None else sha256(text.encode("utf-8", "backslashreplace")),
            "id_column": self.id_column,
            "label_decimals": [label_decimals(column) for column in self.y.T],
        }

    def text(self) -> str | None:
        """Return the content of training.csv: row (from 1), identifier and SMILES; None without SMILES."""
        if self.smiles is None:
            return None
        ids = [""] * len(self.rows) if self.ids is None else self.ids
        return csv_lines([HEAD, *zip((self.rows + 1).tolist(), ids, self.smiles, strict=True)])


def learned_from(experiment: Experiment) -> NDArray[np.int64]:
    """Return the indices of the training molecules that have a label; in a table of several tasks some may have none.

    No prediction comes from the others, so that being near them tells nothing.
    """
    train: NDArray[np.int64] = experiment.parts.train
    return train[experiment.dataset.labeled[train]]


def training_set(experiment: Experiment) -> TrainingSet:
    """Return the training molecules of an experiment."""
    dataset, train = experiment.dataset, learned_from(experiment)
    name, cells = _identifiers(experiment)
    rows = dataset.rows[train]
    ids = None if cells is None else [cells[row] for row in rows.tolist()]
    return TrainingSet(rows, dataset.y[train], [dataset.smiles[i] for i in train], ids, name)


def _identifiers(experiment: Experiment) -> tuple[str | None, list[str] | None]:
    """Return name and cells of the user's column of identifiers, None without one."""
    spec = experiment.dataset.spec
    if spec.path is None:
        return None, None
    sheet, _ = open_table(spec, experiment.context.places)
    used = {spec.smiles_column, spec.split_column, spec.group_column, spec.relation_column, *experiment.dataset.targets}
    for column in identifier_columns(sheet.names):
        if (name := sheet.names[column]) in used:
            continue
        [cells] = sheet.load([column])
        if 2 * pc.count_distinct(cells).as_py() > len(cells):  # it tells molecules apart, as a batch does not
            return name, [" ".join(cell.split()) for cell in cells.to_pylist()]
    return None, None


def read_training_set(
    folder: Path, facts: Mapping[str, Any] | None, arrays: Mapping[str, NDArray[Any]], tasks: int
) -> TrainingSet | None:
    """Return the training molecules of a saved model; None in models of earlier versions.

    Args:
        folder: The folder of the model; its training.csv may have been removed.
        facts: `training` of its description.
        arrays: Its arrays by name.
        tasks: T.

    Raises:
        ValueError: The molecules are damaged, or belong to another model.
    """
    if facts is None:
        return None
    rows, y, count = arrays["train.rows"], arrays["train.y"], len(arrays["train"])
    if rows.shape != (count,) or rows.dtype != np.int64 or y.shape != (count, tasks) or y.dtype != np.float64:
        raise ValueError(f"its {count} training molecules have labels {y.shape} {y.dtype}")
    path = folder / TEXTS
    if not path.is_file():
        return TrainingSet(rows, y)
    content = path.read_bytes()
    if sha256(content) != facts["sha256"]:
        raise ValueError(f"{TEXTS} was changed, or belongs to another model")
    lines = list(csv.reader(io.StringIO(content.decode(), newline="")))
    column = facts["id_column"]
    ids = None if column is None else [line[1] for line in lines[1:]]
    return TrainingSet(rows, y, [line[2] for line in lines[1:]], ids, None if column is None else str(column))
