"""Guesses of columns, task and classes of a user's table, and their wording."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rdkit import rdBase

from roftbench.data.config import ALL_OTHERS, PART_NAMES, DatasetSpec
from roftbench.data.smiles import is_smiles
from roftbench.data.table.identifiers import identifier_kind
from roftbench.data.table.labels import almost_numeric, as_classes, as_numbers, hint, label_cells, reject
from roftbench.data.table.reader import Sheet
from roftbench.data.table.relations import RELATIONS, signs
from roftbench.errors import UsageError
from roftbench.overrides import as_needed, quoted_list, shell_word

SMILES_NAMES = ("smiles", "canonical_smiles", "mol", "structure", "molecule")
CLASS_WORDS = (
    ("inactive", "active"), ("no", "yes"), ("false", "true"), ("negative", "positive"), ("non-toxic", "toxic"),
    ("n", "y"), ("f", "t"), ("-", "+"),
)  # fmt: skip
LEFT_OUT = {
    "row number": "looks like a row number",
    "identifier": "looks like an identifier",
    "split": "no cell of it names a part: train, val, test",
}
SEVERAL = 12  # most distinct words of a text column that may be an outcome
MOSTLY = 0.8  # share of the cells examined
# Kinds of columns that can be targets, by task, in order of preference.
TARGET_KINDS: dict[str | None, tuple[tuple[str, ...], ...]] = {
    None: (("binary", "number", "class"), ("two texts",)),
    "regression": (("binary", "number"),),
    "classification": (("binary", "class"), ("number",), ("two texts",)),
}


def resolved_targets(spec: DatasetSpec, sheet: Sheet) -> list[str]:
    """Return the names of the target columns, with "*" resolved to all other columns."""
    roles = {spec.split_column: "split", spec.group_column: "split", spec.smiles_column: "SMILES"}
    roles[spec.relation_column] = "sign"
    targets = spec.targets or []
    if targets == [ALL_OTHERS]:
        targets = [name for name in sheet.names if name not in roles]
    for name in targets:
        sheet.position(name)
        if name in roles:
            problem = f"dataset.targets: '{name}' is the {roles[name]} column of {sheet.what}, not a label"
            raise UsageError(problem, key="dataset.targets", got=name)
    return targets


def smiles_column(sheet: Sheet, key: str = "dataset.smiles_column") -> str:
    """Return the column with a common name and SMILES in it, or else the only one whose first cells are SMILES.

    Args:
        sheet: the table.
        key: setting that the message of an error suggests.

    Raises:
        UsageError: there is no such column, or several.
    """
    lowered = {name.strip().lower(): name for name in reversed(sheet.names)}
    usual = [lowered[name] for name in SMILES_NAMES if name in lowered]
    for name in usual:
        if "smiles" in name.lower() or _are_smiles(_given(sheet.columns([name])[0])[:50].to_pylist()):
            return name  # a name with SMILES is trusted
    columns = zip(sheet.names, sheet.load(range(len(sheet.names))), strict=True)
    found = [name for name, cells in columns if _are_smiles(_given(cells)[:50].to_pylist())]
    if usual and not found:
        return usual[0]  # problems of rows are reported when graphs are made
    found = [name for name in found if "smiles" in name.lower()] or found
    if len(found) == 1 and not _are_smiles(found):
        return found[0]
    if len(found) == 1:
        problem = f"{sheet.what} has SMILES below '{found[0]}', which is one, too: add a header line such as smiles,y"
        raise UsageError(problem, key=key)
    if found:
        problem = f"has {len(found)} columns of SMILES:"
    else:
        problem = f"has no column called {', '.join(SMILES_NAMES)}, and none that holds SMILES:"
    raise UsageError(f"{sheet.what} {problem} set {key} to one of {_listed(found or sheet.names)}", key=key)


def smiles_in_words(sheet: Sheet, name: str, key: str = "dataset.smiles_column") -> list[str]:
    """Return the guess of a SMILES column in words, and other columns that hold SMILES of several letters."""
    others = [at for at, other in enumerate(sheet.names) if other != name]
    columns = zip(others, (_given(cells)[:20].to_pylist() for cells in sheet.load(others)), strict=True)
    likely = [(sheet.names[at], texts) for at, texts in columns if not any(_is_number(text) for text in texts[:3])]
    found = [other for other, texts in likely if any(len(text) > 1 for text in texts) and _are_smiles(texts)]
    also = [f"column {other} holds SMILES, too, and is not read ({key}={as_needed(other)} reads it)" for other in found]
    return [f"SMILES column {name}", *also]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[\d.,]+([eE][+-]?\d+)?", text) is not None


def _are_smiles(texts: list[str]) -> bool:
    """Return whether most texts are SMILES, as real tables contain a few that are not."""
    with rdBase.BlockLogs():
        parsed = sum(map(is_smiles, texts))
    return bool(texts) and parsed >= MOSTLY * len(texts)


def split_column(sheet: Sheet) -> str | None:
    """Return the column named split that holds names of parts, or None.

    Raises:
        UsageError: it holds names of parts and other texts.
    """
    for name in sheet.names:
        if _is_split(name) and sheet.names.count(name) == 1:
            words = pc.unique(pc.utf8_lower(_given(sheet.columns([name])[0]))).to_pylist()
            others = [word for word in words if word not in PART_NAMES]
            if words and not others:
                return name
            if set(words) & set(PART_NAMES):
                problem = (
                    f"{sheet.what}: column '{name}' looks like the parts of a split, but holds '{others[0][:80]}', too."
                    f" Allowed: {', '.join(filter(None, PART_NAMES))}, or an empty cell. Or rename the column."
                )
                raise UsageError(problem, key=name, got=others[0])
    return None


def _is_split(name: str) -> bool:
    return name.strip().lower() == "split"


def targets(spec: DatasetSpec, sheet: Sheet) -> tuple[list[str], list[str]]:
    """Return the target columns, given SMILES and split columns, and the columns left out, in words."""
    if sheet.labels:
        return [*sheet.labels], []
    others = (spec.smiles_column, spec.split_column, spec.group_column, spec.relation_column)
    places = [at for at, name in enumerate(sheet.names) if name not in others]
    names = [sheet.names[at] for at in places]
    loaded = zip(names, sheet.load(places), strict=True)
    columns = [label_cells(spec, sheet, name, cells).cells for name, cells in loaded]
    kinds = [_kind(name, cells, spec.classes) for name, cells in zip(names, columns, strict=True)]
    pools = (("class",),) if spec.classes else TARGET_KINDS[spec.task]
    pool = next((pool for pool in pools if set(pool) & set(kinds)), ())
    found = [name for name, kind in zip(names, kinds, strict=True) if kind in pool]
    left_out = [
        f"left out {name or 'the column without a name'} ({LEFT_OUT[kind]})"
        for name, kind in zip(names, kinds, strict=True)
        if kind in LEFT_OUT
    ]
    beside = [name for name, kind in zip(names, kinds, strict=True) if name not in found and kind not in LEFT_OUT]
    unused = [f"columns not used: {_listed(beside)}"] if beside else []
    for name in found:
        sheet.position(name)
    texts = [pair for kind, *pair in zip(kinds, names, columns, strict=True) if kind == "text"]
    if found and (reasons := "; ".join(filter(None, (almost_numeric(*pair, looks=False) for pair in texts)))):
        raise UsageError(
            f"{sheet.what}: {reasons}",
            key="dataset.targets",
            hint=f"Correct it if it is to be predicted, or give the labels: 'dataset.targets=[{found[0]}]'",
        )
    _ask_for_outcome(sheet, spec, found, texts)
    many = {"class"} if spec.classes else {"binary"}  # several of these are tasks of one data set
    if len(found) == 1 or (found and spec.task != "regression" and set(kinds) & set(pool) == many):
        return found, left_out + unused
    if found:
        problem = f"{len(found)} columns that can be labels, {_listed(found)}"
    else:
        wanted = f"no column of {' and '.join(spec.classes)}" if spec.classes else "no numeric column to predict"
        read = zip(names, columns, kinds, strict=True)
        almost = [almost_numeric(name, cells) for name, cells, kind in read if kind != "signs"]
        why = [*left_out, *filter(None, almost)][:5]
        problem = f"{wanted} ({'; '.join(why)})" if why else wanted
    quoted = quoted_list(found[:2])
    example = f" (here {shell_word('dataset.targets', quoted)})" if "'" in quoted else ""
    raise UsageError(
        f"{sheet.what} has {problem}. Say what to predict: dataset.targets=[A] or 'dataset.targets=[A,B]'{example}",
        key="dataset.targets",
    )


def _ask_for_outcome(sheet: Sheet, spec: DatasetSpec, found: Sequence[str], texts: Iterable[Sequence[Any]]) -> None:
    """Raise UsageError if a column of text holds the words of two classes and others."""
    for name, cells in texts if spec.task != "regression" and not spec.classes else ():
        words = pc.unique(_given(cells)).to_pylist()
        lowered = {word.lower() for word in words}
        for pair in CLASS_WORDS if len(words) <= SEVERAL else ():
            if set(pair) < lowered:
                others = [word for word in words if word.lower() not in pair]
                numbers = [shell_word("dataset.targets", quoted_list(found[:1]))] if found else []
                outcome = (("dataset.targets", [name]), ("dataset.na_values", others))
                ways = [*numbers, " ".join(shell_word(key, quoted_list(given)) for key, given in outcome)]
                raise UsageError(
                    f"{sheet.what}: {f'{_listed(found)} can be a label, but ' if found else ''}'{name}' holds"
                    f" {', '.join(words)}. Say what to predict: {', or '.join(ways)}",
                    key="dataset.targets",
                )


def _kind(name: str, cells: pa.ChunkedArray, classes: Sequence[str] | None) -> str:
    kind = _content_kind(cells, classes)
    if _is_split(name) and kind != "empty":
        return "split"
    if (named := identifier_kind(name)) and kind not in ("empty", "text"):
        return "text" if kind == "two texts" else named
    return kind


def _content_kind(cells: pa.ChunkedArray, classes: Sequence[str] | None) -> str:
    values = as_numbers(cells)
    known = values[~np.isnan(values)]
    if not len(known):
        return "empty"
    if classes and not np.isinf(as_classes(cells, classes)).any():
        return "class"
    if np.isfinite(known).all():
        if np.isin(known, (0, 1)).all():
            return "binary"
        counts_up = len(values) > 2 and float(values[0]).is_integer() and (np.diff(values) == 1).all()
        return "row number" if counts_up else "number"
    texts = set(pc.unique(pc.utf8_lower(_given(cells))).to_pylist())
    if any(texts == set(pair) for pair in CLASS_WORDS):
        return "class"
    if len(texts) != 2 or np.isfinite(known).any():
        return "text"
    return "signs" if set(pc.unique(signs(_given(cells))).to_pylist()) <= RELATIONS else "two texts"


def task(spec: DatasetSpec, sheet: Sheet, targets: Sequence[str]) -> tuple[str, list[str] | None]:
    """Return the task, and the texts of the negative and the positive class if these are not 0 and 1."""
    if spec.classes is not None or spec.task == "regression":
        return spec.task or "classification", spec.classes
    named = zip(targets, sheet.columns(targets), strict=True)
    columns = [label_cells(spec, sheet, name, cells).cells for name, cells in named]
    together = pa.chunked_array([chunk for cells in columns for chunk in cells.chunks], pa.string())
    values = as_numbers(together)
    known, count = np.unique(values[~np.isnan(values)], return_counts=True)
    if not len(known):
        raise UsageError(f"{sheet.what} has no label at all in {_listed(targets)}", key=", ".join(targets))
    if np.isinf(values).any():
        return "classification", _word_classes(sheet, targets, columns)
    if np.isin(known, (0, 1)).all():
        return "classification", None
    if spec.task is None and known.tolist() == [-1, 0, 1]:
        raise UsageError(
            f"{sheet.what}: the labels of {_listed(targets)} are -1, 0 and 1. Some published files have classes -1 and"
            " 1 and write 0 where a label is missing: then empty the cells that hold 0. Otherwise set"
            " dataset.task=regression.",
            key="dataset.task",
        )
    if len(known) == 2 and (spec.task or count.sum() > 2):  # two rows with a number each are not classes
        return "classification", [together[int((values == value).argmax())].as_py() for value in known]
    if spec.task == "classification":
        problem = (
            f"{sheet.what}: classification labels must be 0, 1 or empty, or have two values; {_listed(targets)}"
            f" {'has' if len(targets) == 1 else 'have'} {len(known)}. Use dataset.task=regression?"
        )
        raise UsageError(problem, key="dataset.task", got=spec.task)
    return "regression", None


def _word_classes(sheet: Sheet, targets: Sequence[str], columns: Iterable[pa.ChunkedArray]) -> list[str]:
    written: dict[str, str] = {}
    for name, cells in zip(targets, columns, strict=True):
        values = as_numbers(cells)
        for text in pc.unique(_given(cells)).to_pylist():
            written.setdefault(text.lower(), text)
        if len(written) > 2 or np.isfinite(values).any():
            reject(sheet, name, cells, values, "a finite number")
    for negative, positive in CLASS_WORDS:
        if set(written) == {negative, positive}:
            return [written[negative], written[positive]]
    raise UsageError(
        f"{sheet.what}: the labels of {_listed(targets)} are {' and '.join(written.values())}. Say which is which:"
        f" 'dataset.classes=[NEGATIVE,POSITIVE]'{hint(written.values())}",
        key="dataset.classes",
    )


def _given(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(cells)
    return trimmed.filter(pc.not_equal(trimmed, ""))


def _listed(names: Sequence[str]) -> str:
    names = [name or "(no name)" for name in names]
    more = f", … ({len(names)} in all)" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more
