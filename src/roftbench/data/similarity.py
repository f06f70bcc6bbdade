"""Tanimoto similarity of test molecules to their nearest training molecules."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.console import bar
from roftbench.data.split import Indices

PAIRS = 200_000_000  # beyond this number of pairs, a sample of the test molecules is compared
SAMPLE = 1000
SEED = 42  # of the sample
QUERIES, REFERENCES = 1024, 8192  # compared at a time: 32 MB per matrix
LEVELS = {"share_0_4": 0.4, "share_0_7": 0.7, "share_1_0": 1.0}

Packed = NDArray[np.uint8]
Similarities = NDArray[np.float64]


def similarity_report(fingerprint: Packed, train: Indices, test: Indices, name: str) -> dict[str, Any]:
    """Return statistics of the similarity of test molecules to their nearest training molecules, None without any.

    Args:
        fingerprint: packed bits of all molecules, [N, bytes].
        train: indices of the training part.
        test: indices of the test part.
        name: title of the progress bar.

    Returns:
        sampled (size of the sample of test molecules, or None), mean, median, and the shares of `LEVELS`.
    """
    few = len(test) * len(train) > PAIRS and len(test) > SAMPLE
    compared = np.sort(np.random.RandomState(SEED).choice(test, SAMPLE, replace=False)) if few else test
    found = nearest(fingerprint[compared], fingerprint[train], name) if len(train) else np.empty(0)
    return {
        "sampled": SAMPLE if few else None,
        "mean": float(found.mean()) if len(found) else None,
        "median": float(np.median(found)) if len(found) else None,
        **{key: float((found >= level).mean()) if len(found) else None for key, level in LEVELS.items()},
    }


def nearest(queries: Packed, references: Packed, name: str | None) -> Similarities:
    """Return the highest Tanimoto similarity of each query to any reference, [Q], in [0, 1].

    Common bits are counted by a product of 0/1 matrices in float32, which is exact.

    Args:
        queries: packed bits, [Q, bytes].
        references: packed bits, [R, bytes].
        name: title of the progress bar, None for no bar.
    """
    best = np.zeros(len(queries))
    blocks = [(i, j) for i in range(0, len(queries), QUERIES) for j in range(0, len(references), REFERENCES)]
    for i, j in blocks if name is None else bar(blocks, name, "block"):
        found = _nearest(unpacked(queries[i : i + QUERIES]), unpacked(references[j : j + REFERENCES]))
        best[i : i + QUERIES] = np.maximum(best[i : i + QUERIES], found)
    return best


def _nearest(queries: Tensor, references: Tensor) -> Similarities:
    common, either = overlaps(queries, references)
    either.clamp_(min=1)
    place = (common / either).argmax(dim=1, keepdim=True)
    # The division is repeated in float64, so that a similarity of 7/10 is not below 0.7.
    return (common.gather(1, place).double() / either.gather(1, place).double())[:, 0].numpy()


def overlaps(queries: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many bits each query and reference have in common, and how many either has, both [Q, R]."""
    common = queries @ references.T
    return common, (queries.sum(dim=1)[:, None] + references.sum(dim=1)).sub_(common)


def unpacked(packed: Packed) -> Tensor:
    """Return bits [N, 8 · bytes] as floats."""
    return torch.from_numpy(np.unpackbits(packed, axis=1)).float()
