"""One row a job, for `roftbench list runs`."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from roftbench.formatting import score_text
from roftbench.store.results import Record


def run_rows(records: Iterable[Record], failures: Iterable[Record] = ()) -> list[dict[str, Any]]:
    """Return finished, failed and skipped jobs as rows of plain values."""
    return [_row(record) for record in chain(records, failures)]


def _row(record: Record) -> dict[str, Any]:
    job = record["job"]
    metric = job["dataset"]["metric"]
    scores = record.get("scores")
    return {
        "key": record["key"],
        "status": record["status"],
        "model": job["model"]["name"],
        "method": job["method"]["name"],
        "dataset": job["dataset"]["name"],
        "split": job["split"]["name"],
        "split_seed": job["split"]["params"].get("seed"),
        "labels": job["label_ratio"]["name"],
        "train": job["train"]["name"],
        "seed": job["seed"],
        "metric": metric,
        "val": _rounded(scores["val"][metric]) if scores else None,
        "test": _rounded(scores["test"][metric]) if scores else None,
    }


def _rounded(value: float | None) -> float | None:
    """The number that `list runs` shows of a score: four decimals, or of an unusual size four significant digits."""
    return None if value is None else float(score_text(value, 4))
