"""Groups of similar molecules by their ECFP4 bits: Butina clusters, k-means, and chains of similar molecules."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from roftbench.console import bar
from roftbench.data.similarity import QUERIES, REFERENCES, Packed, overlaps, unpacked
from roftbench.data.split import Indices


def neighbors(fingerprint: Packed, similarity: float, name: str) -> csr_array:
    """Return which of N molecules are at least so similar (Tanimoto), [N, N] of ones, each to itself included.

    `fingerprint` [N, bytes] holds packed bits. A bar of this name shows the progress.
    """
    total = len(fingerprint)
    found: list[Indices] = []
    for start in bar(range(0, total, QUERIES), name, "block"):
        found += _similar(fingerprint, start, similarity)
    ends = np.cumsum([0, *map(len, found)])
    columns = np.concatenate([np.empty(0, np.int64), *found])
    return csr_array((np.ones(len(columns), np.uint8), columns, ends), shape=(total, total))


def _similar(fingerprint: Packed, start: int, similarity: float) -> Iterator[Indices]:
    """Yield the neighbors of each molecule of a block, ascending."""
    queries = unpacked(fingerprint[start : start + QUERIES])
    rows: list[list[Indices]] = [[] for _ in queries]
    for first in range(0, len(fingerprint), REFERENCES):
        references = unpacked(fingerprint[first : first + REFERENCES])
        common, either = overlaps(queries, references)
        # A product instead of a quotient, whose rounding would decide ties; 0/0 is 1, as of two equal molecules.
        near = torch.nonzero(common.double() >= similarity * either.double() - 1e-9)
        at, ends = near[:, 1].numpy() + first, np.searchsorted(near[:, 0].numpy(), np.arange(len(queries) + 1))
        for row, (begin, end) in enumerate(pairwise(ends)):
            rows[row].append(at[begin:end])
    yield from map(np.concatenate, rows)


def butina(near: csr_array) -> Indices:
    """Return a cluster number per molecule, [N], numbered in the order in which clusters are formed.

    The molecule with most neighbors takes them all, then the next one that is left (Butina 1999, J. Chem. Inf. Comput.
    Sci. 39, 747). Counts are not updated, and of equal counts the later molecule comes first, as in RDKit.
    """
    sizes = np.diff(near.indptr)
    cluster = np.full(near.shape[0], -1)
    number = 0
    for center in np.lexsort((np.arange(len(sizes)), sizes))[::-1]:
        if cluster[center] < 0:
            members = near.indices[near.indptr[center] : near.indptr[center + 1]]
            cluster[members[cluster[members] < 0]] = number
            number += 1
    return cluster


def chains(near: csr_array) -> Indices:
    """Return a number per molecule, [N], equal where a chain of neighbors leads from one to the other."""
    return np.asarray(connected_components(near, directed=False)[1], dtype=np.int64)


def k_means(fingerprint: Packed, count: int, seed: int) -> Indices:
    """Return the number of one of at most `count` clusters per molecule, [N], by scikit-learn's k-means on the bits."""
    from sklearn.cluster import KMeans  # only here: it takes a second

    bits: NDArray[np.float32] = np.unpackbits(fingerprint, axis=1).astype(np.float32)
    different = len(np.unique(fingerprint, axis=0))
    return np.asarray(KMeans(min(count, different), n_init=1, random_state=seed).fit_predict(bits), dtype=np.int64)
