"""Names and their order in the report's page, and colors on its dark ground."""

import re

import pytest
from lab import Lab
from msgspec.structs import replace
from score_tables import of

from roftbench.report.aggregate import long_table, unfinished_table
from roftbench.report.figures.style import appearance
from roftbench.report.format import methods
from roftbench.report.page.lists import CONTRAST, DARK_GROUND, OWN, lists_of, on_dark, places
from roftbench.report.page.templates import PAGE
from roftbench.report.records import read_records
from roftbench.store.record_schema import CandidateResult, RecordSummary


def luminance(color: str) -> float:
    parts = [int(text, 16) / 255 for text in re.findall("..", color[1:])]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", [*(appearance(name).color for name in methods()), "#000000", "#ffffff", "#0000ff"])
def test_colors_are_seen_on_the_dark_ground(color: str) -> None:
    mixed = on_dark(color)
    assert re.fullmatch("#[0-9a-f]{6}", mixed)
    assert (luminance(mixed) + 0.05) / (luminance(DARK_GROUND) + 0.05) >= CONTRAST
    assert on_dark(mixed) == mixed  # one that is seen stays


def test_dark_ground_is_the_style_sheets() -> None:
    dark = re.findall(r"--ground: (#\w+);", (PAGE / "colors.css").read_text(encoding="utf-8"))
    assert dark.count(DARK_GROUND) == 2  # the system's choice and the visitor's


def test_labels_ascend_and_the_papers_methods_come_first() -> None:
    parts = [
        *of("zebra", "esol", [1.0], labels="full"),
        *of("roftmol", "esol", [1.0], labels="n500"),
        *of("lp", "bace", [0.5], labels="n50"),
    ]
    for record, ratio in zip(parts, ({"fraction": None}, {"count": 500}, {"count": 50}), strict=True):
        record.job["label_ratio"] |= ratio
    lists = lists_of(long_table(parts), parts, unfinished_table(parts, []))
    assert [setting["label_ratio"] for setting in lists["settings"]] == ["n50", "n500", "full"]
    assert [method["name"] for method in lists["methods"]] == ["LP", "ROFT-MOL", "zebra"]
    assert [entry["dataset"] for entry in lists["datasets"]] == ["esol", "bace"]  # regression first


@pytest.mark.whole
def test_tasks_with_one_metric_begin_with_it(bench: Lab) -> None:
    records, _ = read_records(bench.store)
    lists = lists_of(long_table(records), records, unfinished_table(records, []))
    assert lists["first_metric"] == {"regression": "rmse", "classification": "roc_auc"}
    assert lists["metrics_of"]["regression"] == ["rmse", "mae", "r2", "spearman", "pearson", "kendall"]
    assert lists["metrics"]["mae"] == {"name": "MAE", "higher": False}
    baselines = [method["id"] for method in lists["methods"] if method["baseline"]]
    assert baselines == ["random_forest"]
    assert lists["settings"][-1]["baseline"]


def test_task_with_several_metrics_begins_with_each_data_sets_own() -> None:
    def by(metric: str, records: list[RecordSummary]) -> list[RecordSummary]:
        for record in records:
            record.job["dataset"]["metric"] = metric
        scores = {metric: 1.0}
        return [replace(record, candidates=[CandidateResult({}, scores, scores)]) for record in records]

    records = [*of("lp", "esol", [1.0]), *by("mae", of("lp", "qm9", [1.0]))]
    lists = lists_of(long_table(records), records, unfinished_table(records, []))
    assert lists["first_metric"] == {"regression": OWN}
    assert lists["metrics_of"]["regression"][:2] == ["mae", "rmse"]


def test_places_are_by_a_value() -> None:
    assert places([{"id": "a"}, {"id": "b"}], "id") == {"a": 0, "b": 1}
