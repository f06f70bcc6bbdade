"""The cells whose predictions are shown together: those of one data set, split and number of labels."""

from dataclasses import dataclass

import pandas as pd

from roftbench.report.aggregate import CELL, complete_losses, selected
from roftbench.report.format import method_name, newest
from roftbench.report.statistics.paired import REFERENCE

SHOWN = 3  # cells side by side in a figure
NULL_MODEL = "mean"
_GROUP = ["task", "dataset", "split", "label_ratio", "terms"]


@dataclass(frozen=True)
class Cell:
    """A method of a model with the keys of its jobs; `name` is unique in the group."""

    name: str
    method: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Cells with the same test molecules.

    Attributes:
        task: "regression" or "classification".
        dataset: name of the data set; likewise `split` and `label_ratio`.
        suffix: what distinguishes this group from others of the same names, else "".
        cells: the shown cells, the best first.
        others: number of cells that are not shown.
    """

    task: str
    dataset: str
    split: str
    label_ratio: str
    suffix: str
    cells: tuple[Cell, ...]
    others: int


def count_groups(long: pd.DataFrame) -> int:
    """Return the number of `groups`, without aggregating anything."""
    return len(long[["dataset", "terms"]].drop_duplicates())


def groups(long: pd.DataFrame, table: pd.DataFrame) -> list[Group]:
    """Return the groups of a `long_table` and its `cells`, regression first, in the order of their names.

    Shown are the best cell, the best of the reference method and the best baseline, and where these are fewer than
    SHOWN cells, the next best ones. Cells that lack seeds come last, and so does the null model.
    """
    chosen = selected(long).sort_values("replicate", kind="stable")
    keys = chosen.groupby(CELL)["key"].agg(tuple)
    table = table.assign(loss=complete_losses(table), null=table["method"] == NULL_MODEL)
    several = table.groupby(_GROUP[:-1])["terms"].transform("nunique") > 1
    table["suffix"] = table["terms"].str[:8].where(several, "")
    found = []
    for key, rows in table.groupby(_GROUP):
        ordered = rows.sort_values(["null", "loss", "setting", "method"], na_position="last")
        cells = [
            Cell(name, row["method"], keys[tuple(row[part] for part in CELL)])
            for name, row in zip(_names(ordered), ordered.to_dict("records"), strict=True)
        ]
        shown = [cells[at] for at in _shown(ordered)]
        task, dataset, split, ratio = map(str, key[:-1])
        suffix = str(ordered["suffix"].iloc[0])
        found.append(Group(task, dataset, split, ratio, suffix, tuple(shown), len(cells) - len(shown)))
    return sorted(
        found, key=lambda one: (one.task != "regression", one.dataset, one.split, one.label_ratio, one.suffix)
    )


def _shown(ordered: pd.DataFrame) -> list[int]:
    """Return the positions of the shown rows of a group, whose best is the first, in their order."""
    reference = ordered["method"] == newest(REFERENCE, ordered["method"])
    first = [int(mask.to_numpy().argmax()) for mask in (reference, ordered["baseline"].astype(bool)) if mask.any()]
    wanted = dict.fromkeys([0, *first, *range(len(ordered))])
    return sorted(list(wanted)[:SHOWN])


def _names(rows: pd.DataFrame) -> list[str]:
    """Return the name of each cell: method and model, and the training setting where it distinguishes cells."""
    names = [f"{method_name(method)} · {model}" for method, model in zip(rows["method"], rows["model"], strict=True)]
    trains = rows.groupby(["method", "model"])["train"].transform("nunique") > 1
    return [
        f"{name} · {train}" if more else name for name, train, more in zip(names, rows["train"], trains, strict=True)
    ]
