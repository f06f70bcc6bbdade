"""Figures of cost and shifts: what is drawn where, the Pareto front against its definition, names without overlap."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boards import board_of, computed, forests, runs
from drawn import svg
from msgspec.structs import replace

from roftbench.report.analysis import write_evidence
from roftbench.report.cost import CPU
from roftbench.report.figures.cost import draw_cost
from roftbench.report.figures.shift import draw_shift
from roftbench.report.row_means import RowMeans, block_shifts, front, row_means
from roftbench.report.tables.layout import Leaderboard
from roftbench.store.record_schema import RecordSummary


def means(cost: list[float], worth: list[float], **more: Any) -> RowMeans:
    count = len(cost)
    about: dict[str, Any] = {
        "names": [f"row {i}" for i in range(count)], "families": ["weight"] * count, "lower": True, "label": "rank",
        "unit": CPU, "feature_shift": [0.1 * i for i in range(count)], "blocks": [{"embed": 0.1}] * count,
        "datasets": ["esol"], "left_out": [], **more,
    }  # fmt: skip
    return RowMeans(cost=cost, worth=worth, **about)


def measured(method: str, dataset: str, tests: list[float | None], cpu: float, shift: float) -> list[RecordSummary]:
    found = runs(method, dataset, tests)
    return [
        replace(
            one,
            cpu_seconds={"ft": cpu, "total": 2 * cpu},
            seconds={"ft": 2 * cpu, "total": 3 * cpu},
            candidates=[
                replace(one.candidates[0], parameter_shift={"embed": shift, "layer0": 0.0}, feature_shift=shift)
            ],
        )
        for one in found
    ]


def board() -> Leaderboard:
    """Three methods on two data sets, a forest without shifts, and BSS, which lacks a data set."""
    records = [
        *measured("full_ft", "esol", [1.0, 1.2], 4.0, 0.3), *measured("full_ft", "lipo", [0.7, 0.7], 8.0, 0.5),
        *measured("lp", "esol", [2.0, 2.0], 0.5, 0.0), *measured("lp", "lipo", [0.8, 0.6], 0.5, 0.0),
        *measured("roftmol", "esol", [0.9, 0.9], 6.0, 0.2), *measured("roftmol", "lipo", [0.9, 0.9], 8.0, 0.2),
        *measured("bss", "esol", [0.1, 0.1], 5.0, 0.2),
    ]  # fmt: skip
    for dataset in ("esol", "lipo"):
        records += [
            replace(one, cpu_seconds={"fit": 1.0}, seconds={"fit": 1.0}) for one in forests(dataset, [3.0, 3.0])
        ]
    return computed(records)


@pytest.mark.parametrize("lower", [True, False])
def test_the_front_is_what_no_other_row_beats(lower: bool) -> None:
    rng = np.random.default_rng(3)
    cost, worth = rng.integers(1, 9, 40).astype(float).tolist(), rng.integers(1, 9, 40).astype(float).tolist()
    cost[5] = float("nan")
    sign = 1 if lower else -1

    def beaten(i: int) -> bool:
        others = [(cost[j], sign * worth[j]) for j in range(40) if j != i and cost[j] == cost[j]]
        own = (cost[i], sign * worth[i])
        return any(c <= own[0] and w <= own[1] and (c, w) != own for c, w in others)

    found = front(means(cost, worth, lower=lower))
    expected = {(cost[i], worth[i]) for i in range(40) if i != 5 and not beaten(i)}
    assert {(cost[i], worth[i]) for i in found} == expected
    assert all(cost[i] < cost[j] for i, j in pairwise(found))


def test_rows_are_ranked_over_the_data_sets_that_they_all_have() -> None:
    found = board()
    [table] = found.shown
    rows = row_means(table, block_shifts(found.board.long))
    assert rows.names == ["Full FT", "LP", "ROFT-MOL ‡", "Random forest · ecfp †"]
    assert rows.worth == [1.75, 2.25, 2.0, 4.0]  # Full FT and LP share the mean of esol 2, lipo 1.5 and 3, 1.5
    assert rows.cost == [6.0, 0.5, 7.0, 1.0]
    assert rows.left_out == ["BSS"]
    assert rows.feature_shift[:3] == [pytest.approx(0.4), 0.0, pytest.approx(0.2)]
    assert rows.blocks == [{"embed": pytest.approx(0.4), "layer0": 0}, {"embed": 0, "layer0": 0},
                           {"embed": pytest.approx(0.2), "layer0": 0}, {}]  # fmt: skip
    assert front(rows) == [1, 0]


def test_one_data_set_is_drawn_by_its_own_score() -> None:
    found = computed(measured("full_ft", "bace", [0.8, 0.9], 4.0, 0.3) + measured("lp", "bace", [0.7, 0.7], 0.5, 0.0))
    rows = row_means(found.shown[0], {})
    assert (rows.worth, rows.lower, rows.label) == ([pytest.approx(0.85), 0.7], False, "test ROC-AUC ↑")
    axes = draw_cost(rows, "title").axes[0]
    assert axes.get_ylim()[0] < axes.get_ylim()[1]  # a higher score is drawn higher
    assert draw_cost(means([1, 2], [1, 2]), "t").axes[0].get_ylim()[0] > 2  # as a lower rank is


def test_the_figures_name_what_they_show() -> None:
    found = board()
    rows = row_means(found.shown[0], block_shifts(found.board.long))
    cost, shift = svg(draw_cost(rows, "a title")), svg(draw_shift(rows, "a title"))
    for text in ("a title", "LP", "ROFT-MOL ‡", "Random forest", "mean rank over 2 data sets", "CPU seconds", "Pareto"):
        assert text in cost, text
    assert "as scores or seconds are missing: BSS" in cost
    for text in ("a title", "LP", "embed", "layer0", "0.4", "linear CKA", "mean rank over 2 data sets"):
        assert text in shift, text
    assert "Random forest" not in shift
    assert svg(draw_cost(rows, "a title")) == cost
    assert svg(draw_shift(rows, "a title")) == shift


def test_names_of_many_rows_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    cost, worth = np.exp(rng.normal(2, 0.5, 26)).tolist(), rng.uniform(1, 26, 26).tolist()
    figure = draw_cost(means(cost, worth, names=[f"Method number {i}" for i in range(26)]), "many")
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = [one.get_window_extent() for one in axes.texts]
    assert len(boxes) == 26
    touching = [
        (i, j) for i in range(26) for j in range(i) if boxes[i].shrunk(0.9, 0.6).overlaps(boxes[j].shrunk(0.9, 0.6))
    ]
    assert not touching
    inside = axes.get_window_extent()
    assert all(inside.x0 - 1 <= box.x0 and box.x1 <= inside.x1 + 12 for box in boxes)


def test_what_is_not_known_is_refused_and_not_planned(tmp_path: Path) -> None:
    nan = float("nan")
    with pytest.raises(ValueError, match="no row has both a score and a cost"):
        draw_cost(means([nan], [1]), "t")
    with pytest.raises(ValueError, match="no row has shifts"):
        draw_shift(means([1.0], [1], feature_shift=[nan], blocks=[{}]), "t")
    older = computed(runs("full_ft", "esol", [1.0]) + runs("lp", "esol", [2.0]))
    plain = [replace(one, seconds={"total": 1.0}) for one in older.board.records]
    older = Leaderboard.create(board_of(plain))
    paths = write_evidence(older.board.long, tmp_path / "older", shown=older.shown)
    assert not [path for path in paths if path.name.startswith(("cost", "shift"))]
    found = board()
    paths = write_evidence(found.board.long, tmp_path / "new", shown=found.shown)
    stem = "gin_masking_scaffold_full_regression"
    assert {f"cost_{stem}.svg", f"cost_{stem}.pdf", f"shift_{stem}.svg", f"shift_{stem}.pdf"} <= {p.name for p in paths}
    page = (tmp_path / "new" / "comparison.md").read_text(encoding="utf-8")
    assert f"(cost_{stem}.svg)" in page
    assert f"(shift_{stem}.svg)" in page


@pytest.mark.parametrize("cost", [[0.008, 0.01], [0.5, 900.0], [0.001, 5000.0]], ids=["narrow", "wide", "wider"])
def test_seconds_are_plain_numbers(cost: list[float]) -> None:
    figure = draw_cost(means(cost, [1.0, 2.0]), "title")
    figure.draw_without_rendering()
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels(which="both") if tick.get_text()]
    assert len(labels) > 1
    assert all(float(label) > 0 for label in labels)
