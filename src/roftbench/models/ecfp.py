"""ECFP4: Morgan fingerprint of radius 2, folded to 2048 bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from roftbench.data import descriptors
from roftbench.data.dataset import MoleculeDataset
from roftbench.data.descriptors import BITS, Counts, count_chunk
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.parallel import in_chunks
from roftbench.data.quality.report import describe
from roftbench.models.fingerprint import Fingerprint
from roftbench.store.tensors import Entry


@dataclass(frozen=True)
class ECFP(Fingerprint):
    """Circular substructures of a molecule, or with `counts` their numbers (Rogers and Hahn, 2010).

    The bits are shared with `roftbench data` and computed once per data set.
    """

    version: ClassVar[int] = descriptors.VERSION
    counts: bool = False

    def features(self, dataset: MoleculeDataset) -> NDArray[Any]:
        """Return bits or counts of the N molecules of a data set, [N, 2048]."""
        return _counts(dataset) if self.counts else np.unpackbits(describe(dataset).fingerprint, 1, bitorder="little")

    def of_smiles(self, smiles: Sequence[str]) -> NDArray[Any]:
        """Return bits or counts of N molecules, [N, 2048]."""
        if self.counts:
            return _dense(count_chunk(smiles))
        packed = descriptors.fingerprints([parse_smiles(text) for text in smiles])
        return np.unpackbits(packed, 1, bitorder="little")


def _counts(dataset: MoleculeDataset) -> NDArray[np.int32]:
    kept = dataset.kept_beside("counts", str(descriptors.VERSION), _entry)
    dense = _dense(Counts._make(kept[name].numpy() for name in Counts._fields))
    return dense if dataset.position is None else dense[dataset.position]


def _dense(counts: Counts) -> NDArray[np.int32]:
    size, bit, times = counts
    dense = np.zeros((len(size), BITS), np.int32)
    dense[np.repeat(np.arange(len(size)), size), bit] = times
    return dense


def _entry(smiles: Sequence[str], name: str) -> Entry:
    columns = zip(*in_chunks(count_chunk, smiles, f"count substructures of {name}"), strict=True)
    joined = Counts._make(np.concatenate(column) for column in columns)
    return {field: torch.from_numpy(column) for field, column in joined._asdict().items()}, {}
