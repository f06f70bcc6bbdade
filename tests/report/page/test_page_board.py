"""The leaderboard: its numbers, filters, metrics, order, and gaps."""

import math
from pathlib import Path

import pandas as pd
import pytest
from browser import Browser
from command import Command
from given_page import behind, changed, data_in, rows
from lab import Lab

from roftbench.formatting import score_text
from roftbench.report.format import method_name

WHERE = "#board .where"


def board(browser: Browser, task: str = "regression") -> list[list[str]]:
    return rows(browser, f"#scroll-{task}")


@pytest.mark.parametrize(("labels", "split"), [("n50", "scaffold"), ("n100", "scaffold"), ("n50", "random")])
def test_cells_and_ranks_are_those_of_the_tables(
    shown: Browser, bench: Lab, cli: Command, tmp_path: Path, labels: str, split: str
) -> None:
    assert cli("tables", f"paths.results={bench.results}", "--no-figures", "--out", str(tmp_path)).code == 0
    frame = pd.read_csv(tmp_path / "leaderboard.csv")
    frame = frame[(frame["model"] == "tiny_gin") & (frame["split"] == split) & (frame["label_ratio"] == labels)]
    assert len(frame)
    shown.choose("filter-label_ratio", labels)
    shown.choose("filter-split", split)
    for task, group in frame.groupby("task"):
        [head, *body] = board(shown, str(task))
        texts = [(row[0].removesuffix(" ‡"), zip(head, row, strict=True)) for row in body]
        written = {(method, name): text for method, cells in texts for name, text in cells}
        for row in group.to_dict("records"):
            method = method_name(row["method"])
            full = f"{row['mean']:.3f} ± {row['std']:.3f} ({row['n']})"
            rank = row["average_rank"]
            assert written[method, row["dataset"]] == (full if row["n"] == row["n_expected"] else f"{row['n']}/2")
            assert written[method, "Avg. rank"] == ("--" if math.isnan(rank) else f"{rank:.2f}")


def test_filters_change_what_is_shown_and_back_goes_back(shown: Browser) -> None:
    before = board(shown)
    shown.choose("filter-label_ratio", "n100")
    assert board(shown) != before
    assert shown.text(WHERE) == "tiny_gin · scaffold split · 100 labels · smoke training"
    shown.choose("filter-model", "scratch")  # has jobs at 50 labels only: they follow
    assert shown.text(WHERE).startswith("scratch")
    assert "50 labels" in shown.text(WHERE)
    [_, [method, score], _] = board(shown)  # and the baseline
    assert (method, score.partition(" ")[2]) == ("LP", "one seed")
    shown.driver.back()
    shown.until("return document.querySelector('#board .where').innerText.includes('100 labels')")
    shown.driver.back()
    shown.until("return document.querySelector('#board .where').innerText.includes('50 labels')")
    assert board(shown) == before


def test_address_brings_the_view_back(shown: Browser, page: Path) -> None:
    shown.choose("filter-split", "random")
    shown.choose("metric-regression", "mae")
    shown.click("#sort-regression-esol")
    view, table = shown.view, board(shown)
    shown.open(page)
    assert board(shown) != table
    shown.open(page, view)
    assert board(shown) == table


def test_metric_changes_scores_of_one_task(shown: Browser, bench: Lab) -> None:
    classification = board(shown, "classification")
    shown.choose("metric-regression", "spearman")
    records = behind(bench, method="lp", dataset="esol", label_ratio="n50", model="tiny_gin")
    scores = [record.scores.test["spearman"] for record in records]
    assert len(scores) == 2
    written = {row[0]: row[1] for row in board(shown)}
    assert written["LP"].startswith(f"{sum(scores) / 2:.3f} ±")
    assert board(shown, "classification") == classification


def test_columns_sort_best_first_then_worst_then_as_they_were(shown: Browser) -> None:
    column = "#sort-classification-bbbp"
    state = "#scroll-classification th[aria-sort]"
    unsorted = board(shown, "classification")

    def scores() -> list[float]:
        return [float(row[1].split()[0]) for row in board(shown, "classification")[1:]]

    assert len(scores()) == 3
    shown.click(column)
    best = scores()
    assert best == sorted(scores(), reverse=True)  # ROC-AUC: higher is better
    assert shown.one(state).get_attribute("aria-sort") == "descending"
    shown.click(column)
    assert scores() == best[::-1]
    assert shown.one(state).get_attribute("aria-sort") == "ascending"
    shown.click(column)
    assert board(shown, "classification") == unsorted
    assert shown.all(state) == []


def test_baselines_and_gaps_stay_below_when_sorted(shown: Browser) -> None:
    shown.click("#sort-regression-esol")
    names = [row[0] for row in board(shown)[1:]]
    assert names[-1] == "Random forest · ecfp †"
    shown.choose("filter-split", "random")
    shown.click("#sort-regression-esol")
    assert [row[:2] for row in board(shown)][-1] == ["Full FT", "1/2"]


def test_ties_round_to_the_even_digit_as_in_python(browser: Browser, page: Path, tmp_path: Path) -> None:
    data = data_in(page)
    means = [0.8125, 2.4375, -0.1875, 0.0005, 1.0005, 3.0]
    for cell in data["cells"]:
        cell[7] = [[means[i % len(means)], 0.0625, None] for i in range(len(cell[7]))]
    ranks = [1.125, 2.375, 2.5]
    for table in data["tables"]:
        for one in table["ranks"].values():
            one["of"] = dict(zip(one["of"], ranks, strict=False))
    browser.open(changed(page, tmp_path, cells=data["cells"], tables=data["tables"]))
    for i, metric in enumerate(data["metrics_of"]["regression"]):
        browser.choose("metric-regression", metric)
        [_, [_, score, rank], *_] = board(browser)
        assert score == f"{score_text(means[i])} ± {0.0625:.3f} (2)"
        assert rank == f"{ranks[0]:.2f}"


def test_the_cost_of_each_row_is_that_of_the_tables(shown: Browser, bench: Lab, cli: Command, tmp_path: Path) -> None:
    assert cli("tables", f"paths.results={bench.results}", "--no-figures", "--out", str(tmp_path)).code == 0
    title = "## tiny_gin · scaffold split · n50 labels · smoke training · cost · CPU seconds\n\n"
    _, *written = (tmp_path / "leaderboard.md").read_text(encoding="utf-8").split(title)
    [table] = [part.partition("\n\n")[0] for part in written if "| esol |" in part.partition("\n")[0]]
    shown.driver.execute_script("document.getElementById('cost-regression').open = true")
    found = rows(shown, "#scroll-cost-regression")
    head, _, *lines = ([cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines())
    assert found == [head, *([name.removesuffix(" ‡").removesuffix(" †"), *cells] for name, *cells in lines)]
    assert len(found) > 3
    assert shown.text("#cost-regression summary") == "Cost in CPU seconds"
