"""What pretraining gives a method: the pair on random weights, the sign, and the percentage."""

from typing import Any

import pytest
from made_records import record
from msgspec.structs import replace

from roftbench.report.aggregate import cells, long_table
from roftbench.report.pretrain_gain import Gain, pretrain_gains
from roftbench.store.record_schema import CandidateResult, RecordSummary

PARAMS = {"num_layers": 5, "dim": 300}


def run(sha256: str | None, scores: dict[float, float], dataset: str = "esol", **changes: Any) -> RecordSummary:
    model = {"name": "m" if sha256 else "scratch", "target": "gin", "params": PARAMS, "sha256": sha256}
    found = record(
        "l2_sp", dataset, candidates={w: (1.0, score) for w, score in scores.items()}, model=model, **changes
    )
    return replace(found, key=f"{sha256}-{dataset}-{scores}-{changes}")


def test_gain_is_positive_where_pretraining_helps_in_either_direction_of_a_metric() -> None:
    records = [run("a", {1.0: 0.8}), run(None, {1.0: 1.0}), run("a", {1.0: 0.9}, "bace"), run(None, {1.0: 0.6}, "bace")]
    found = pretrain_gains(records)
    assert {key: gain for (key, _), gain in found.items()} == {
        records[0].key: Gain(pytest.approx(0.2), pytest.approx(20)),
        records[2].key: Gain(pytest.approx(0.3), pytest.approx(50)),
    }


def test_candidates_are_paired_by_their_hyperparameters_whether_searched_or_not() -> None:
    searched = run("a", {1.0: 0.8, 0.1: 0.5, 0.2: 0.4}, method__search=True, method__grid={"weight": [1.0, 0.1, 0.2]})
    plain = [run(None, {weight: score}) for weight, score in ((1, 1.0), (0.1, 0.4))]
    found = pretrain_gains([searched, *plain])
    assert {params: gain.score for (_, params), gain in found.items()} == {
        '{"weight":1}': pytest.approx(0.2),
        '{"weight":0.1}': pytest.approx(-0.1),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"protocol": 2},
        {"featurizer": 2},
        {"split__params": {"seed": 7}},
        {"label_ratio__name": "n50"},
        {"train__epochs": 3},
        {"method__name": "other"},
        {"model": {"name": "scratch", "target": "gin", "params": {**PARAMS, "rescale": True}, "sha256": None}},
        {"model": {"name": "scratch", "target": "gcn", "params": PARAMS, "sha256": None}},
    ],
)
def test_a_job_that_differs_in_more_than_its_weights_is_no_pair(changes: dict[str, Any]) -> None:
    other = run(None, {1.0: 1.0})
    job = {**other.job, **{part: changes[part] for part in changes if "__" not in part}}
    for path, value in changes.items():
        part, _, field = path.partition("__")
        if field:
            job[part] = {**job[part], field: value}
    assert pretrain_gains([run("a", {1.0: 0.8}), other]) != {}
    assert pretrain_gains([run("a", {1.0: 0.8}), replace(other, job=job)]) == {}


def test_there_is_no_percentage_of_a_metric_that_may_be_negative_or_of_zero() -> None:
    pair = [run("a", {1.0: 0.8}), run(None, {1.0: 0.5})]
    by_r2 = [
        replace(
            one,
            job={**one.job, "dataset": {**one.job["dataset"], "metric": "r2"}},
            candidates=[CandidateResult({"weight": 1.0}, {"r2": 0.0}, {"r2": value})],
        )
        for one, value in zip(pair, (0.8, 0.5), strict=True)
    ]
    assert list(pretrain_gains(by_r2).values()) == [Gain(pytest.approx(0.3), None)]
    assert list(pretrain_gains([pair[0], run(None, {1.0: 0.0})]).values()) == [Gain(pytest.approx(-0.8), None)]


def test_a_cell_has_the_mean_gain_or_none_where_a_seed_lacks_its_pair() -> None:
    records = [run("a", {1.0: 0.8}), run("a", {1.0: 0.6}, seed=1), run(None, {1.0: 1.0}), run(None, {1.0: 1.0}, seed=1)]
    [row] = [one for one in cells(long_table(records)).to_dict("records") if one["model"] == "m"]
    assert (row["pretrain_gain"], row["pretrain_gain_percent"]) == (pytest.approx(0.3), pytest.approx(30))
    [row] = [one for one in cells(long_table(records[:3])).to_dict("records") if one["model"] == "m"]
    assert row["pretrain_gain"] != row["pretrain_gain"]
