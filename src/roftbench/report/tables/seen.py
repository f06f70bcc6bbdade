"""Mark of scores on a data set whose labels the model's pretraining saw, from the configs of models."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from roftbench.config.model_cards import model_cards
from roftbench.config.registry import default_folder

MARK = " ‡‡"
SEEN = "‡‡ pretraining saw this task ({}): not a score on unseen labels."
UNKNOWN = "Whether the pretraining of {} saw labels of these data sets is not known."
BASELINE = " · "  # between a model and the baseline on it, in tables whose rows are models
_Row = dict[Any, Any]  # of a data frame


def mark_of(row: _Row) -> str:
    """Return the mark of a cell with scores, or ""."""
    return MARK if row["n"] and row["dataset"] in (_seen().get(_model(row)) or ()) else ""


def seen_notes(rows: Iterable[_Row]) -> list[str]:
    """Return the notes of a table's cells; none if no cell is marked."""
    scored = [row for row in rows if row["n"]]
    marked: dict[str, list[str]] = {}
    for row in filter(mark_of, scored):
        marked.setdefault(_model(row), []).append(row["dataset"])
    if not marked:
        return []
    named = "; ".join(f"{model}: {', '.join(sorted(set(datasets)))}" for model, datasets in sorted(marked.items()))
    unknown = sorted({model for model in map(_model, scored) if _seen().get(model) is None})
    return [SEEN.format(named), *([UNKNOWN.format(", ".join(unknown))] if unknown else [])]


def seen_by(models: Iterable[str]) -> dict[str, list[str] | None]:
    """Return the data sets whose labels each model's pretraining saw; None: not known, as of names without a config."""
    return {name: _seen().get(name) for name in sorted(set(models))}


def _model(row: _Row) -> str:
    """Return the model of a row, which with models as rows may be "model · baseline"."""
    return str(row["model"]).partition(BASELINE)[0]


def _seen() -> dict[str, list[str] | None]:
    return _seen_of(default_folder())


@cache
def _seen_of(folder: Path | None) -> dict[str, list[str] | None]:
    return {card.name: card.labels_seen() for card in model_cards(folder).values()}
