"""metric=all: a table for each metric."""

import json
import logging

import pytest
from boards import board_of, computed, ended, runs
from refusals import raises_usage

from roftbench.report.tables.render import render_latex, render_markdown, to_frame, to_json
from roftbench.store.record_schema import RecordSummary


def scored(method: str, dataset: str, **scores: list[float]) -> list[RecordSummary]:
    """A record per seed with test scores by several metrics, the data set's own first."""
    own, *others = scores
    found = runs(method, dataset, list(scores[own]), metric=own)
    for seed, record in enumerate(found):
        record.candidates[0].test.update({name: scores[name][seed] for name in others})
    return found


def example() -> list[RecordSummary]:
    return [
        *scored("lp", "esol", rmse=[1.0, 1.2], mae=[0.8, 0.9], kendall=[0.5, 0.6]),
        *scored("bss", "esol", rmse=[0.9, 0.9], mae=[1.0, 1.0], kendall=[0.7, 0.7]),
        *scored("lp", "bace", roc_auc=[0.7, 0.8], mcc=[0.2, 0.3]),
    ]


def test_every_recorded_metric_has_a_table_of_its_own_ranks() -> None:
    found = computed(example(), "metric=all")
    assert [layout.title.split(" · ")[-1] for layout in found.tables] == [
        "RMSE ↓",
        "MAE ↓",
        "Kendall ↑",
        "ROC-AUC ↑",
        "MCC ↑",
    ]
    cells = {
        layout.title.split(" · ")[-1]: [[cell.plain for cell in row] for row in layout.rows] for layout in found.tables
    }
    assert cells["RMSE ↓"] == [["LP", "1.100 ± 0.100 (2)", "2.00"], ["BSS", "0.900 ± 0.000 (2)", "1.00"]]
    assert cells["MAE ↓"] == [["LP", "0.850 ± 0.050 (2)", "1.00"], ["BSS", "1.000 ± 0.000 (2)", "2.00"]]
    assert cells["Kendall ↑"][1] == ["BSS", "0.700 ± 0.000 (2)", "1.00"]
    assert cells["MCC ↑"] == [["LP", "0.250 ± 0.050 (2)"]]
    notes = [note for layout in found.tables for note in layout.notes]
    assert len(set(notes)) == len(notes) > 0


@pytest.mark.parametrize("words", [(), ("group=split,label_ratio",), ("select=test",)])
def test_a_panels_table_is_that_of_the_single_metric(words: tuple[str, ...]) -> None:
    panel = computed(example(), "metric=all", *words).tables
    for name in ("rmse", "mae", "kendall", "roc_auc", "mcc"):
        [single] = computed(example(), f"metric={name}", *words).tables
        [same] = [layout for layout in panel if layout.title == single.title]
        assert (same.header, same.rows) == (single.header, single.rows)


def test_it_is_in_every_format_and_ranks_over_everything_keep_the_own_metric() -> None:
    found = computed(example(), "metric=all")
    text = render_markdown(found)
    assert text.count("\n## gin_masking · ") == 5
    assert "Scores by each metric, comparisons by each data set's own (RMSE, ROC-AUC); made by" in text
    assert render_latex(found).count("\\begin{tabular}") == 5 + len(found.ranks)
    own = computed(example())
    assert [[cell.plain for cell in row] for row in found.ranks[0].rows] == [
        [cell.plain for cell in row] for row in own.ranks[0].rows
    ]
    board = board_of(example(), "metric=all")
    frame = to_frame(board)
    assert frame.groupby("metric", sort=False).size().to_dict() == {
        "rmse": 2,
        "mae": 2,
        "kendall": 2,
        "roc_auc": 1,
        "mcc": 1,
    }
    assert [row["mean"] for row in json.loads(to_json(board))] == frame["mean"].tolist()
    assert set(board.long["metric"]) == {"rmse", "roc_auc"}  # of comparison.md


def test_a_missing_jobs_command_is_there_once() -> None:
    lp, bss = example()[:2], example()[2:4]
    layouts = computed([*lp, bss[0]], "metric=all", failures=ended(bss[1:])).tables
    assert [len(layout.commands) for layout in layouts] == [1, 0, 0]
    assert "method=bss dataset=esol" in layouts[0].commands[0]


def test_records_of_before_are_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    records = [*example(), *runs("l2_sp", "esol", [1.0, 1.0])]
    with caplog.at_level(logging.WARNING):
        found = computed(records, "metric=kendall")
    assert [row[0].plain for row in found.tables[0].rows] == ["LP", "BSS"]
    [message] = caplog.messages
    assert "kendall (2 of 6 records)" in message
    assert "run.rerun=true" in message
    caplog.clear()
    computed(records, "metric=all")
    [message] = caplog.messages
    assert "pearson (6 of 6 records)" in message
    assert "rmse" not in message


def test_a_metric_that_no_record_has_is_refused() -> None:
    with raises_usage(key="metric", got="pearson", allowed=("kendall", "mae", "rmse")):
        computed(example(), "metric=pearson")
