"""The mean of the training labels as a row of the leaderboard."""

import numpy as np
import pytest
from lab import Lab

from roftbench.advise.null import null_of, null_score
from roftbench.data.dataset import load_dataset


def test_everybody_gets_the_mean_of_the_training_labels(lab: Lab) -> None:
    job, env = lab.job("dataset=freesolv")
    dataset = load_dataset(job.dataset, env.cache / "data", env.places)
    train, test = np.arange(30), np.arange(30, 50)
    y = dataset.y[:, 0]
    expected = float(np.sqrt(np.mean((y[test] - y[train].mean()) ** 2)))
    assert null_score(dataset, "rmse", train, test) == pytest.approx(expected)
    assert null_of(dataset).name == "training mean"
    assert null_score(dataset, "rmse", train, np.empty(0, np.int64)) is None


def test_class_shares_rank_nothing(lab: Lab) -> None:
    job, env = lab.job("dataset=bbbp")
    dataset = load_dataset(job.dataset, env.cache / "data", env.places)
    y = dataset.y[:, 0]
    both = np.concatenate([np.flatnonzero(y == 0)[:5], np.flatnonzero(y == 1)[:5]])
    assert null_score(dataset, "roc_auc", np.arange(40), both) == 0.5
    assert null_score(dataset, "roc_auc", np.arange(40), both[:5]) is None
    assert null_of(dataset).name == "class shares"
