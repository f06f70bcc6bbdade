"""What a model is that has no network: numbers that follow from a molecule alone."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.errors import UsageError


class Fingerprint(ABC):
    """A fixed description of each molecule. A new one is a subclass; every `Estimator` works with it.

    `version` is that of its code, and in the key of a job: raise it when a number of the fingerprint changes.
    """

    version: ClassVar[int] = 1

    @abstractmethod
    def features(self, dataset: MoleculeDataset) -> NDArray[Any]:
        """Return the features of the N molecules, [N, D]; `dataset.kept_beside` keeps them for the next job."""

    def of_smiles(self, smiles: Sequence[str]) -> NDArray[Any]:
        """Return the features [N, D] of molecules that are in no data set, each of which has a graph.

        Raises:
            UsageError: this fingerprint describes molecules of data sets only.
        """
        raise UsageError(f"{type(self).__name__} has no `of_smiles`: it cannot describe new molecules")
