"""A table of SMILES and labels: where its bytes come from, which columns count, and what is in them."""

import gzip
import io
import zlib
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roftbench.errors import UsageError, check_choice, suggest
from roftbench.metrics import METRICS

TASKS = ("regression", "classification")
DEFAULT_METRIC = {"regression": "rmse", "classification": "roc_auc"}
GUESSED = ("name", "smiles_column", "targets", "task", "metric", "sha256")
SMILES_NAMES = ("smiles", "canonical_smiles", "mol", "structure", "molecule")


@dataclass(frozen=True)
class DatasetSpec:
    """A data set by name: `asset` (bundled) or `path` (a user's own CSV, plain or gzipped), and what its columns mean.

    Of an own CSV, everything that is null is guessed from the file (`complete`).
    """

    name: str | None = None
    summary: str = ""
    task: str | None = None
    targets: list[str] | None = None
    metric: str | None = None
    units: str | None = None
    smiles_column: str | None = None
    path: str | None = None
    asset: str | None = None
    sha256: str | None = None
    reference: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (self.asset is None):
            raise ValueError("path (a CSV of your own) or asset (a bundled file): give exactly one of them")
        if self.asset is not None and (left := [name for name in GUESSED if not getattr(self, name)]):
            raise ValueError(f"{left[0]} must be set for a bundled file: it is guessed for a CSV of your own only")
        if self.name is not None and Path(self.name).name != self.name:
            raise ValueError(f"name is '{self.name}': it becomes part of a file's name and must not look like a path")
        if self.task is not None:
            check_choice("task", self.task, TASKS)
        if self.metric is not None:
            of_task = [name for name, metric in METRICS.items() if self.task in (None, metric.task)]
            check_choice("metric", self.metric, of_task)


@dataclass(frozen=True)
class Table:
    """SMILES as written, [R], and labels [R, T] float64 with NaN where missing, for all R rows of the file."""

    smiles: list[str]
    labels: NDArray[np.float64]


def complete(spec: DatasetSpec) -> tuple[DatasetSpec, list[str]]:
    """Return the spec with its checksum and with everything left open guessed from the file, and the guesses in words.

    Raises:
        UsageError: the file is missing or unreadable, or a column that the spec names is not there.
    """
    if spec.asset is not None:
        return spec, []
    content = read_content(spec)
    frame = _frame(spec, content)
    if spec.smiles_column is not None:
        _column(spec, frame, spec.smiles_column)
    column = spec.smiles_column or _guess_smiles_column(spec, list(frame.columns))
    targets = spec.targets or _guess_targets(spec, frame, column)
    task = spec.task or _guess_task(_labels(spec, frame, targets))
    guesses = [
        f"{what} {value}"
        for what, value, given in (
            ("SMILES column", column, spec.smiles_column),
            ("targets", ", ".join(targets), spec.targets),
            ("task", task, spec.task),
        )
        if given is None
    ]
    name = spec.name or Path(str(spec.path)).name.split(".")[0]
    digest = sha256(content).hexdigest()
    if spec.sha256 not in (None, digest):
        raise UsageError(f"dataset.path={spec.path} has sha256 {digest}, but dataset.sha256={spec.sha256}")
    return replace(
        spec, name=name, smiles_column=column, targets=targets, task=task,
        metric=spec.metric or DEFAULT_METRIC[task], sha256=digest,
    ), guesses  # fmt: skip


def read_table(spec: DatasetSpec) -> Table:
    """Read SMILES and labels of a completed spec, every row in file order.

    Raises:
        UsageError: the file cannot be read, its content is not the expected one, or a label is not a number.
    """
    content = read_content(spec)
    if (digest := sha256(content).hexdigest()) != spec.sha256:
        raise UsageError(
            f"the file of data set {spec.name} has sha256 {digest}, expected {spec.sha256}: it has changed"
        )
    frame = _frame(spec, content)
    labels = _labels(spec, frame, spec.targets or [])
    if spec.task == "classification" and not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        raise UsageError(
            f"data set {spec.name}: classification labels must be 0, 1 or empty; use dataset.task=regression?"
        )
    return Table(_column(spec, frame, str(spec.smiles_column)).fillna("").astype(str).tolist(), labels)


