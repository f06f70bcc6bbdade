"""Names and values under which trackers log a job."""

from collections.abc import Iterator
from typing import Any

from roftbench.config.job import Job
from roftbench.store.record_schema import Epoch, Failure, Record

PARTS = ("train", "val", "test")


def title(job: Job) -> str:
    """Return what names a job for a reader: model, method, data set, number of labels and seed."""
    parts = job.model.name, job.method.name, job.dataset.name, job.split.name, job.label_ratio.name
    return " · ".join([*map(str, parts), f"seed {job.seed}"])


def config_of(job: Job) -> dict[str, Any]:
    """Return the configuration of a job by dotted keys; values that are empty or None are left out."""
    return {"key": job.key, **dict(_flat(job.identity(), ""))}


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _flat(one, f"{prefix}.{name}" if prefix else str(name))
    elif value is not None and value != []:
        yield prefix, value if isinstance(value, bool | int | float | str) else str(value)


def values_of(epoch: Epoch, candidate: int | None, metric: str) -> dict[str, float]:
    """Return the defined numbers of an epoch by names such as "ft/train_loss" and "candidate2/ft/val_rmse"."""
    stage = epoch.stage if candidate is None else f"candidate{candidate}/{epoch.stage}"
    found = {f"{stage}/train_loss": epoch.train_loss, f"{stage}/val_{metric}": epoch.val_score}
    return {name: value for name, value in found.items() if value is not None}


def final_scores(record: Record) -> dict[str, float]:
    """Return the defined scores of a finished job by names such as "test/rmse"."""
    parts = ((part, getattr(record.scores, part)) for part in PARTS)
    return {f"{part}/{name}": value for part, scores in parts for name, value in scores.items() if value is not None}


def status_of(result: Record | Failure | None) -> str:
    """Return how a job ended: "done", "failed", "skipped" or "interrupted"."""
    return "interrupted" if result is None else result.status
