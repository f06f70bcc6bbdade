"""Columns that predictions add to a table, and their cells as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.predict import digits
from roftbench.predict.column_names import HIGH, LOW, NEIGHBOR, PREDICTED, PROBABILITY, REASON, ROW, SIMILARITY, STD
from roftbench.predict.saved_model import SavedModel

if TYPE_CHECKING:
    import pandas as pd

WHOLE = -1  # as decimals: whole numbers, such as rows and classes
CLASSES = (PROBABILITY, STD, NEIGHBOR)
NUMBERS = (PREDICTED, STD, LOW, HIGH, NEIGHBOR)


class Predicted(NamedTuple):
    """Predictions for R rows.

    Attributes:
        values: Numeric columns, [R, C], NaN where there are none.
        texts: Columns of texts by name, [R] each, "" where there are none.
        reasons: Why a row has no prediction, [R].
    """

    values: NDArray[np.float64]
    texts: dict[str, list[str]]
    reasons: list[str]


@dataclass(frozen=True)
class Columns:
    """Columns of the predictions of models.

    Attributes:
        numbers: Names of the numeric columns: those of each task, then those of a molecule.
        texts: Names of the columns of texts.
        decimals: Decimals of each numeric column, None for a probability, WHOLE for a whole number, [C].
    """

    numbers: list[str]
    texts: list[str]
    decimals: list[int | None]

    def cells(self, found: Predicted, *, full: bool) -> list[list[str]]:
        """Return the columns as texts, numbers with their decimals or in full."""
        return [*self.number_cells(found.values, full=full), *(found.texts[name] for name in self.texts), found.reasons]

    def number_cells(self, found: NDArray[np.float64], *, full: bool = False) -> list[list[str]]:
        """Return the first numeric columns, [R, C] of them or fewer, as texts, empty for NaN."""
        columns = []
        for values, places in zip(found.T.tolist(), self.decimals, strict=False):
            if places == WHOLE:
                columns.append(digits.rounded_texts(values, places=0))
            elif full:
                columns.append(digits.full_texts(values))
            elif places is None:
                columns.append(digits.probability_texts(values))
            else:
                columns.append(digits.rounded_texts(values, places=places))
        return columns

    def table(self, smiles: Sequence[str], chunks: Sequence[Predicted]) -> "pd.DataFrame":
        """Return the predictions of chunks of SMILES as one table."""
        import pandas as pd

        values = np.concatenate([np.empty((0, len(self.numbers))), *(chunk.values for chunk in chunks)])
        frame = pd.DataFrame(values, columns=self.numbers)
        if ROW in frame:
            frame[ROW] = frame[ROW].astype("Int64")
        frame.insert(0, "smiles", smiles)
        for name in self.texts:
            frame[name] = [text for chunk in chunks for text in chunk.texts[name]]
        frame[REASON] = [reason for chunk in chunks for reason in chunk.reasons]
        return frame


def columns_of(
    saved: Sequence[SavedModel], widths: NDArray[np.float64] | None, texts: Iterable[str], *, spread: bool, named: bool
) -> Columns:
    """Return the columns of models that predict together.

    Args:
        saved: The models.
        widths: Half widths of the intervals, [T], NaN where there are none; None for classes.
        texts: Names of the columns of texts.
        spread: Whether there are standard deviations.
        named: Whether the nearest training molecules are known.
    """
    ends = [end for end in (CLASSES if widths is None else NUMBERS) if (spread or end != STD)]
    ends = ends if named else ends[:-1]
    names, decimals = list[str](), list[int | None]()
    for task, name in enumerate(saved[0].targets):
        names += [name + end for end in ends]
        decimals += [None if widths is None else _decimals(saved[0], task, float(widths[task]))] * len(ends)
        if widths is None and named:
            decimals[-1] = WHOLE
    beside = [(SIMILARITY, digits.SIMILARITY), *[(ROW, WHOLE)] * named]
    return Columns([*names, *(name for name, _ in beside)], list(texts), [*decimals, *(places for _, places in beside)])


def _decimals(saved: SavedModel, task: int, half_width: float) -> int:
    training = saved.facts.get("training")
    width = half_width if np.isfinite(half_width) else saved.facts["labels"][task].get("std", np.nan)
    return digits.decimals(width, None if training is None else training["label_decimals"][task])
