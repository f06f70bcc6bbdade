"""What a model is that has no network: numbers that follow from a molecule alone."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset


class Fingerprint(ABC):
    """A fixed description of each molecule. A new one is a subclass; every `Estimator` works with it.

    `version` is that of its code, and in the key of a job: raise it when a number of the fingerprint changes.
    """

    version: ClassVar[int] = 1

    @abstractmethod
    def features(self, dataset: MoleculeDataset) -> NDArray[Any]:
        """Return the features of the N molecules, [N, D]; `dataset.kept_beside` keeps them for the next job."""
