"""Base class of fingerprints, models without a network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.errors import UsageError


class Fingerprint(ABC):
    """Base class of fingerprints: fixed features of each molecule. Every `Estimator` works with every fingerprint.

    Attributes:
        version: version of the features, part of the keys of jobs; raise it when a feature changes.
    """

    version: ClassVar[int] = 1

    @abstractmethod
    def features(self, dataset: MoleculeDataset) -> NDArray[Any]:
        """Return the features of the N molecules of a data set, [N, D]; `dataset.kept_beside` caches them."""

    def of_smiles(self, smiles: Sequence[str]) -> NDArray[Any]:
        """Return the features of N new molecules, [N, D], each of which has a "hu" graph.

        Raises:
            UsageError: the fingerprint does not override this method.
        """
        raise UsageError(f"{type(self).__name__} does not override of_smiles, so it cannot describe new molecules")
