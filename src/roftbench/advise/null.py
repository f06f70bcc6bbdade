"""The null model, which predicts the mean of the training labels for every molecule."""

from dataclasses import dataclass

import numpy as np

from roftbench.advise.candidates import Candidate
from roftbench.data.dataset import MoleculeDataset
from roftbench.data.split import Indices
from roftbench.metrics import evaluate

NAMES = {"regression": "training mean", "classification": "class shares"}


@dataclass(eq=False)
class Null(Candidate):
    """The mean of the training labels (class shares); it is compared but cannot be recommended."""

    @property
    def name(self) -> str:
        """Name of the predicted value."""
        return self.model


def null_of(dataset: MoleculeDataset) -> Null:
    """Return the null model of a data set, without scores."""
    return Null(NAMES[str(dataset.spec.task)], "", baseline=True)


def null_score(dataset: MoleculeDataset, metric: str, train: Indices, test: Indices) -> float | None:
    """Return the score on `test` of the mean label of `train` (indices of molecules), None if it is undefined."""
    y = dataset.y[train]
    known = ~np.isnan(y)
    mean = np.where(known, y, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    prediction = np.broadcast_to(mean, (len(test), len(mean)))
    if np.isnan(dataset.y[test]).all():
        return None
    return evaluate(str(dataset.spec.task), dataset.y[test], prediction, [metric])[metric]