def read_content(spec: DatasetSpec) -> bytes:
    """Return the uncompressed bytes of the table."""
    if spec.asset is not None:
        asset = files("roftbench").joinpath("assets", "data", spec.asset)
        if not asset.is_file():
            raise UsageError(
                f"dataset.asset={spec.asset} is not among the bundled files; for a file of yours set dataset.path"
            )
        raw = asset.read_bytes()
    else:
        path = Path(str(spec.path)).expanduser()
        try:
            raw = path.read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(
                f"dataset.path={spec.path} cannot be read: {reason} (looked at {path.resolve()})"
            ) from None
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{spec.path or spec.asset} is a damaged gzip file: {error}") from None


def _frame(spec: DatasetSpec, content: bytes) -> pd.DataFrame:
    separator = "\t" if (spec.path or "").removesuffix(".gz").endswith((".tsv", ".tab")) else ","
    try:
        # As text: a SMILES such as "N" or "NaN" must survive, and labels are checked with their row below.
        frame = pd.read_csv(io.BytesIO(content), sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    except (ValueError, pd.errors.ParserError) as error:
        raise UsageError(f"data set {spec.path or spec.asset} is not a CSV table: {error}") from None
    if frame.empty:
        raise UsageError(f"data set {spec.path or spec.asset} has no rows")
    if not isinstance(frame.index, pd.RangeIndex):  # pandas took the first column for row names: all names are shifted
        raise UsageError(
            f"data set {spec.path or spec.asset}: the first row has more cells than the header has names. Name every"
            " column, and remove separators at the end of lines."
        )
    return frame


def _column(spec: DatasetSpec, frame: pd.DataFrame, name: str) -> "pd.Series[str]":
    if name not in frame.columns:
        raise UsageError(f"data set {spec.path or spec.asset} has no column '{name}'.{suggest(name, frame.columns)}")
    return frame[name]


def _labels(spec: DatasetSpec, frame: pd.DataFrame, targets: list[str]) -> NDArray[np.float64]:
    columns = []
    for name in targets:
        text = _column(spec, frame, name)
        values = pd.to_numeric(text, errors="coerce")
        wrong = text.notna() & (values.isna() | np.isinf(values))
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise UsageError(
                f"data set {spec.path or spec.asset}, column '{name}', data row {row + 1}: '{text.iloc[row]}' is not a"
                " finite number (leave the cell empty where a label is missing)"
            )
        columns.append(values.to_numpy(dtype=np.float64))
    return np.stack(columns, axis=1)


def _guess_smiles_column(spec: DatasetSpec, columns: list[str]) -> str:
    lowered = {name.strip().lower(): name for name in reversed(columns)}
    for name in SMILES_NAMES:
        if name in lowered:
            return lowered[name]
    raise UsageError(f"{spec.path} has no column called {', '.join(SMILES_NAMES)}: set dataset.smiles_column to one of"
                     f" {', '.join(columns)}")  # fmt: skip


def _guess_targets(spec: DatasetSpec, frame: pd.DataFrame, smiles_column: str) -> list[str]:
    numeric = [
        name
        for name in frame.columns
        if name != smiles_column
        and frame[name].notna().any()
        and pd.to_numeric(frame[name].dropna(), errors="coerce").notna().all()
    ]
    if len(numeric) != 1:
        found = f"numeric columns: {', '.join(numeric)}" if numeric else "no numeric column"
        raise UsageError(
            f"{spec.path} has {found}. Say which to predict: dataset.targets=[NAME] or 'dataset.targets=[A,B]'"
        )
    return numeric


def _guess_task(labels: NDArray[np.float64]) -> str:
    return "classification" if np.isin(labels[~np.isnan(labels)], (0, 1)).all() else "regression"
