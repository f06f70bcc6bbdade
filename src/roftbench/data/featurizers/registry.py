"""The kinds of graphs that an encoder may ask for by name.

"hu" graphs are made of every data set: they decide which molecules are kept, and sizes and splits. Graphs of another
kind are made of the molecules kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from roftbench.data.featurizers import graphium, hu, ogb

HU = "hu"


@dataclass(frozen=True)
class Featurizer:
    """`chunk` turns some SMILES into packed graphs, in a worker process if need be; `version` is that of its code."""

    chunk: Callable[[Sequence[str]], dict[str, NDArray[Any]]]
    version: int


def _hu_chunk(smiles: Sequence[str]) -> dict[str, NDArray[Any]]:
    return hu.featurize_chunk(smiles).graphs


FEATURIZERS = {
    HU: Featurizer(_hu_chunk, hu.VERSION),
    "minimol": Featurizer(graphium.featurize_chunk, graphium.VERSION),
    "ogb": Featurizer(ogb.featurize_chunk, ogb.VERSION),
    "ogb_rwse": Featurizer(ogb.featurize_chunk_with_walks, ogb.VERSION),
}
