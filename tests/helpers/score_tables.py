"""Long tables of given scores, made by the records' own way."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from made_records import runs
from msgspec.structs import replace

from roftbench.report.aggregate import cells, long_table
from roftbench.store.record_schema import RecordSummary

LABELS = {"n50": 50, "n100": 100, "n500": 500, "full": 902}
Scores = Sequence[float | None]


def long_of(*parts: list[RecordSummary]) -> pd.DataFrame:
    """The long table of records, with the training labels that the name of the label ratio gives."""
    long = long_table([record for part in parts for record in part])
    return long.assign(labels=[LABELS[re.split("[- ]", name)[0]] for name in long["label_ratio"]])


def of(
    method: str,
    dataset: str,
    scores: Scores,
    labels: str = "full",
    split: str = "scaffold",
    model: str = "gin",
    **more: Any,
) -> list[RecordSummary]:
    """One record per seed."""
    names = {"model": {"name": model}, "split": {"name": split}, "label_ratio": {"name": labels}}
    records = runs(method, dataset, list(scores), **{**names, **more})
    return [replace(record, key=f"{record.key}-{labels}-{split}-{model}-{more}") for record in records]


def table_of(scores: Mapping[str, Mapping[str, float | None]], **names: Any) -> pd.DataFrame:
    """Cells of one seed each: method -> data set -> score. Data sets named bace or bbbp are ROC-AUC, others RMSE."""
    return cells(long_of(*(of(m, d, [x], **names) for m, row in scores.items() for d, x in row.items())))
