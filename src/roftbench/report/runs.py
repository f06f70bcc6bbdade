"""Rows of `roftbench list runs`: one per job, by date."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from roftbench.formatting import score_text
from roftbench.report.query import Request
from roftbench.report.records import each_record
from roftbench.store.record_schema import Failure, RecordSummary
from roftbench.store.results import Store


def dated_rows(store: Store, request: Request) -> list[dict[str, Any]]:
    """Return the jobs of a store that pass a request's filters, each with its date, oldest first, as plain values."""
    dated = []
    for result in each_record(store):
        if request.passes(result):
            failed = isinstance(result, Failure)
            path = store.failure_path(result.key) if failed else store.record_path(result.key)
            dated.append((path.stat().st_mtime if path.exists() else 0.0, _row(result)))
    dated.sort(key=lambda one: one[0])
    return [{"date": f"{datetime.fromtimestamp(when):%Y-%m-%dT%H:%M}", **row} for when, row in dated]


def run_rows(results: Iterable[RecordSummary | Failure]) -> list[dict[str, Any]]:
    """Return finished, failed and skipped jobs as rows of plain values."""
    return [_row(result) for result in results]


def _row(result: RecordSummary | Failure) -> dict[str, Any]:
    job, metric = result.job, result.metric
    scores = result.scores if isinstance(result, RecordSummary) else None
    return {
        "key": result.key,
        "status": result.status,
        "model": job["model"]["name"],
        "method": job["method"]["name"],
        "dataset": job["dataset"]["name"],
        "split": job["split"]["name"],
        "split_seed": job["split"]["params"].get("seed"),
        "fold": job["split"]["params"].get("fold"),
        "labels": job["label_ratio"]["name"],
        "train": job["train"]["name"],
        "seed": job["seed"],
        "metric": metric,
        "val": _rounded(scores.val[metric]) if scores else None,
        "test": _rounded(scores.test[metric]) if scores else None,
    }


def _rounded(value: float | None) -> float | None:
    """Return a score with four decimals, or with four significant digits where its size is unusual."""
    return None if value is None else float(score_text(value, 4))
