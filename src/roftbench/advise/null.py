"""The row that no candidate may fall behind: every molecule gets the mean of the training labels."""

from dataclasses import dataclass

import numpy as np

from roftbench.advise.candidates import Candidate
from roftbench.data.dataset import MoleculeDataset
from roftbench.data.split import Indices
from roftbench.metrics import evaluate

NAMES = {"regression": "training mean", "classification": "class shares"}


@dataclass(eq=False)
class Null(Candidate):
    """The mean of the training labels, of classes their shares; it is no candidate, as there is nothing to keep."""

    @property
    def name(self) -> str:
        """What is predicted."""
        return self.model


def null_of(dataset: MoleculeDataset) -> Null:
    """Return the row of a data set, without scores."""
    return Null(NAMES[str(dataset.spec.task)], "", baseline=True)


def null_score(dataset: MoleculeDataset, metric: str, train: Indices, test: Indices) -> float | None:
    """Return the score on the molecules `test` of the mean label of those in `train`; None where it is undefined."""
    y = dataset.y[train]
    known = ~np.isnan(y)
    mean = np.where(known, y, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    prediction = np.broadcast_to(mean, (len(test), len(mean)))
    if np.isnan(dataset.y[test]).all():
        return None
    return evaluate(str(dataset.spec.task), dataset.y[test], prediction, [metric])[metric]
