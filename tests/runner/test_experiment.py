"""What a record holds of its data."""

from pathlib import Path

import numpy as np
import pytest
from lab import Lab, molecules, write_csv
from refusals import raises_usage

from roftbench.runner.experiment import label_statistics
from roftbench.store.record_schema import LabelStatistics


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


def test_noise_of_an_own_table_is_recorded_and_in_no_key(lab: Lab, tmp_path: Path) -> None:
    smiles, labels = molecules("esol", lab.job()[0], 60)
    path = write_csv(tmp_path / "my.csv", {"smiles": smiles, "y": labels})
    words = ("dataset=csv", f"dataset.path={path}", "split=random", "label_ratio=full", "method=lp", "train.epochs=1")
    assert lab.job(*words, "dataset.noise=0.3")[0].key == lab.job(*words)[0].key
    assert lab.done(*words, "dataset.noise=0.3").data.noise == 0.3
    with raises_usage(key="dataset.noise", got=-1.0):
        lab.job(*words, "dataset.noise=-1")


def test_the_spread_of_labels_is_averaged_over_the_tasks_that_have_some() -> None:
    y = np.array([[0.0, np.nan, np.nan], [4.0, 1.0, np.nan]])
    assert label_statistics("regression", y) == LabelStatistics(sd=1.0, min=0.5, max=2.5)
    classes = np.array([[0.0, np.nan, np.nan], [1.0, 1.0, np.nan]])
    assert label_statistics("classification", classes) == LabelStatistics(positives=0.75)
    assert label_statistics("regression", y[:, 2:]) == LabelStatistics()
