"""The cost of a table's rows: mechanisms, labels and seconds, in CPU seconds only where all cells have them."""

import math

import pytest
from boards import board_of, computed, forests, runs
from msgspec.structs import replace

from roftbench.report.cost import CPU, WALL, fit_cpu_seconds, fit_seconds, unit_of
from roftbench.report.tables.cost import NOTES, OF, cost_layouts, seconds_text
from roftbench.report.tables.render import COST, render_latex, render_markdown, to_frame
from roftbench.store.record_schema import RecordSummary


def timed(
    records: list[RecordSummary], wall: float, cpu: float | None = None, *, device: str = "cpu"
) -> list[RecordSummary]:
    """The records with a fit of so many seconds, a second one from the store of twice as many, and a total."""
    more = {"seconds": {"ft": wall, "ft (reused)": 2 * wall, "total": 50.0}, "env": {"device": device}}
    if cpu is not None:
        more["cpu_seconds"] = {"ft": cpu, "ft (reused)": 2 * cpu, "total": 50.0}
    return [replace(one, **more) for one in records]


def example(cpu: float | None = 1.0) -> list[RecordSummary]:
    """Two methods and a forest on two data sets; the forest and full fine-tuning have no job on the second."""
    [forest, _] = forests("esol", [1.0, 1.2])
    return [
        *timed(runs("full_ft", "esol", [1.0, 1.2]), 2.0, 1.0),
        *timed(runs("roftmol", "esol", [0.9, 0.8]), 100.0, cpu),
        *timed(runs("roftmol", "lipo", [0.7, 0.7]), 400.0, 123.4),
        *timed([replace(forest, trained_parameters=None)], 0.01, 0.002),
    ]


def test_a_cost_table_shows_mechanism_labels_and_seconds_with_gaps() -> None:
    [layout] = cost_layouts(computed(example()).shown)
    assert layout.title == "gin_masking · scaffold split · full labels · paper training · cost · CPU seconds"
    assert layout.header == ["Method", "Mechanism", "Trained parameters", "Extra labels", "esol", "lipo"]
    assert [[cell.plain for cell in row] for row in layout.rows] == [
        ["Full FT", "full fine-tuning", "4,481", "0", "3", "--"],
        ["ROFT-MOL ‡", "weight", "4,481", "10", "3", "370"],
        ["Random forest · ecfp †", "no network", "--", "0", "0.006", "--"],
    ]
    assert layout.notes == [*NOTES, OF[CPU]]


def test_wall_clock_takes_the_place_of_cpu_time_that_a_cell_lacks() -> None:
    [layout] = cost_layouts(computed(example(cpu=None)).shown)
    assert layout.title.endswith("cost · seconds")
    assert [[cell.plain for cell in row[4:]] for row in layout.rows][:2] == [["6", "--"], ["300", "1,200"]]
    assert layout.notes[-1] == OF[WALL]


def test_jobs_on_a_gpu_have_no_cpu_time() -> None:
    [one, _] = timed(runs("full_ft", "esol", [1.0, 1.0]), 2.0, 1.0, device="NVIDIA H200")
    assert (fit_seconds(one), fit_cpu_seconds(one)) == (6.0, None)


@pytest.mark.parametrize(
    ("seconds", "cpu_seconds"), [({"total": 3.0}, {}), ({}, {}), ({"total": 3.0}, {"ft": None, "total": 2.0})]
)
def test_a_record_without_times_of_its_fits_is_a_gap(
    seconds: dict[str, float], cpu_seconds: dict[str, float | None]
) -> None:
    [one] = runs("full_ft", "esol", [1.0])
    one = replace(one, seconds=seconds, cpu_seconds=cpu_seconds)
    assert (fit_seconds(one), fit_cpu_seconds(one)) == (None, None)


def test_older_records_give_no_cost_table() -> None:
    found = computed(runs("full_ft", "esol", [1.0, 1.2]))  # only the total is known
    assert list(cost_layouts(found.shown)) == []
    assert COST not in render_markdown(found)


def test_cost_is_part_of_all_formats() -> None:
    found = computed(example())
    text = render_markdown(found)
    assert (
        text.index(COST) < text.index("| ROFT-MOL ‡ | weight | 4,481 | 10 | 3 | 370 |") < text.index("Ranks are over")
    )
    assert "ROFT-MOL $^\\ddagger$ & weight & 4,481 & 10 & 3 & 370 \\\\" in render_latex(found)
    frame = to_frame(board_of(example())).set_index(["method", "dataset"])
    row = frame.loc[("roftmol", "lipo")]
    assert (row["family"], row["trained_parameters"]) == ("weight", 4481)
    assert (row["fit_seconds"], row["fit_cpu_seconds"]) == (pytest.approx(1200), pytest.approx(370.2))
    assert frame.loc[("random_forest", "esol"), "family"] == "estimator"
    assert math.isnan(frame.loc[("full_ft", "lipo"), "fit_seconds"])
    assert math.isnan(row["pretrain_gain"])


def test_the_unit_is_one_that_the_cells_share() -> None:
    nan = float("nan")
    cell = {"n": 1, "fit_seconds": 2.0, "fit_cpu_seconds": 1.0}
    assert unit_of([cell, {**cell, "n": 0, "fit_cpu_seconds": nan}]) == CPU
    assert unit_of([cell, {**cell, "fit_cpu_seconds": nan}]) == WALL
    assert unit_of([{**cell, "fit_seconds": nan, "fit_cpu_seconds": nan}]) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (9.876, "9.88"), (99.96, "100"), (1234.5, "1,234"), (float("nan"), "--")]
)
def test_seconds_have_three_digits(value: float, text: str) -> None:
    assert seconds_text(value) == text
