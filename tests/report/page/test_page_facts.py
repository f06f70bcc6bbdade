"""Counts, failures, protocols, settings and models in the report's page."""

from collections import Counter
from typing import Any

from lab import Lab

from roftbench import __version__
from roftbench.report.aggregate import long_table
from roftbench.report.page.facts import FAILURES, facts
from roftbench.report.page.jobs import Interned, job_row
from roftbench.report.records import read_records
from roftbench.report.tables.provenance import protocol_of

NAMES = ("params", "envs", "data", "warnings", "epochs")


def facts_of(lab: Lab, **changes: Any) -> dict[str, Any]:
    done, failures = read_records(lab.store)
    shared = {name: Interned() for name in NAMES}
    rows = [job_row(record, lab.store.get(record.key), ["rmse"], shared) for record in done]
    given = {"long": long_table(done), "done": done, "failures": failures, "jobs": rows, "envs": shared["envs"]}
    return facts(**{**given, **changes})


def test_counts_are_of_finished_jobs(bench: Lab) -> None:
    found = facts_of(bench)
    records = bench.store.load()
    hours = sum(record.seconds["total"] for record in records) / 3600
    counted = {"jobs": 30, "models": 3, "methods": 5, "datasets": 2, "seeds": 2, "failed": 1, "skipped": 0}
    assert found["counts"] == {**counted, "hours": round(hours, 2)}
    assert found["version"] == __version__
    assert found["env_jobs"] == [30]


def test_failures_say_why(bench: Lab) -> None:
    [failure] = bench.store.load_failures()
    [row] = facts_of(bench)["failures"]
    assert (row["key"], row["method"], row["error"]) == (failure.key, "BSS", failure.error)
    assert row["error"]


def test_very_many_failures_are_cut(bench: Lab) -> None:
    _, [failure] = read_records(bench.store)
    found = facts_of(bench, failures=[failure] * (FAILURES + 1))
    assert len(found["failures"]) == FAILURES
    assert found["counts"]["failed"] == FAILURES + 1


def test_settings_are_written_out(bench: Lab) -> None:
    named = {(row["part"], row["name"]): row["values"] for row in facts_of(bench)["named"]}
    assert list(dict.fromkeys(part for part, _ in named)) == ["train", "split", "label_ratio"]
    assert ("train", "none") not in named  # the baseline's
    train = named["train", "smoke"]
    assert (train["epochs"], train["batch_size"], train["lr"], train["loss"]) == (3, 32, 0.001, "the task's")
    assert named["split", "scaffold"] == {"fractions": [0.8, 0.1, 0.1], "seed": 42}
    assert named["label_ratio", "n100"]["count"] == 100
    assert "fraction" not in named["label_ratio", "n100"]  # what is not set is not listed


def test_models_and_protocols_of_all_jobs(bench: Lab) -> None:
    found = facts_of(bench)
    records = bench.store.load()
    assert [model["name"] for model in found["sources"]] == ["ecfp", "scratch", "tiny_gin"]
    versions = Counter((protocol_of(record.job), record.job["featurizer"]) for record in records)
    assert found["protocols"] == [{"protocol": p, "featurizer": f, "jobs": n} for (p, f), n in versions.items()]
