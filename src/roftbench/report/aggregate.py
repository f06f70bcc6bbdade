"""Records -> long table -> cells (mean, std, n over seeds) -> average ranks."""

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd

from roftbench.losses import DEFAULT_LOSS
from roftbench.metrics import METRICS

PARTS = ["model", "split", "label_ratio", "train"]
CELL = ["setting", "dataset", "method"]


def canonical_json(value: object) -> str:
    """One text for equal values: keys sorted, and 1.0 written as 1, as a grid may hold either."""
    return json.dumps(_integers_as_int(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def long_table(records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per finished record and candidate.

    Columns: setting (hash of model, split, label ratio, training settings, protocol and featurizer), their names,
    terms (hash of the setting without model and training), baseline (whether the model is a fingerprint), dataset,
    task, metric, method, params (canonical JSON), seed, val, test (NaN = undefined), key. Contents
    that share a name get the fields in which they differ appended: "paper (epochs=30)". The same candidate of
    a search job and of a single job is one row, the one of the smaller key. Raises ValueError for an unknown
    metric.
    """
    done = sorted((r for r in records if r["status"] == "done"), key=lambda record: str(record["key"]))
    jobs = [_named_parts(record["job"]) for record in done]
    labels = {part: _distinct_labels([job[part] for job in jobs]) for part in [*PARTS, "dataset", "method"]}
    rows = []
    for i, (record, job) in enumerate(zip(done, jobs, strict=True)):
        shared: dict[str, Any] = {part: labels[part][i] for part in labels}
        shared |= {"setting": _hash({part: job[part] for part in PARTS}), "terms": _hash(_terms(job))}
        shared |= {"baseline": "fingerprint" in record["job"]}
        rows += [{**shared, **row} for row in _candidate_rows(record)]
    columns = ["setting", *PARTS, "terms", "baseline", "dataset", "task", "metric"]
    columns += ["method", "params", "seed", "val", "test", "key"]
    table = pd.DataFrame(rows, columns=columns).astype({"val": float, "test": float})  # None -> NaN
    return table.drop_duplicates([*CELL, "params", "seed"], ignore_index=True)


def select(long: pd.DataFrame) -> pd.DataFrame:
    """The hyperparameters with the best mean validation score over seeds, one row per cell.

    Only among the params with the most seeds; an undefined validation score in any seed is worst; equal means
    go to the first params in the order of their text. The test scores are not read.
    Columns: setting, dataset, method, params.
    """
    groups = [*CELL, "metric", "params"]
    means = long.sort_values("seed").groupby(groups).agg(val=("val", _mean), n=("seed", "size")).reset_index()
    means["loss"] = means["val"] * sign(means["metric"])
    order = means.sort_values(
        [*CELL, "n", "loss", "params"], ascending=[True, True, True, False, True, True], na_position="last"
    )
    return order.drop_duplicates(CELL, ignore_index=True)[[*CELL, "params"]]


def cells(long: pd.DataFrame) -> pd.DataFrame:
    """Test scores of the selected params over seeds, one row per (setting, dataset, method).

    Columns: setting, model, split, label_ratio, train, terms, baseline, task, dataset, metric, method, params, mean,
    std, n, tuned (the hyperparameters that had other candidates, as text). The standard deviation is the population's
    (ddof 0), the convention of the field and of the paper. A score undefined in any seed makes mean and std
    NaN: it is never left out of an average.
    """
    chosen = long.merge(select(long), on=[*CELL, "params"]).sort_values("seed")
    groups = ["setting", *PARTS, "terms", "baseline", "task", "dataset", "metric", "method", "params"]
    table = chosen.groupby(groups).agg(mean=("test", _mean), std=("test", _std), n=("seed", "size")).reset_index()
    candidates = long.groupby(CELL)["params"].unique().to_dict()
    keys = zip(*(table[column] for column in CELL), strict=True)
    table["tuned"] = [_tuned(params, candidates[key]) for params, key in zip(table["params"], keys, strict=True)]
    return table


def sign(metrics: "pd.Series[str]") -> "pd.Series[int]":
    """-1 where a higher score is better, so that score x sign is lower for the better one."""
    return metrics.map({name: -1 if metric.higher_is_better else 1 for name, metric in METRICS.items()})


def mean_rank(table: pd.DataFrame) -> pd.DataFrame:
    """Average rank over data sets of each method of `cells`, per setting and task (ties share the mean rank).

    Columns: setting, task, method, average_rank, datasets (over how many). Ranked are the data sets for which
    every method of the table has all seeds. A method short of seeds, missing a data set, or undefined where
    another is not, has no rank (NaN), but remains a rival where it is ranked; a data set that is undefined for
    every method is left out for all. A baseline has a setting of its own, for its model, and no rank there.
    """
    rows = [
        {"setting": setting, "task": task, "method": method, "average_rank": rank, "datasets": datasets}
        for (setting, task), group in table.groupby(["setting", "task"])
        for method, rank, datasets in _ranks(group)
    ]
    return pd.DataFrame(rows, columns=["setting", "task", "method", "average_rank", "datasets"])


def _ranks(table: pd.DataFrame) -> list[tuple[str, float, int]]:
    """(method, average rank, number of data sets) of one table."""
    methods = sorted(table["method"].unique())
    defined = table.groupby("dataset")["mean"].transform("count") > 0
    loss = (table["mean"] * sign(table["metric"])).where(table["n"] == table["n"].max())
    losses = table.assign(loss=loss)[defined].pivot(index="method", columns="dataset", values="loss")
    losses = losses.reindex(methods)
    shared = losses.loc[:, losses.notna().all()]
    ranked = losses.notna().all(axis="columns") & (not table["baseline"].any())
    ranks = shared.rank().mean(axis="columns").where(ranked)
    return [(method, float(ranks[method]), shared.shape[1]) for method in methods]


def _named_parts(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The parts of a job that decide where its scores belong."""
    train = dict(job["train"])
    if train.get("loss") == DEFAULT_LOSS[job["dataset"]["task"]]:
        train["loss"] = None  # filled in by the task: regression and classification share the user's one setting
    # Versions that change what a number means belong to the setting. Of a method, the params have a column of
    # their own, and search and grid decide nothing about a candidate.
    return {
        **{part: job[part] for part in ("model", "split", "label_ratio", "dataset")},
        "train": {**train, "protocol": job["protocol"], "featurizer": job.get("featurizer")},
        "method": {field: job["method"][field] for field in ("name", "target")},
    }


def _terms(job: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What must be equal of two settings for their scores to stand in one table, whatever was trained."""
    versions = {field: job["train"][field] for field in ("protocol", "featurizer")}
    return {"split": job["split"], "label_ratio": job["label_ratio"], **versions}


def _hash(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def _candidate_rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    job = record["job"]
    metric = job["dataset"]["metric"]
    if metric not in METRICS:
        raise ValueError(f"record {record['key']}: unknown metric {metric!r}; one of {', '.join(METRICS)}")
    shared = {"key": record["key"], "task": job["dataset"]["task"], "metric": metric, "seed": job["seed"]}
    return [
        {
            **shared,
            "params": canonical_json({**job["method"]["params"], **candidate["params"]}),
            "val": candidate["val"][metric],
            "test": candidate["test"][metric],
        }
        for candidate in record["candidates"]
    ]


def _distinct_labels(parts: list[dict[str, Any]]) -> list[str]:
    """The name of each part, with the fields appended in which parts of one name differ."""
    variants: dict[str, dict[str, dict[str, Any]]] = {}
    for part in parts:
        variants.setdefault(part["name"], {})[canonical_json(part)] = _flat(part)
    fields = {name: _differing(list(contents.values())) for name, contents in variants.items()}
    return [
        f"{part['name']} ({_describe(_flat(part), fields[part['name']])})" if fields[part["name"]] else part["name"]
        for part in parts
    ]


def _tuned(params: str, candidates: list[str]) -> str:
    return _describe(json.loads(params), _differing([json.loads(text) for text in candidates]))


def _flat(part: dict[str, Any]) -> dict[str, Any]:
    """The same values without nesting: {"params": {"seed": 7}} becomes {"params.seed": 7}."""
    flat: dict[str, Any] = {}
    for field, value in part.items():
        flat |= {f"{field}.{k}": v for k, v in _flat(value).items()} if isinstance(value, dict) else {field: value}
    return flat


def _differing(variants: list[dict[str, Any]]) -> list[str]:
    fields = sorted({field for variant in variants for field in variant})
    return [field for field in fields if len({_text(variant, field) for variant in variants}) > 1]


def _describe(values: dict[str, Any], fields: list[str]) -> str:
    return ", ".join(f"{field}={_text(values, field)}" for field in fields)


def _text(values: dict[str, Any], field: str) -> str:
    if field not in values:
        return "unset"
    value = values[field]
    if field == "sha256":
        return str(value)[:8]
    return value if isinstance(value, str) else canonical_json(value)


def _integers_as_int(value: object) -> object:
    if isinstance(value, dict):
        return {key: _integers_as_int(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_integers_as_int(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# pandas' own mean and std skip NaN: an undefined seed would be averaged away.
def _mean(scores: "pd.Series[float]") -> float:
    return float(np.mean(scores.to_numpy()))


def _std(scores: "pd.Series[float]") -> float:
    return float(np.std(scores.to_numpy(), ddof=0))
