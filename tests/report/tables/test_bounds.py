"""Rows below a table with the spread of the test labels and the noise of the assay."""

import pandas as pd
from boards import changed, computed, forests, runs
from msgspec.structs import replace

from roftbench.report.tables.bounds import NOISE, NOTES, NULL_NOTE, SD, SHARE, bound_notes
from roftbench.report.tables.layout import Layout
from roftbench.report.tables.render import render_latex, render_markdown
from roftbench.store.record_schema import LabelStatistics, RecordSummary


def spread(
    records: list[RecordSummary], *labels: LabelStatistics | None, noise: float | None = None
) -> list[RecordSummary]:
    """The records with the statistics of their test labels, one per record or one for all."""
    every = labels if len(labels) == len(records) else labels * len(records)
    pairs = zip(records, every, strict=True)
    return [replace(one, data=replace(one.data, test_labels=found, noise=noise)) for one, found in pairs]


def lines(layout: Layout) -> list[list[str]]:
    return [[cell.plain for cell in row] for row in layout.rows]


ESOL = LabelStatistics(sd=2.05, min=-11.6, max=1.58)


def test_each_column_has_the_spread_of_its_test_labels_below() -> None:
    records = spread([*runs("lp", "esol", [1.0, 1.2]), *runs("bss", "esol", [1.5, 1.6])], ESOL, noise=0.6)
    records += spread(
        [*runs("lp", "lipo", [0.9, 0.9]), *runs("bss", "lipo", [0.7, 0.7])], LabelStatistics(1.2, -1.5, 4.5)
    )
    records += spread(runs("lp", "bace", [0.7, 0.8]), LabelStatistics(positives=0.4567))
    found = computed(records)
    classes, values = found.tables
    assert lines(classes)[1:] == [["Share of class 1", "45.7 %"]]
    assert lines(values)[2:] == [
        ["SD of test labels", "2.050", "1.200", ""],
        ["Range of test labels", "-11.6 to 1.58", "-1.5 to 4.5", ""],
        ["Assay noise", "0.600", "", ""],
    ]
    assert {str(cell.style) for row in values.rows[2:] for cell in row} == {""}
    assert NOTES[SD] in values.notes
    assert NOTES[SHARE] in classes.notes
    assert any(note.startswith("Assay noise: esol, ") for note in values.notes)
    assert " | 2.050 | 1.200 |  |\n" in render_markdown(found)
    assert " & 2.050 & 1.200 &  \\\\\n" in render_latex(found)


def test_spread_and_noise_stand_below_scores_in_the_unit_of_the_labels() -> None:
    records = spread(runs("lp", "esol", [0.5], metric="spearman"), ESOL, noise=0.6)
    assert len(computed(records).tables[0].rows) == 1


def test_source_of_noise_is_named_once_for_several_columns_of_a_data_set() -> None:
    rows = [{"method": "lp", "n": 1}]
    [note] = bound_notes(rows, {NOISE: ["esol", "esol", "lipo"]})
    assert note.count("esol, ") == 1


def test_older_records_have_no_such_row() -> None:
    layout = computed([*runs("lp", "esol", [1.0]), *spread(runs("lp", "lipo", [1.0]), None)]).tables[0]
    assert len(layout.rows) == 1
    assert not set(NOTES.values()) & set(layout.notes)


def test_pooled_splits_give_the_mean_of_their_test_parts() -> None:
    one, other = runs("lp", "esol", [1.0, 2.0])
    other = changed(other, "other", split={**one.job["split"], "params": {**one.job["split"]["params"], "seed": 7}})
    labels = LabelStatistics(1.0, 0.0, 2.0), LabelStatistics(2.0, -1.0, 5.0)
    [layout] = computed(spread([one, other], *labels), "pool=split_seed").tables
    assert lines(layout)[1:] == [["SD of test labels", "1.500"], ["Range of test labels", "-0.5 to 3.5"]]


def test_rows_with_other_test_molecules_have_no_common_bound() -> None:
    records = spread(runs("lp", "esol", [1.0]), ESOL)
    assert len(computed(records, "group=model").tables[0].rows) == 1
    assert len(computed(records, "group=split,label_ratio").tables[0].rows) == 3


def test_the_null_model_is_the_last_row_before_the_bounds() -> None:
    null = [changed(one, one.key + "m", method={**one.job["method"], "name": "mean"}) for one in forests("esol", [2.1])]
    records = spread([*runs("lp", "esol", [1.0]), *null, *forests("esol", [1.5])], ESOL)
    [layout] = computed(records).tables
    labels = pd.Series([row[0] for row in lines(layout)])
    assert labels[1:4].tolist() == ["Random forest · ecfp †", "Mean · ecfp †", "SD of test labels"]
    assert NULL_NOTE in layout.notes
