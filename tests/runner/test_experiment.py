"""What is recorded of an experiment."""

import numpy as np
import pytest
from lab import FOREST, Lab
from scipy.stats import rankdata, spearmanr

from roftbench.data.table.load import read_table
from roftbench.runner.experiment import rounded


def test_rounding_keeps_nine_digits_but_never_the_order() -> None:
    values = np.array([1 / 3, 1 / 3 + 1e-14, 2 / 3, 2 / 3, -7e-13, 123456.7890123])
    found = rounded(values, "regression")
    assert found[:2].tolist() == values[:2].tolist()  # nine digits would make them equal
    assert found[2:].tolist() == [0.666666667, 0.666666667, -7e-13, 123456.789]
    assert (rankdata(found) == rankdata(values)).all()


def test_probability_close_to_one_is_recorded_in_full() -> None:
    values = np.array([0.12345678901, 0.99950000001234, 1.0])
    assert rounded(values, "classification").tolist() == [0.123456789, 0.99950000001234, 1.0]
    assert rounded(np.empty(0), "classification").tolist() == []


@pytest.mark.parametrize("part", ["val", "test"])
def test_recorded_predictions_give_the_recorded_scores(lab: Lab, part: str) -> None:
    job, context = lab.job(*FOREST, "label_ratio=full")
    record = lab.done(*FOREST, "label_ratio=full")
    found = getattr(record, f"{part}_predictions")
    y = read_table(job.dataset, context.places).labels[found.row, 0]
    prediction = np.array(found.prediction)[:, 0]
    scores = getattr(record.scores, part)
    assert scores["spearman"] == pytest.approx(spearmanr(y, prediction).statistic, abs=1e-9)
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean((y - prediction) ** 2)), abs=1e-7)
