"""Rows of `roftbench list runs`: one per job, by date."""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Any

from roftbench.formatting import score_text
from roftbench.report.query import Request
from roftbench.report.records import each_record
from roftbench.store.results import Record, Store


def dated_rows(store: Store, request: Request) -> list[dict[str, Any]]:
    """Return the jobs of a store that pass a request's filters, each with its date, oldest first, as plain values."""
    dated = []
    for record in each_record(store):
        if request.passes(record):
            done, key = record["status"] == "done", record["key"]
            path = store.record_path(key) if done else store.failure_path(key)
            dated.append((path.stat().st_mtime if path.exists() else 0.0, _row(record)))
    dated.sort(key=lambda one: one[0])
    return [{"date": f"{datetime.fromtimestamp(when):%Y-%m-%dT%H:%M}", **row} for when, row in dated]


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
    """Return a score with four decimals, or with four significant digits where its size is unusual."""
    return None if value is None else float(score_text(value, 4))
