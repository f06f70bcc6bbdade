"""One row per job, for `roftbench list runs`."""

from collections.abc import Iterable
from typing import Any

from roftbench.formatting import score_text
from roftbench.store.record_schema import Failure, RecordSummary


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
        "labels": job["label_ratio"]["name"],
        "train": job["train"]["name"],
        "seed": job["seed"],
        "metric": metric,
        "val": _rounded(scores.val[metric]) if scores else None,
        "test": _rounded(scores.test[metric]) if scores else None,
    }


def _rounded(value: float | None) -> float | None:
    """Return a score as `list runs` shows it: four decimals, or four significant digits for unusual magnitudes."""
    return None if value is None else float(score_text(value, 4))
