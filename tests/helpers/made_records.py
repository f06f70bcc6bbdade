"""Records with the scores that a test gives them."""

from typing import Any

from roftbench.store.record_schema import CandidateResult, Count, DataResult, PartScores, Record, RecordSummary

Pair = tuple[float | None, float | None]


def record(
    method: str = "l2_sp",
    dataset: str = "esol",
    seed: int = 0,
    candidates: dict[float | None, Pair] | None = None,
    key: str | None = None,
    **changes: Any,
) -> RecordSummary:
    """A record; `candidates`: weight -> (val, test); `changes`: part__field=value."""
    metric, task = ("roc_auc", "classification") if dataset in {"bace", "bbbp"} else ("rmse", "regression")
    candidates = candidates or {0.1: (1.0, 1.0)}
    job: dict[str, Any] = {
        "protocol": 1,
        "featurizer": 1,
        "model": {"name": "gin"},
        "method": {"name": method, "target": f"roftbench.methods.{method}", "search": False, "grid": {}},
        "dataset": {"name": dataset, "task": task, "metric": metric, "sha256": f"{dataset}-file"},
        "split": {"name": "scaffold", "target": "s", "params": {"seed": 42, "sizes": [0.8, 0.1, 0.1]}},
        "label_ratio": {"name": "full", "fraction": None},
        "train": {"name": "paper", "epochs": 100, "loss": "rmse" if task == "regression" else "bce"},
        "seed": seed,
    }
    job["method"]["params"] = {"weight": 1.0} if None not in candidates else {}
    for path, value in changes.items():
        part, _, field = path.partition("__")
        if field:
            job[part][field] = value
        else:
            job[part] = value
    return RecordSummary(
        key=key or f"{method}-{dataset}-{seed}-{'-'.join(map(str, candidates))}",
        job=job,
        candidates=[
            CandidateResult({} if weight is None else {"weight": weight}, {metric: val}, {metric: test})
            for weight, (val, test) in candidates.items()
        ],
    )


def whole(**parts: Any) -> Record:
    """A record with its bulk, in which a test gives the parts that matter to it."""
    empty: dict[str, Any] = {
        "key": "k",
        "job": {},
        "scores": PartScores({}, {}, {}),
        "base": None,
        "chosen": {},
        "candidates": [],
        "best_epoch": None,
        "details": {},
        "history": [],
        "count": Count(),
        "data": DataResult(),
        "seconds": {"total": 1.0},
        "env": {},
    }
    return Record(**{**empty, **parts})


def runs(method: str, dataset: str, scores: list[float | None], **changes: Any) -> list[RecordSummary]:
    """One record per seed, without hyperparameters; scores are the test scores."""
    return [record(method, dataset, seed, {None: (1.0, score)}, **changes) for seed, score in enumerate(scores)]
