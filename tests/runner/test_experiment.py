"""What is recorded of an experiment, and of its data."""

from pathlib import Path

import numpy as np
import pytest
from lab import FOREST, Lab, molecules, write_csv
from refusals import raises_usage
from scipy.stats import rankdata, spearmanr

from roftbench.data.table.load import read_table
from roftbench.runner.experiment import label_statistics, rounded
from roftbench.store.record_schema import LabelStatistics


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


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_the_record_holds_the_spread_of_the_test_labels(lab: Lab, dataset: str) -> None:
    words = ("method=lp", f"dataset={dataset}", "train.epochs=1")
    experiment = lab.experiment(*words)
    y = experiment.dataset.y[experiment.parts.test]
    data = lab.done(*words).data
    if dataset == "bbbp":
        assert data.test_labels == LabelStatistics(positives=pytest.approx(y.mean()))
        assert data.noise is None
    else:
        assert data.test_labels == LabelStatistics(pytest.approx(y.std()), y.min(), y.max())
        assert data.noise == 0.6


def test_noise_and_unit_of_an_own_table_are_recorded_and_in_no_key(lab: Lab, tmp_path: Path) -> None:
    smiles, labels = molecules("esol", lab.job()[0], 60)
    path = write_csv(tmp_path / "my.csv", {"smiles": smiles, "y": labels})
    words = ("dataset=csv", f"dataset.path={path}", "split=random", "label_ratio=full", "method=lp", "train.epochs=1")
    stated = "dataset.noise=0.3", "dataset.units='µM'"
    assert lab.job(*words, *stated)[0].key == lab.job(*words)[0].key
    data = lab.done(*words, *stated).data
    assert (data.noise, data.units) == (0.3, "µM")
    with raises_usage(key="dataset.noise", got=-1.0):
        lab.job(*words, "dataset.noise=-1")


def test_the_spread_of_labels_is_averaged_over_the_tasks_that_have_some() -> None:
    y = np.array([[0.0, np.nan, np.nan], [4.0, 1.0, np.nan]])
    assert label_statistics("regression", y) == LabelStatistics(sd=1.0, min=0.5, max=2.5)
    classes = np.array([[0.0, np.nan, np.nan], [1.0, 1.0, np.nan]])
    assert label_statistics("classification", classes) == LabelStatistics(positives=0.75)
    assert label_statistics("regression", y[:, 2:]) == LabelStatistics()
