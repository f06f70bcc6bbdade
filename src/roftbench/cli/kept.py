"""`roftbench list kept`: the saved models that have names."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from roftbench.console import shown
from roftbench.errors import UsageError
from roftbench.formatting import byte_size, cut, printable_name, score_text
from roftbench.predict.kept import WHOLE, KeptRow, kept_rows
from roftbench.report.query import Request
from roftbench.store.names import Names
from roftbench.store.results import MODELS, Store

HEADER = ("name", "data (labels)", "task", "score", "date", "size")
SHORTENED = (1, 2)  # columns that give way
LEAST = 8
WIDTH = 100
GAP = "  "


def show_kept(results: Path, names: Sequence[str], filters: Sequence[str], *, as_json: bool) -> int:
    """Print one line per kept model, or the details of those with some names; returns 0.

    Raises:
        UsageError: A name or a filter is unknown.
    """
    store = Store(results)
    known = Names(store).all()
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no kept model is named '{unknown[0]}'", key="model", got=unknown[0], allowed=known)
    request, _ = Request.parse(filters)
    rows = [row for row in kept_rows(store, request.filters) if not names or row.name in names]
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return 0
    if names:
        lines = [line for row in rows for line in _details(row, store)]
    else:
        lines = [*(_table(rows) if rows else [_none(store, filters)]), *([] if filters else _unnamed(store, rows))]
    for line in lines:
        print(printable_name(line))
    return 0


def _none(store: Store, filters: Sequence[str]) -> str:
    which = f" with {' '.join(filters)}" if filters else ""
    hint = "" if filters else "; run.keep=NAME of roftbench run gives a name"
    return f"no kept models{which} under {store.root}{hint}"


def _unnamed(store: Store, rows: Sequence[KeptRow]) -> list[str]:
    """Return a line with the number of saved models that have no name, none if all have one."""
    found = {path.parent.name for path in (store.root / MODELS).glob("*/model.json")}
    count = len(found - {key for row in rows for key in row.keys})
    return [f"{count} more without a name, in {MODELS}/ of the results folder"] if count else []


def _details(row: KeptRow, store: Store) -> list[str]:
    facts = {"": row.status} if row.status != WHOLE else {
        "data": f"{row.parts['dataset']}, {row.labels:,} training labels, split {row.parts['split']}",
        "task": f"{row.task} of {', '.join(row.targets)}",
        "model": f"{row.parts['model']} · {row.parts['method']}",
        "score": _score(row),
        "size": byte_size(row.size),
    }  # fmt: skip
    folders = [shown(store.model_path(key)) for key in row.keys]
    found = {**facts, "date": row.date, "folder": ", ".join(folders)}
    return [row.name, *(f"  {label:<8}{text}" for label, text in found.items() if text)]


def _table(rows: Sequence[KeptRow]) -> list[str]:
    """Return lines of at most `WIDTH` characters; the longer of the columns that may be shortened gives way."""
    texts = [list(HEADER), *([printable_name(text) for text in _cells(row)] for row in rows)]
    widths = [max(len(line[i]) for line in texts) for i in range(len(HEADER))]
    while sum(widths) + len(GAP) * (len(widths) - 1) > WIDTH:
        widest = max(SHORTENED, key=lambda i: widths[i])
        if widths[widest] <= LEAST:
            break
        widths[widest] -= 1
    return [
        GAP.join(cut(text, width).ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in texts
    ]


def _cells(row: KeptRow) -> list[str]:
    if row.status != WHOLE:
        return [row.name, row.status, "", "", row.date, ""]
    targets = f"{len(row.targets)} tasks" if len(row.targets) > 1 else row.targets[0]
    data = f"{row.parts['dataset']} ({row.labels:,})"
    return [row.name, data, f"{row.task}: {targets}", _score(row), row.date, byte_size(row.size)]


def _score(row: KeptRow) -> str:
    spread = "" if row.std is None else f" ± {score_text(row.std)}"
    seeds = f" × {row.seeds} seeds" if row.seeds > 1 else ""
    alone = f", each of {len(row.keys)} alone" if len(row.keys) > 1 else ""  # together they may be better
    judged = f"{row.folds} folds{seeds}" if row.folds > 1 else f"test{alone}"
    return f"{row.metric} {score_text(row.score)}{spread}, {judged}"
