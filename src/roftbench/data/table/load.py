"""Tables of SMILES and labels, published or the user's: open settings guessed, and rows read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from roftbench.data.config import PART_NAMES, DatasetSpec
from roftbench.data.smiles import BLANKS, MAX_ATOMS
from roftbench.data.table import infer
from roftbench.data.table.absent import with_absent
from roftbench.data.table.beside import cautions, reading_notes
from roftbench.data.table.labels import as_classes, as_numbers, check_thousands, label_cells, reject
from roftbench.data.table.own_file import own_content, own_file, unpacked_content
from roftbench.data.table.reader import Sheet, open_sheet
from roftbench.data.table.relations import relation_column, with_relations
from roftbench.errors import UsageError
from roftbench.formatting import printable_name
from roftbench.store import downloads
from roftbench.store.checksums import sha256
from roftbench.store.downloads import Places

READING = 2  # raise it when cells of user tables are read differently; see `_reading_version`
GROUPED = 3  # the same, for cells of the column that a split reads
NAMED = 4  # the same, for names after a blank that may hold SMILES
_MAYBE_SMILES = r"[ \t]([+.>)=]|.*[ \t]\S*[=#(\[@])"  # after a blank; what was once a name
DEFAULT_METRIC = {"regression": "rmse", "classification": "roc_auc"}

# Completed specs by file, as a sweep completes the same table for each of its jobs.
_COMPLETED: dict[tuple[str, int, int, str], tuple[DatasetSpec, list[str]]] = {}


@dataclass(frozen=True)
class Table:
    """All R rows of a file.

    Attributes:
        smiles: SMILES as written, [R].
        labels: labels, [R, T] float64, NaN where missing.
        parts: "train", "val", "test" or "" (no part) per row, [R]; None without a split column.
        targets: names of the T label columns.
        cells: cells of the column that the split reads (`group_column`), [R]; None without one.
        place: where the file was found.
        notes: remarks on how cells were read and on other columns, for readers of scores.
    """

    smiles: list[str]
    labels: NDArray[np.float64]
    parts: list[str] | None
    targets: list[str]
    place: str
    notes: tuple[str, ...] = ()
    cells: list[str] | None = None


def complete(spec: DatasetSpec, places: Places) -> tuple[DatasetSpec, list[str]]:
    """Return the spec with digest and all open settings guessed from the file, and the guesses in words.

    The spec of a published file has no open settings and is returned unchanged.

    Raises:
        UsageError: the file is missing or no table, or a setting cannot be guessed.
    """
    if spec.path is None:
        return spec, []
    path, status = own_file(spec.path)
    key = (str(path), status.st_mtime_ns, status.st_size, repr(spec))
    if key not in _COMPLETED:
        _COMPLETED[key] = _complete(spec, path)
    completed, guesses = _COMPLETED[key]
    return completed, list(guesses)


def _complete(spec: DatasetSpec, path: Path) -> tuple[DatasetSpec, list[str]]:
    if spec.classes and spec.task == "regression":
        problem = f"dataset.classes={spec.classes} goes with dataset.task=classification, not with regression"
        raise UsageError(problem, key="dataset.classes", got=spec.classes)
    content = unpacked_content(spec, path)
    digest = sha256(content)
    if spec.sha256 not in (None, digest):
        problem = f"dataset.path={spec.path} has sha256 {digest}, but dataset.sha256={spec.sha256}"
        raise UsageError(problem, key="dataset.sha256", got=spec.sha256)
    file = Path(str(spec.path)).name  # not that of `path`: a link may lead to a name without suffix
    sheet = open_sheet(str(spec.path), file, content)
    guesses = list(sheet.notes)
    done = replace(spec, name=spec.name or printable_name(file.split(".")[0]) or "table", sha256=digest)
    if sheet.own_graphs is not None:
        done = _without_smiles(done, sheet)
    elif spec.smiles_column is None:
        done = replace(done, smiles_column=infer.smiles_column(sheet))
        guesses += infer.smiles_in_words(sheet, str(done.smiles_column))
    used = (None, done.smiles_column, *(spec.targets or []))
    if spec.split_column is None and (split := infer.split_column(sheet)) not in used:
        done = replace(done, split_column=split)
        guesses.append(f"split column {split}")
    _check_columns(done, sheet)
    if spec.targets is None:
        targets, left_out = infer.targets(done, sheet)
        done = replace(done, targets=targets)
        guesses += [*left_out, f"targets {', '.join(targets)}"]
    resolved = infer.resolved_targets(done, sheet)
    if (signs := _guessed_signs(done, sheet, resolved)) is not None:
        done = replace(done, relation_column=signs)
        guesses.append(f"signs of the labels {signs}")
    task, classes = infer.task(done, sheet, resolved)
    check_thousands(done, sheet, resolved if task == "regression" else [])
    if commas := [name for name in resolved if name in sheet.commas]:
        guesses.append(f"decimal comma in {', '.join(commas)}")
    guesses += _task_in_words(spec, task, classes)
    done = replace(done, unlabeled=_has_unlabeled(done, sheet, resolved))
    done = replace(done, reading_version=_reading_version(done, sheet))
    try:
        return replace(done, task=task, classes=classes, metric=spec.metric or DEFAULT_METRIC[task]), guesses
    except UsageError as error:  # a metric that was given for the other task
        hint = f"The labels look like {task}: set dataset.task otherwise."
        raise UsageError(
            f"dataset.{error.message}", key="dataset.metric", got=error.got, allowed=error.allowed, hint=hint
        ) from None


def _without_smiles(spec: DatasetSpec, sheet: Sheet) -> DatasetSpec:
    """Return the spec of graphs without SMILES; their numbers take the place of the SMILES."""
    if spec.strip_salts or spec.smiles_column not in (None, sheet.names[0]):
        key = "dataset.strip_salts" if spec.strip_salts else "dataset.smiles_column"
        raise UsageError(f"{key}: the graphs of {spec.path} have no SMILES", key=key)
    return replace(spec, smiles_column=sheet.names[0], own_graphs=list(sheet.own_graphs or ()))


def _check_columns(spec: DatasetSpec, sheet: Sheet) -> None:
    """Raise UsageError unless the table has the columns of the spec beside its targets."""
    for field in ("smiles_column", "split_column", "group_column", "relation_column"):
        if (name := getattr(spec, field)) is not None:
            sheet.position(name, "split.column" if field == "group_column" else f"dataset.{field}")


def _guessed_signs(spec: DatasetSpec, sheet: Sheet, targets: Sequence[str]) -> str | None:
    """Return the column of signs of a single target, where `dataset.censored` asks for their treatment."""
    if spec.relation_column is not None or spec.censored == "error" or len(targets) > 1:
        return None
    return relation_column(sheet, (spec.smiles_column, spec.split_column, spec.group_column, *targets))


def _has_unlabeled(spec: DatasetSpec, sheet: Sheet, targets: Sequence[str]) -> bool:
    """Return whether a row of a single task has no label."""
    if len(targets) > 1:
        return False
    [cells] = sheet.columns([targets[0]])
    return bool(pc.any(pc.equal(label_cells(spec, sheet, targets[0], cells).cells, "")).as_py())


def _reading_version(spec: DatasetSpec, sheet: Sheet) -> int | None:
    """Return READING, GROUPED or NAMED if earlier rules gave other molecules, training rows or parts: keys differ then.

    They differ if a SMILES cell holds a blank, an atom map, a character outside printable ASCII or very many atoms, if
    a row of a single task has no label, and with a column that a split reads, if rows are merged or if one of its cells
    begins or ends with a blank.
    """
    [smiles] = sheet.columns([str(spec.smiles_column)])
    text = pc.utf8_trim(smiles, characters=BLANKS)
    if pc.any(pc.match_substring_regex(text, _MAYBE_SMILES)).as_py():
        return NAMED
    if spec.group_column is not None:
        [groups] = sheet.columns([spec.group_column])
        padded = pc.any(pc.not_equal(groups, pc.utf8_trim_whitespace(groups))).as_py()
        if padded or spec.duplicates != "keep":
            return GROUPED
    differs = pc.any(pc.match_substring_regex(text, r"[^!-~]|:[0-9]+\]")).as_py() or (
        (pc.max(pc.utf8_length(text)).as_py() or 0) > MAX_ATOMS
    )
    return READING if differs or spec.unlabeled else None


def _task_in_words(spec: DatasetSpec, task: str, classes: list[str] | None) -> list[str]:
    meaning = f"{classes[0]} = 0, {classes[1]} = 1" if classes else ""
    if spec.task is None:
        return [f"task {task} ({meaning})" if meaning else f"task {task}"]
    return [f"classes {meaning}"] if meaning and spec.classes is None else []


def read_table(spec: DatasetSpec, places: Places) -> Table:
    """Return SMILES, labels and parts of all rows of a completed spec, in file order.

    Published rows that the bundled copy lacks are inserted without SMILES and label, so that row numbers are those of
    the published file.

    Raises:
        UsageError: the file cannot be found or read, its content is not as expected, or a label cannot be used.
    """
    sheet, place = open_table(spec, places)
    targets = infer.resolved_targets(spec, sheet)
    split = [spec.split_column] if spec.split_column is not None else []
    group = [spec.group_column] if spec.group_column is not None else []
    relation = [spec.relation_column] if spec.relation_column is not None else []
    used = [str(spec.smiles_column), *targets, *split, *group, *relation]
    beside = [] if spec.path is None else [at for at, name in enumerate(sheet.names) if name not in used]
    smiles, *others = sheet.load([*map(sheet.position, used), *beside])
    texts = _smiles(sheet, str(spec.smiles_column), smiles)
    rest = dict(zip((sheet.names[at] for at in beside), others[len(used) - 1 :], strict=True))
    parts = _parts(sheet, split[0], others[len(targets)]) if split else None
    cells: list[str] | None = None
    if group:
        cells = pc.utf8_trim_whitespace(others[len(targets) + len(split)]).to_numpy().tolist()
    read = [label_cells(spec, sheet, *column) for column in zip(targets, others, strict=False)]
    bounds = list[str]()
    if relation:
        read, bounds = with_relations(spec, sheet, others[len(used) - 2], read)
    columns = zip(targets, (one.cells for one in read), strict=True)
    labels = np.stack([_labels(spec, sheet, *column) for column in columns], axis=1)
    notes = (*reading_notes(spec, read), *bounds, *cautions(spec, targets, labels, rest)) if spec.path else ()
    if np.isnan(labels).all():
        raise UsageError(
            f"{sheet.what} has no label at all in {', '.join(targets)}: all cells are empty", key=", ".join(targets)
        )
    if place == "bundled" and spec.absent_rows:
        texts, labels, parts = with_absent(spec, texts, labels, parts)
    for what, expected, came in (("rows", spec.rows, len(labels)), ("num_tasks", spec.num_tasks, len(targets))):
        if expected not in (None, came):
            problem = f"{sheet.what} has {came} {what.removeprefix('num_')}, but dataset.{what}={expected}"
            raise UsageError(problem, key=f"dataset.{what}", got=expected)
    return Table(texts, labels, parts, targets, place, notes, cells)


def open_table(spec: DatasetSpec, places: Places) -> tuple[Sheet, str]:
    """Return the table of a completed spec and where it was found; raises UsageError if it is missing or another."""
    if spec.path is None:
        found = downloads.read(spec.source(), places)
        return open_sheet(f"data set {spec.name} ({found.place})", str(spec.file), found.content), found.place
    content = own_content(spec)
    return open_sheet(spec.path, Path(spec.path).name, content), spec.path


def _smiles(sheet: Sheet, name: str, cells: pa.ChunkedArray) -> list[str]:
    row = pc.index(pc.match_substring_regex(cells, "[\n\r]"), True).as_py()
    if row >= 0:
        text = cells[row].as_py()[:80]
        problem = (
            f"{sheet.what}, column '{name}', data row {row + 1}: {text!r}… goes over lines: close the quote, or take"
            " the line end out of the cell"
        )
        raise UsageError(problem, key=name, got=cells[row].as_py())
    texts: list[str] = cells.to_numpy().tolist()
    return texts


def _parts(sheet: Sheet, name: str, cells: pa.ChunkedArray) -> list[str]:
    words = list(PART_NAMES)
    trimmed = pc.utf8_trim_whitespace(cells)
    index = pc.index_in(pc.utf8_lower(trimmed), value_set=pa.array(words))
    row = pc.index(pc.is_null(index), True).as_py()
    if row >= 0:
        problem = (
            f"{sheet.what}, column '{name}', data row {row + 1}: '{trimmed[row].as_py()[:80]}' is no part. Allowed:"
            f" {', '.join(filter(None, words))}, or an empty cell for a row in no part."
        )
        raise UsageError(problem, key=name, got=trimmed[row].as_py())
    normal = np.array(list(PART_NAMES.values()), dtype=object)
    parts: list[str] = normal[index.to_numpy()].tolist()
    return parts


def _labels(spec: DatasetSpec, sheet: Sheet, name: str, trimmed: pa.ChunkedArray) -> NDArray[np.float64]:
    if spec.task == "classification" and spec.classes:
        values = as_classes(trimmed, spec.classes)
        reject(sheet, name, trimmed, values, f"one of the classes {spec.classes[0]} and {spec.classes[1]}")
        return values
    values = as_numbers(trimmed)
    reject(sheet, name, trimmed, values, "a finite number")
    if spec.task == "classification":
        values = np.where(np.isin(values, (0, 1)) | np.isnan(values), values, np.inf)
        reject(sheet, name, trimmed, values, "0 or 1, as classes are; use dataset.task=regression?")
    return values
