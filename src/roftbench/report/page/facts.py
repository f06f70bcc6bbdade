"""Facts of the report's page: counts, data, models, machines, failures."""

from collections import Counter
from typing import Any

import pandas as pd

from roftbench.__about__ import __version__
from roftbench.metrics import DEFAULT_LOSS
from roftbench.report.cell_key import canonical_json
from roftbench.report.format import method_name
from roftbench.report.page.jobs import Interned
from roftbench.report.runs import run_rows
from roftbench.report.tables.provenance import protocol_of
from roftbench.store.record_schema import Failure, RecordSummary

FAILURES = 500  # rows of one page, at most
NAMED = ("train", "split", "label_ratio")
_Data = dict[str, Any]


def facts(
    long: pd.DataFrame, done: list[RecordSummary], failures: list[Failure], jobs: list[_Data], envs: Interned
) -> _Data:
    """Return "counts", "failures", "protocols", "named" settings, "sources" (of models), "env_jobs" and "version".

    `long` is the `long_table` of `done`; `jobs` are its rows of the page; `envs` holds their environments, of
    which "env_jobs" counts the jobs.
    """
    used = Counter(job["env"] for job in jobs)
    shown = failures[:FAILURES]
    return {
        "version": __version__,
        "counts": _counts(done, failures),
        "failures": [
            {**row, "method": method_name(row["method"]), "error": failure.error}
            for row, failure in zip(run_rows(shown), shown, strict=True)
        ],
        "protocols": _protocols(done),
        "named": _named(long, done),
        "sources": _sources(done),
        "env_jobs": [used[place] for place in range(len(envs.values))],
    }


def _counts(done: list[RecordSummary], failures: list[Failure]) -> _Data:
    names = {part: {record.name(part) for record in done} for part in ("model", "method", "dataset", "seed")}
    return {
        "jobs": len(done),
        "models": len(names["model"]),
        "methods": len(names["method"]),
        "datasets": len(names["dataset"]),
        "seeds": len(names["seed"]),
        "failed": sum(failure.status == "failed" for failure in failures),
        "skipped": sum(failure.status == "skipped" for failure in failures),
        "hours": round(sum(record.seconds.get("total", 0.0) for record in done) / 3600, 2),
    }


def _protocols(done: list[RecordSummary]) -> list[_Data]:
    found = Counter((protocol_of(record.job), record.job.get("featurizer")) for record in done)
    return [{"protocol": p, "featurizer": f, "jobs": n} for (p, f), n in sorted(found.items(), key=str)]


def _named(long: pd.DataFrame, done: list[RecordSummary]) -> list[_Data]:
    """Return the values behind the names of training settings, splits and label ratios."""
    job_of = {record.key: record.job for record in done}
    found = {}
    for row in long.drop_duplicates("setting").to_dict("records"):
        job = job_of[row["key"]]
        for part in NAMED:
            values = {**job[part], **({"loss": "the task's"} if part == "train" and _usual_loss(job) else {})}
            found[part, row[part]] = {name: value for name, value in _flat(values).items() if value is not None}
    order = sorted(found, key=lambda name: (NAMED.index(name[0]), name[1]))
    # Names without values are those of baselines, which are not trained in epochs.
    return [{"part": part, "name": name, "values": found[part, name]} for part, name in order if found[part, name]]


def _usual_loss(job: _Data) -> bool:
    return bool(job["train"].get("loss") == DEFAULT_LOSS[job["dataset"]["task"]])


def _flat(values: _Data) -> _Data:
    """Return the settings without name and class."""
    own = {name: value for name, value in values.items() if name not in ("name", "target", "params")}
    return {**own, **values.get("params", {})}


def _sources(done: list[RecordSummary]) -> list[_Data]:
    """Return the models with the identifiers of their weights."""
    models = {}
    for record in done:
        model = record.job["model"]
        fields = {name: model.get(name) for name in ("name", "sha256", "git_blob", "target")}
        models[canonical_json(model)] = {**fields, "graphs": record.job.get("graphs", {}).get("name")}
    return sorted(models.values(), key=lambda model: (model["name"], str(model["sha256"])))
