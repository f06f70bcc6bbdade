"""Records with given scores, and the boards that are made of them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from roftbench.config.registry import options
from roftbench.report.query import Request
from roftbench.report.tables.board import Board
from roftbench.report.tables.layout import Leaderboard
from roftbench.store.record_schema import (
    CandidateResult,
    Count,
    DataResult,
    Failure,
    LabelCount,
    LabelStatistics,
    RecordSummary,
)

METRICS = {"esol": ("regression", "rmse"), "lipo": ("regression", "rmse"), "bace": ("classification", "roc_auc")}
METRICS["bbbp"] = METRICS["bace"]


_options = cache(options)


def part(group: str, name: str) -> dict[str, Any]:
    """A part of a job as the shipped config gives it."""
    config = _options(group).get(name, {"_target_": name})
    params = {
        field: config[field] for field in ("num_layers", "dim", "dropout", "fractions", "seed") if field in config
    }
    return {"name": name, "target": config["_target_"], "params": params, "sha256": config.get("sha256")}


def runs(
    method: str,
    dataset: str,
    tests: Sequence[float | None],
    weights: tuple[float, ...] = (),
    epochs: int = 100,
    metric: str = "",
) -> list[RecordSummary]:
    """A record per seed; every weight is a candidate, each better on validation than the one before it."""
    task, metric = METRICS[dataset][0], metric or METRICS[dataset][1]
    sign = 1 if task == "classification" else -1
    params: list[dict[str, float]] = [{"weight": weight} for weight in weights] or [{}]
    job = {
        "protocol": 1,
        "model": part("model", "gin_masking"),
        "method": {**part("method", method), "search": len(weights) > 1, "params": params[0], "grid": {}},
        "dataset": {"name": dataset, "task": task, "metric": metric},
        "split": part("split", "scaffold"),
        "label_ratio": {"name": "full", "seed": 42},
        "train": {"name": "paper", "epochs": epochs, "loss": None},
    }
    labels = LabelCount(weights=90, selection=10, interpolation=10 if method == "roftmol" else 0)
    return [
        RecordSummary(
            key=f"{method}-{dataset}-{epochs}-{metric}-{seed}",
            job={**job, "seed": seed},
            candidates=[CandidateResult(p, {metric: sign * i}, {metric: test}) for i, p in enumerate(params)],
            count=Count(labels=labels),
            data=DataResult(sha256=f"{dataset}-sha", rows=101, kept=100),
            env={"roftbench": "0.1.0", "commit": "abc", "torch": "2.4", "device": "cpu", "threads": 1},
            seconds={"total": 1.5},
            peak_memory_mb=100.0,
            trained_parameters=4481,
        )
        for seed, test in enumerate(tests)
    ]


def changed(record: RecordSummary, key: str, **parts: Any) -> RecordSummary:
    """The record with another key, and other parts of its job."""
    return replace(record, key=key, job={**record.job, **parts})


def forests(dataset: str, tests: list[float | None], **job: Any) -> list[RecordSummary]:
    """Records of a random forest on ECFP."""
    own = {"model": part("model", "ecfp"), "train": {"name": "none"}, "fingerprint": {"version": 1}, **job}
    found = runs("random_forest", dataset, tests)
    return [changed(one, f"{one.key}-{sorted(job)}", **own) for one in found]


def searched(
    method: str, dataset: str, tried: dict[float, tuple[float, float]], mae: dict[float, float] | None = None
) -> list[RecordSummary]:
    """Two seeds of a search; `tried`: weight -> (val, test) by RMSE."""
    found = runs(method, dataset, [0.0, 0.0], weights=tuple(tried))
    for record in found:
        for one, (weight, (val, test)) in zip(record.candidates, tried.items(), strict=True):
            one.val["rmse"] = val
            one.test.update({"rmse": test, **({"mae": mae[weight]} if mae else {})})
    return found


def ended(
    records: list[RecordSummary], status: Literal["failed", "skipped"] = "failed", error: str = "killed"
) -> list[Failure]:
    """The same jobs without a result."""
    return [Failure(key=f"{one.key}-{status}", status=status, job=one.job, error=error, env=one.env) for one in records]


def example() -> list[RecordSummary]:
    """Three methods; esol complete, BSS short of a seed on lipo, no LP and an undefined score on bace."""
    return [
        *runs("my_method", "esol", [1.0, 1.2]),
        *runs("my_method", "lipo", [0.7, 0.7]),
        *runs("bss", "esol", [0.9, 0.9], weights=(1.0, 0.1)),
        *runs("bss", "lipo", [0.1], weights=(1.0,)),
        *runs("lp", "esol", [2.0, 2.0]),
        *runs("lp", "lipo", [0.8, 0.6]),
        *runs("bss", "bace", [0.5, None]),
        *runs("full_ft", "bace", [0.8, 0.9]),
        *runs("roftmol", "bace", [0.8, 0.8]),
    ]


def every_form() -> tuple[list[RecordSummary], list[Failure]]:
    """The example with seconds and spreads of labels, fewer labels, more models, baselines, and jobs without result."""
    more = [
        *runs("roftmol", "esol", [0.7, 0.8]),
        *runs("roftmol", "lipo", [0.6, 0.7]),
        *runs("full_ft", "esol", [1.5, 1.4]),
    ]
    scores = {"full_ft": [2.4, 2.6], "lp": [2.5, 2.3], "bss": [2.1, 2.2], "roftmol": [2.0, 1.8]}
    small = [
        changed(one, f"{one.key}-n50", label_ratio={"name": "n50", "count": 50, "seed": 42})
        for method, values in scores.items()
        for one in runs(method, "esol", values)
    ]
    models = [
        changed(one, f"{one.key}-{model}", model=part("model", model))
        for model, values in (("scratch", [2.6, 2.8]), ("admet_ai", [1.0, 1.3]))
        for method in ("lp", "roftmol")
        for one in runs(method, "bbbp" if model == "admet_ai" else "esol", [value / 2 for value in values])
    ]
    null = [
        changed(one, f"{one.key}-mean", method={**one.job["method"], **part("method", "mean")})
        for one in forests("esol", [2.1, 2.1])
    ]
    spreads = {
        "esol": LabelStatistics(sd=2.05, min=-11.6, max=1.58),
        "lipo": LabelStatistics(sd=1.2, min=-1.5, max=4.5),
        **dict.fromkeys(("bace", "bbbp"), LabelStatistics(positives=0.4567)),
    }
    records = [
        replace(
            one,
            seconds={"ft": 2.0, "total": 2.5},
            cpu_seconds={"ft": 1.5, "total": 2.0},
            data=replace(one.data, test_labels=spreads[one.name("dataset")], noise=0.6 if "esol" in one.key else None),
        )
        for one in [*example(), *more, *small, *models, *forests("esol", [0.9, 0.9]), *null]
    ]
    failures = [
        *ended(runs("l2_sp", "esol", [0.0, 0.0]), error="the loss is NaN"),
        *ended(runs("surgical_ft", "lipo", [0.0]), "skipped", "no block layer9 in this encoder."),
    ]
    return records, failures


def board_of(records: list[RecordSummary], *words: str, failures: Sequence[Failure] = ()) -> Board:
    return Board.create(records, list(failures), Request.parse(words)[0], Path("somewhere"))


def computed(records: list[RecordSummary], *words: str, failures: Sequence[Failure] = ()) -> Leaderboard:
    return Leaderboard.create(board_of(records, *words, failures=failures))


def tables_of(text: str) -> list[str]:
    return text.partition("\nRanks are")[0].splitlines()
