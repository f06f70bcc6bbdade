"""Predefined splits: a column of the table, or a file of row numbers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from roftbench.data.config import PART_NAMES
from roftbench.data.split import Indices, Molecules, Split, Splitter, shuffled
from roftbench.errors import UsageError, check_range
from roftbench.store.checksums import sha256

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class AutoSplit:
    """Placeholder for the table's split column if it has one, else for the scaffold split; resolved when parsed."""

    fractions: list[float] = field(default_factory=lambda: [0.8, 0.1, 0.1])
    seed: int = 42
    val_from_train: float = 0.1


@dataclass(frozen=True)
class _Predefined(Splitter):
    """Base class of given parts; if there is no val part, `val_from_train` of the shuffled train part becomes it."""

    seeded: ClassVar[bool] = True
    val_from_train: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("val_from_train", self.val_from_train, 0, 1)

    def _completed(self, train: Indices, val: Indices, test: Indices, origin: str) -> Split:
        note = ""
        if len(val) == 0 and self.val_from_train > 0:
            order = shuffled(train.tolist(), self.seed)
            kept = len(order) - max(1, round(self.val_from_train * len(order)))
            train, val = np.sort(order[:kept]), np.sort(order[kept:])
            note = f"{origin} gives no val part: {len(val)} train molecules, drawn by split.seed={self.seed}, are val"
        if len(train) == 0 or len(val) == 0:
            raise UsageError(
                f"{origin} gives {len(train)} molecules for train and {len(val)} for val; both are needed (the best"
                " epoch is chosen on val)",
                key=origin.partition("=")[0],
                got=(len(train), len(val)),
                hint="Mark some rows, or set split.val_from_train=0.1",
            )
        return Split(train, val, test, note=note)


@dataclass(frozen=True)
class ColumnSplit(_Predefined):
    """Parts named by the table's split column; molecules with an empty cell are in no part."""

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules.

        Raises:
            UsageError: the table has no such column, or it leaves train or val empty.
        """
        if molecules.parts is None:
            raise UsageError(
                "split=column: the table has no column 'split'",
                key="dataset.split_column",
                hint="For a table of your own, name it: dataset.split_column=NAME",
            )
        parts = np.array(molecules.parts)
        train, val, test = (np.flatnonzero(parts == name) for name in PARTS)
        return self._completed(train, val, test, "the split column")


@dataclass(frozen=True)
class FileSplit(_Predefined):
    """Parts by row numbers in a JSON file such as {"train": [0, 1], "val": "2-5", "test": "6,8-9"}.

    The object may be the only item of a list. Rows are data rows of the table from 0, dropped ones included; "3-5"
    means rows 3, 4 and 5.

    Attributes:
        path: the file.
        sha256: digest of the file, which identifies it in a job's key.
    """

    path: str = ""
    sha256: str | None = None

    def __call__(self, molecules: Molecules) -> Split:
        """Return the split of the molecules; rows that the data set has dropped are ignored.

        Raises:
            UsageError: the file is missing, has changed, is no such JSON, or names a row twice or beyond the table.
        """
        parts = _read(self.path, self.sha256)
        named = np.concatenate(list(parts.values()))
        unique, times = np.unique(named, return_counts=True)
        if (times > 1).any():
            raise _refused(self.path, f" names row {unique[times > 1][0]} twice: parts must not overlap")
        if (highest := named.max(initial=-1)) >= molecules.num_rows:
            rows = f"the table has {molecules.num_rows} data rows (the first is row 0)"
            raise _refused(self.path, f" names row {highest}, but {rows}")
        position = np.full(molecules.num_rows, -1)
        position[molecules.rows] = np.arange(len(molecules.rows))
        train, val, test = (position[rows][position[rows] >= 0] for rows in parts.values())
        if len(train) + len(val) + len(test) == 0:
            raise _refused(self.path, f": none of its {len(named)} rows is in the data set")
        return self._completed(train, val, test, f"split.path={self.path}")


def file_sha256(path: str) -> str:
    """Return the digest of a split file; raises UsageError if it cannot be read."""
    return sha256(_bytes(path))


def _bytes(path: str) -> bytes:
    if not path:
        raise UsageError(
            "split=file needs split.path=FILE, a JSON file with the rows of train, val and test", key="split.path"
        )
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise _refused(path, f" cannot be read: {error.strerror}") from None


def _refused(path: str, problem: str) -> UsageError:
    return UsageError(f"split.path={path}{problem}", key="split.path", got=path)


def _read(path: str, expected: str | None) -> dict[str, Indices]:
    raw = _bytes(path)
    if expected not in (None, digest := sha256(raw)):
        raise _refused(path, f" has sha256 {digest}, expected {expected}: it has changed")
    try:
        content = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise _refused(path, f" is no JSON: {error}") from None
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if isinstance(content, list):
        raise _refused(path, f" holds {len(content)} splits; give a file with one")
    if not isinstance(content, dict) or not content or not (set(content) <= set(PART_NAMES) - {""}):
        raise _refused(path, " must be a JSON object with the keys train, val and test")
    names = {part: [name for name, meant in PART_NAMES.items() if meant == part] for part in PARTS}
    return {part: _part(path, content, names[part]) for part in PARTS}


def _part(path: str, content: Mapping[str, Any], names: Sequence[str]) -> Indices:
    given = [content[name] for name in names if name in content]
    if len(given) > 1:
        raise _refused(path, f" names the part {names[0]} twice")
    rows = given[0] if given else []
    try:
        numbers = _ranges(rows) if isinstance(rows, str) else list(rows)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError
    except (TypeError, ValueError):
        wanted = f'{names[0]} must be a list of row numbers from 0, or a text such as "0-5,8"'
        raise _refused(path, f": {wanted}") from None
    return np.array(numbers, dtype=np.int64)


def _ranges(text: str) -> list[int]:
    numbers: list[int] = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        first, dash, last = piece.partition("-")
        rows = range(int(first), int(last if dash else first) + 1)
        if not rows:
            raise ValueError(f"{piece} runs backwards")
        numbers += rows
    return numbers
