"""What the page shows: cells, ranks and what was tried, equal to those of the tables."""

import json
import math
import random
from typing import Any

import pytest
from boards import runs
from folds import three
from lab import Lab
from page_bench import ALPHAS

from roftbench.report.aggregate import cells, long_table, mean_rank
from roftbench.report.page.data import page_data
from roftbench.report.query import Request
from roftbench.report.records import read_records
from roftbench.report.tables.board import Board
from roftbench.report.tables.layout import Leaderboard
from roftbench.store.record_schema import RecordSummary


@pytest.fixture(scope="module")
def data(bench: Lab) -> dict[str, Any]:
    done, failures = read_records(bench.store)
    return page_data(bench.store, done, failures, long_table(done))


def named(data: dict[str, Any], row: list[Any]) -> tuple[str, str, str]:
    setting, dataset, method = row[:3]
    return (
        data["settings"][setting]["setting"],
        data["datasets"][dataset]["dataset"],
        data["methods"][method]["id"],
    )


@pytest.mark.whole
def test_order_of_records_changes_nothing(bench: Lab, data: dict[str, Any]) -> None:
    done, failures = read_records(bench.store)
    random.Random(0).shuffle(done)
    again = page_data(bench.store, done, failures, long_table(done))
    assert json.dumps(again) == json.dumps(data)


def test_data_are_plain_json(data: dict[str, Any]) -> None:
    text = json.dumps(data, allow_nan=False)
    assert json.dumps(json.loads(text)) == text


@pytest.mark.parametrize("metric", ["rmse", "mae", "spearman", "kendall", "roc_auc", "brier", "mcc"])
def test_cells_by_every_metric(bench: Lab, data: dict[str, Any], metric: str) -> None:
    table = cells(long_table(bench.store.load(), metric))
    assert len(table)
    rows = {named(data, row): row for row in data["cells"]}
    for cell in table.to_dict("records"):
        row = rows[cell["setting"], cell["dataset"], cell["method"]]
        place = data["metrics_of"][cell["task"]].index(metric)
        mean, std = row[7][place]
        assert (row[3], mean, std) == (cell["n"], pytest.approx(cell["mean"], rel=1e-15), pytest.approx(cell["std"]))
        keys = {data["jobs"][job]["key"] for job in row[6]}
        assert len(keys) == cell["n"]


@pytest.mark.parametrize("metric", ["rmse", "mae", "roc_auc", "brier"])
def test_what_is_bold_by_every_metric_is_what_is_bold_in_the_tables(
    bench: Lab, data: dict[str, Any], metric: str
) -> None:
    records = [record.summary() for record in bench.store.load()]
    found = Leaderboard.create(Board.create(records, [], Request(metric=metric), bench.results))
    expected = {
        (one.setting, one.dataset, one.rows[i].home, one.rows[i].method) for one in found.contests for i in one.best_set
    }
    assert expected
    names = [entry["setting"] for entry in data["settings"]]
    assert {
        (names[table], data["datasets"][dataset]["dataset"], names[home], data["methods"][method]["id"])
        for table, dataset, home, method in data["best"][metric]
    } == expected


@pytest.mark.parametrize("metric", ["rmse", "r2", "roc_auc"])
def test_average_ranks_by_metric(bench: Lab, data: dict[str, Any], metric: str) -> None:
    ranks = mean_rank(cells(long_table(bench.store.load(), metric)))
    entries = {(data["settings"][entry["setting"]]["setting"], entry["task"]): entry for entry in data["tables"]}
    for row in ranks.to_dict("records"):
        entry = entries[row["setting"], row["task"]]["ranks"][metric]
        method = next(i for i, method in enumerate(data["methods"]) if method["id"] == row["method"])
        rank = entry["of"][method]
        assert entry["over"] == row["datasets"]
        assert rank is None if math.isnan(row["average_rank"]) else rank == pytest.approx(row["average_rank"])


def test_jobs_of_a_cell_are_in_order_of_their_seeds(data: dict[str, Any]) -> None:
    for row in data["cells"]:
        seeds = [data["jobs"][job]["seed"] for job in row[6]]
        assert seeds == sorted(set(seeds))
        assert len(seeds) == row[3]


def test_tried_are_the_candidates_of_a_search(bench: Lab, data: dict[str, Any]) -> None:
    records = [r for r in bench.store.load() if r.job["method"]["name"] == "wise_ft"]
    [row] = [row for row in data["cells"] if named(data, row)[2] == "wise_ft"]
    expected = {}
    for alpha in ALPHAS:
        tried = [one for record in records for one in record.candidates if one.params["alpha"] == alpha]
        expected[alpha] = [2, *(sum(getattr(one, part)["rmse"] for one in tried) / 2 for part in ("val", "test"))]
    found = {data["params"][place]["alpha"]: numbers for place, *numbers in row[8]}
    assert found == {alpha: pytest.approx(numbers, rel=1e-5) for alpha, numbers in expected.items()}
    best = min(expected, key=lambda alpha: expected[alpha][1])
    assert data["params"][row[4]]["alpha"] == best
    assert row[5] == f"alpha={best}"
    assert [other[8] for other in data["cells"] if other is not row] == [[]] * (len(data["cells"]) - 1)


@pytest.mark.parametrize(
    ("records", "runs_of", "spread", "curve"),
    [
        (three(), "fold", "over 10 folds of a cross-validation", "mean over folds, 95 % interval corrected"),
        (
            runs("lp", "esol", [1.0, 1.2]),
            "seed",
            "over training seeds on one split",
            "mean over seeds, 95 % t interval",
        ),
        ([*three(), *runs("lp", "esol", [1.0, 1.2])], "run", "cv: ± is the", "mean over seeds, folds or splits"),
    ],
)
def test_words_say_what_scores_are_over(records: list[RecordSummary], runs_of: str, spread: str, curve: str) -> None:
    data = page_data(None, records, [], long_table(records))
    assert data["runs"] == runs_of
    assert spread in data["spread"]
    assert data["curve_note"].startswith(curve)
