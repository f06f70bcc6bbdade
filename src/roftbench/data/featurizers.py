"""The kinds of graphs that an encoder may ask for by name.

"hu" graphs are made of every data set: they decide which molecules are kept, and sizes and splits. Graphs of another
kind are made of the molecules kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from roftbench.data import featurize, minimol_features, ogb_features

HU = "hu"


@dataclass(frozen=True)
class Featurizer:
    """`chunk` turns some SMILES into packed graphs, in a worker process if need be; `version` is that of its code."""

    chunk: Callable[[Sequence[str]], dict[str, NDArray[Any]]]
    version: int


def _hu_chunk(smiles: Sequence[str]) -> dict[str, NDArray[Any]]:
    return featurize.featurize_chunk(smiles).graphs


FEATURIZERS = {
    HU: Featurizer(_hu_chunk, featurize.VERSION),
    "minimol": Featurizer(minimol_features.featurize_chunk, minimol_features.VERSION),
    "ogb": Featurizer(ogb_features.featurize_chunk, ogb_features.VERSION),
    "ogb_rwse": Featurizer(ogb_features.featurize_chunk_with_walks, ogb_features.VERSION),
}
