"""Rows for the page from the cells of a table of predictions."""

from roftbench.serve.shown import Neighbor, row_of

REGRESSION = {"y_predicted": "-1.5", "y_low": "-2.0", "y_high": "-1.0", "y_std": "0.3", "similarity": "0.5"}
NEAREST = {"neighbor_row": "7", "neighbor_smiles": "CCN", "y_neighbor": "-1.2", "in_domain": "edge"}


def test_cells_are_shown_as_they_are_written() -> None:
    row = row_of("CCO", "ethanol", ["y"], {**REGRESSION, "reason": ""})
    [value] = row.values
    assert (value.text, value.low, value.high, value.std) == ("-1.5", "-2.0", "-1.0", "0.3")
    assert value.numbers == [-1.5, -2.0, -1.0]
    assert (row.similarity, row.domain, row.neighbor) == ("0.5", "", None)


def test_classes_have_a_probability_and_no_interval() -> None:
    [value] = row_of("CCO", "", ["y"], {"y_probability": "0.98", "reason": ""}).values
    assert (value.text, value.low, value.numbers) == ("0.98", "", [0.98])


def test_tasks_without_a_prediction_are_left_out() -> None:
    row = row_of("CCO", "", ["x", "y"], {**REGRESSION, "x_predicted": "", "x_low": "", "x_high": "", "reason": ""})
    assert [value.task for value in row.values] == ["y"]


def test_the_neighbor_has_its_identifier_or_its_row() -> None:
    cells = {**REGRESSION, **NEAREST, "reason": ""}
    row = row_of("CCO", "", ["y"], cells)
    assert row.neighbor == Neighbor("training row 7", {"y": "-1.2"}, "CCN")
    assert row.domain == "edge"
    assert row_of("CCO", "", ["y"], {**cells, "neighbor_id": "C-7\x1b"}).neighbor.name == "C-7\\x1b"
    assert row_of("CCO", "", ["y"], {**cells, "neighbor_smiles": ""}).neighbor.smiles == ""


def test_a_row_without_a_prediction_has_its_reason_and_nothing_else() -> None:
    row = row_of("nope", "x\u202e", ["y"], {"y_predicted": "", "reason": "no\nSMILES", **NEAREST})
    assert (row.values, row.neighbor, row.reason, row.name) == ([], None, "no\\nSMILES", "x\\u202e")
