"""SMILES as callers of the Python API give them: lists, arrays, Series and tables, of texts or RDKit molecules."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from rdkit.Chem import Mol, MolToSmiles

from roftbench.errors import UsageError


def as_list(smiles: Any, *, strict: bool = False) -> list[str]:
    """Return SMILES as a list of texts, "" for missing ones (None, NaN).

    Args:
        smiles: A sequence of texts or RDKit molecules, an array [N] or [N, 1] of them, or a table (pandas, polars,
            pyarrow) with a column "smiles" or a single column.
        strict: Whether other things in it, such as numbers, are refused. Otherwise they become texts, so that every row
            of a table has a result, unless it holds nothing else.

    Raises:
        UsageError: It is a single text, whose letters are SMILES themselves, a single molecule, a table without such a
            column, has no order of rows, as a set, or holds numbers alone.
    """
    if isinstance(smiles, str | bytes):
        raise UsageError(f"smiles is a text, not a list: give [{smiles[:80]!r}]", key="smiles", got=smiles)
    if hasattr(smiles, "columns"):
        smiles = _column(smiles)
    if getattr(smiles, "ndim", 1) == 2 and smiles.shape[1] == 1:  # as scikit-learn passes a column on
        smiles = smiles[:, 0]
    several = getattr(smiles, "ndim", 1) == 1 and isinstance(smiles, Iterable)
    if not several or isinstance(smiles, Mapping | AbstractSet):
        kind = type(smiles).__name__
        raise UsageError(f"smiles is a {kind}, which has no order of rows: give a list", key="smiles", got=smiles)
    values = [one.as_py() if hasattr(one, "as_py") else one for one in smiles]  # of pyarrow
    alone = not any(isinstance(one, str | Mol) or _missing(one) for one in values)
    return [_text(one, row, strict=strict or alone) for row, one in enumerate(values)]


def _text(value: Any, row: int, *, strict: bool) -> str:
    if isinstance(value, Mol):
        return str(MolToSmiles(value))
    if isinstance(value, str):
        return value
    if _missing(value):
        return ""
    if strict:
        problem = f"smiles[{row}] is a {type(value).__name__}, neither a text nor an RDKit molecule: {str(value)[:80]}"
        raise UsageError(problem, key="smiles", got=value)
    return str(value)


def _column(table: Any) -> Any:
    names = [str(name) for name in getattr(table, "column_names", None) or table.columns]
    usual = [name for name in names if name.strip().lower() == "smiles"]
    found = usual or (names if len(names) == 1 else [])
    if len(found) != 1:
        problem = f"smiles is a table with the columns {', '.join(names[:20])}: give the one of SMILES, table['NAME']"
        raise UsageError(problem, key="smiles", got=names)
    column = table[list(getattr(table, "column_names", None) or table.columns)[names.index(found[0])]]
    return column.to_pylist() if hasattr(column, "to_pylist") else column


def _missing(value: object) -> bool:
    try:
        return value is None or bool(value != value)  # NaN
    except TypeError:  # pandas' NA
        return True
