"""Similarities of molecules for estimators: Tanimoto of fingerprints, a Gaussian of embeddings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

NEARLY_CONSTANT = 1e-3  # deviation of a feature, relative to the median of all that vary


def is_fingerprint(x: NDArray[Any]) -> bool:
    """Return whether features are bits or counts; an embedding holds floats."""
    return x.dtype.kind in "biu"


def standardization(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return center and scale [D] that standardize training features x [n, D]; bits and counts stay as they are.

    An encoder may have features that are nearly zero for all training molecules. In units of their own deviation they
    could be 10,000 for another molecule, so they are divided by the median deviation instead.
    """
    if is_fingerprint(x):
        return np.zeros(x.shape[1]), np.ones(x.shape[1])
    center, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    usual = float(np.median(scale[scale > 0])) if scale.any() else 1.0
    return center, np.where(scale < NEARLY_CONSTANT * usual, usual, scale)


def tanimoto(a: NDArray[Any], b: NDArray[Any]) -> Matrix:
    """Return a·b / (a·a + b·b − a·b) for rows of a [m, D] and b [n, D], [m, n]; 1 for two rows of zeros.

    For bits it is the Tanimoto coefficient, for counts its usual generalization; both are kernels (Ralaivola et al.
    2005, Neural Networks 18, 1093).
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    common: Matrix = a @ b.T
    either = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - common
    return np.asarray(np.divide(common, either, out=np.ones_like(common), where=either > 0))


def squared_distances(a: NDArray[Any], b: NDArray[Any]) -> Matrix:
    """Return the mean squared difference per feature of rows of a [m, D] and b [n, D], [m, n]."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares: Matrix = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.maximum(squares, 0) / a.shape[1])
