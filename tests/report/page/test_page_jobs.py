"""Rows of jobs: shared values, rounding, and learning curves that fit."""

from itertools import pairwise
from typing import Any

import pytest
from given_page import behind
from lab import Lab
from made_records import whole
from msgspec.structs import replace

from roftbench.report.page.jobs import FEWEST, POINTS, Interned, data_of, fit_curves, job_row, params_of, short
from roftbench.store.record_schema import CandidateResult, DataResult, Epoch, PartScores, Record, Scores, plain

METRICS = ["rmse", "mae", "r2", "spearman", "pearson", "kendall"]


def shared() -> dict[str, Interned]:
    return {name: Interned() for name in ("params", "envs", "data", "warnings", "epochs")}


def trained(epochs: int, best: int, **more: Any) -> Record:
    """A record of one stage with a number of epochs."""
    scores: Scores = dict.fromkeys(METRICS, 1.0)
    given: dict[str, Any] = {
        "job": {"seed": 0, "method": {"params": {"weight": 1.0}}, "dataset": {"sha256": "d", "metric": "rmse"}},
        "candidates": [CandidateResult({}, scores, scores, best)],
        "scores": PartScores(scores, scores, scores),
        "best_epoch": best,
        "history": [Epoch("ft", i, 1 / i, 2 + i / 7) for i in range(1, epochs + 1)],
    }
    return whole(**{**given, **more})


def row_of(record: Record, values: dict[str, Interned] | None = None) -> dict[str, Any]:
    return job_row(record.summary(), record, METRICS, values or shared())


def test_the_best_by_validation_is_taken_for_chosen_where_a_record_does_not_say() -> None:
    tried = [(0.1, None), (0.2, 1.5), (0.3, 1.0), (0.4, 1.0)]
    candidates = [CandidateResult({"weight": w}, {"rmse": val}, {"rmse": val}) for w, val in tried]
    values = shared()
    row = job_row(trained(1, 1, candidates=candidates).summary(), None, METRICS, values)
    assert values["params"].values[row["chosen"]] == {"weight": 0.3}
    row = row_of(trained(1, 1, candidates=candidates, chosen={"weight": 0.2}), values)
    assert values["params"].values[row["chosen"]] == {"weight": 0.2}


def test_equal_values_have_one_place() -> None:
    interned = Interned()
    assert [interned.place(value) for value in ({"a": 1}, {"a": 2}, {"a": 1.0}, {"b": 1})] == [0, 1, 0, 2]
    assert interned.values == [{"a": 1}, {"a": 2}, {"b": 1}]


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), (float("nan"), None), (0.1234567, 0.123457), (123456789.0, 123457000.0)]
)
def test_numbers_keep_six_digits(value: float | None, expected: float | None) -> None:
    assert short(value) == expected


def test_row_holds_what_the_record_says(bench: Lab) -> None:
    record = behind(bench, model="tiny_gin", method="roftmol", dataset="esol", label_ratio="n50")[0]
    values = shared()
    row = row_of(record, values)
    [[place, best, val, test]] = row["candidates"]
    assert row["key"] == record.key
    assert row["chosen"] == place
    assert best == record.best_epoch
    assert val == [float(f"{record.scores.val[name]:.6g}") for name in METRICS]
    assert test == [float(f"{record.scores.test[name]:.6g}") for name in METRICS]
    assert values["params"].values[place] == record.job["method"]["params"]
    assert row["base"][:2] == ["full_ft", record.base.best_epoch]
    assert values["envs"].values[row["env"]] == record.env
    data = values["data"].values[row["data"]]
    assert data["sha256"] == record.data.sha256
    assert data["count"] == plain(record.count)
    assert data["dropped"] == len(record.data.dropped)
    [tuned, learned] = row["curves"]
    assert tuned[:2] == ["ft", [one.epoch for one in record.history]]
    assert tuned[2] == [float(f"{one.train_loss:.4g}") for one in record.history]
    assert learned[0] == "interpolation"
    assert len(learned[3]) == len(record.details["history"])


def test_candidate_has_the_fixed_params_too() -> None:
    record = trained(1, 1, job={"method": {"params": {"alpha": 0.5, "buffers": "interpolate"}}}).summary()
    assert params_of(record, {"alpha": 0.1}) == {"alpha": 0.1, "buffers": "interpolate"}


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("/data/me/my.csv", "my.csv"),
        ("data/me/my.csv", "my.csv"),
        ("bundled", "bundled"),
        ("package:MoleculeACE==3.0.0:Data/a.csv", "package:MoleculeACE==3.0.0:Data/a.csv"),
        ("https://a.org/b.csv", "https://a.org/b.csv"),
        (None, None),
    ],
)
def test_folders_of_a_table_are_not_published(place: str | None, shown: str | None) -> None:
    assert data_of(replace(trained(1, 1).summary(), data=DataResult(place=place)))["place"] == shown


def test_estimator_has_no_curves(bench: Lab) -> None:
    record = behind(bench, method="random_forest")[0]
    assert row_of(record)["curves"] == []


@pytest.mark.parametrize("best", [1, 57, 100])
def test_long_curve_keeps_first_best_and_last_epoch(best: int) -> None:
    [[_, epochs, losses, scores]] = row_of(trained(100, best))["curves"]
    assert len(epochs) == len(losses) == len(scores) <= POINTS
    assert epochs == sorted(set(epochs))
    assert {1, best, 100} <= set(epochs)
    assert max(b - a for a, b in pairwise(epochs)) <= 3  # evenly spread
    assert losses == [float(f"{1 / epoch:.4g}") for epoch in epochs]


def test_short_curve_is_whole() -> None:
    [[_, epochs, *_]] = row_of(trained(POINTS, 7))["curves"]
    assert epochs == list(range(1, POINTS + 1))


@pytest.mark.parametrize(("budget", "left"), [(4 * POINTS, POINTS), (4 * 10, 10), (4 * FEWEST, FEWEST)])
def test_curves_are_thinned_to_a_budget(budget: int, left: int) -> None:
    rows = [row_of(trained(100, best)) for best in (3, 50, 50, 99)]
    epochs = Interned()
    assert fit_curves(rows, epochs, budget) == left
    for row, best in zip(rows, (3, 50, 50, 99), strict=True):
        [[_, place, losses, _]] = row["curves"]
        kept = epochs.values[place]
        assert len(kept) == len(losses) <= left
        assert {1, best, 100} <= set(kept)
    assert rows[1]["curves"][0][1] == rows[2]["curves"][0][1]  # equal epochs are kept once


def test_budget_too_small_for_curves_keeps_none() -> None:
    rows = [row_of(trained(100, 3)) for _ in range(4)]
    assert fit_curves(rows, Interned(), 4 * FEWEST - 1) == 0
    assert [row["curves"] for row in rows] == [[], [], [], []]
