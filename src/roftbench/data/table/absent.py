"""Rows of a published file that the bundled copy lacks."""

import numpy as np
from numpy.typing import NDArray

from roftbench.data.config import DatasetSpec
from roftbench.errors import UsageError


def with_absent(
    spec: DatasetSpec, smiles: list[str], labels: NDArray[np.float64], parts: list[str] | None
) -> tuple[list[str], NDArray[np.float64], list[str] | None]:
    """Return SMILES, labels and parts with an empty row for each absent one.

    Raises:
        UsageError: `absent_rows` names a row twice, or one that the file cannot have.
    """
    rows = len(smiles) + len(spec.absent_rows)
    absent = np.unique(spec.absent_rows)
    if len(absent) < len(spec.absent_rows) or absent[0] < 0 or absent[-1] >= rows:
        problem = f"data set {spec.name}: dataset.absent_rows must be different numbers from 0 to {rows - 1}"
        raise UsageError(problem, key="dataset.absent_rows", got=spec.absent_rows)
    kept = np.setdiff1d(np.arange(rows), absent)
    everything = np.full((rows, labels.shape[1]), np.nan)
    everything[kept] = labels

    def spread(texts: list[str]) -> list[str]:
        column = np.full(rows, "", dtype=object)
        column[kept] = texts
        spread_out: list[str] = column.tolist()
        return spread_out

    return spread(smiles), everything, None if parts is None else spread(parts)
