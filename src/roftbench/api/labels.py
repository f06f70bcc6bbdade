"""Labels as columns of a table: from lists, arrays, Series and DataFrames."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import pandas as pd

from roftbench.errors import UsageError

SMILES = "smiles"  # name of the column of SMILES in a table that is written


def label_columns(y: Any, count: int) -> dict[str, list[Any]]:
    """Return the labels of T tasks by name, each a list of `count` numbers or texts, None where missing.

    Args:
        y: A list, a Series or an array [N] for one task; a DataFrame, an array [N, T] or a list of lists for several.
            None, NaN and empty texts are missing labels.
        count: Number of molecules, N.

    Raises:
        UsageError: There is no molecule, the number of rows differs, there are no labels, a name is not usable, or a
            label is infinite or neither a number nor a text.
    """
    if not count:
        raise UsageError("smiles holds no molecule", key="smiles", got=0)
    frame = _frame(y)
    if len(frame) != count:
        problem = f"y has {len(frame)} rows, but there are {count} molecules"
        raise UsageError(problem, key="y", got=len(frame))
    names = [str(name) for name in frame.columns]
    if not names or len(set(names)) < len(names) or SMILES in names:
        problem = f"the columns of y must have different names other than '{SMILES}': {names}"
        raise UsageError(problem, key="y", got=names)
    return {
        name: [_label(one, name, row) for row, one in enumerate(frame.iloc[:, t].tolist())]
        for t, name in enumerate(names)
    }


def _frame(y: Any) -> pd.DataFrame:
    """Return labels as a table; unnamed columns are "y", or "y0", "y1", … of several."""
    if isinstance(y, str | bytes | AbstractSet) or not isinstance(y, Iterable):
        raise UsageError(f"y is a {type(y).__name__}: give a list, an array or a table of labels", key="y", got=y)
    if hasattr(y, "to_pandas"):  # of polars and pyarrow
        y = y.to_pandas()
    if isinstance(y, pd.DataFrame | Mapping):
        return pd.DataFrame(y)
    if isinstance(y, pd.Series):
        return y.to_frame("y" if y.name is None else y.name)
    try:
        frame = pd.DataFrame(y if isinstance(y, np.ndarray) else list(y), dtype=object)
    except ValueError as error:
        raise UsageError(f"y is no table of labels: {error}", key="y") from None
    return frame.set_axis(["y"] if frame.shape[1] == 1 else [f"y{t}" for t in range(frame.shape[1])], axis=1)


def _label(value: Any, name: str, row: int) -> Any:
    if hasattr(value, "item"):  # a scalar of NumPy
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str) and not value.strip():  # an empty cell of a table
        return None
    if not isinstance(value, bool | int | float | str) or value in (math.inf, -math.inf):
        kind = "infinite" if isinstance(value, float) else f"a {type(value).__name__}"
        problem = f"the label '{name}' of row {row} is {kind}: give a number, a text, or NaN for a missing label"
        raise UsageError(problem, key="y", got=value)
    return value
