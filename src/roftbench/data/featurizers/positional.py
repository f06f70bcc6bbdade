"""Where an atom is in its molecule: Laplacian eigenpairs in a canonical basis, and random-walk return probabilities.

An eigensolver may return any signs, and any basis of an eigenspace of several dimensions; which ones depends on the
library and on the processor. The projector onto an eigenspace does not. So the basis is made from the projector alone
(`canonical_basis`), and the same molecule gets the same numbers everywhere.
"""

import numpy as np
from numpy.typing import NDArray

SAME_EIGENVALUE = 1e-6  # far above what a solver gets wrong (1e-14), far below the gaps that molecules have
TIE = 1e-6  # relative; equivalent atoms have equal entries but for rounding, and then the first one counts
GRID = 2.0**32  # what rounding changes (1e-12) vanishes on it; whatever lies halfway between two float16 is on it

Floats = NDArray[np.float64]
Halves = NDArray[np.float16]


def laplacian_eigenpairs(adjacency: Floats, count: int) -> tuple[Halves, Halves]:
    """Return eigenvectors and eigenvalues [N, count] each of L = D − A, for every connected component by itself.

    Column k of a row is the entry of the component's k-th eigenvector (the constant one first), and its eigenvalue.
    Components of fewer than `count` nodes are padded with zeros.
    """
    vectors, values = np.zeros((2, len(adjacency), count))
    for nodes in components(adjacency):
        part = adjacency[np.ix_(nodes, nodes)]
        found = np.linalg.eigh(np.diag(part.sum(axis=1)) - part)
        column = 0
        for value, basis in eigenspaces(found.eigenvalues, found.eigenvectors):
            stop = min(column + basis.shape[1], count)
            vectors[nodes, column:stop] = canonical_basis(basis, stop - column)
            values[nodes, column:stop] = value
            if (column := stop) == count:
                break
    return to_half(vectors), to_half(values)


def components(adjacency: Floats) -> list[NDArray[np.int64]]:
    """Return the nodes of each connected component, ascending; components in the order of their first node."""
    found = []
    left = np.ones(len(adjacency), dtype=bool)
    while left.any():
        inside = np.zeros(len(adjacency), dtype=bool)
        front = np.flatnonzero(left)[:1]
        while len(front):
            inside[front] = True
            front = np.flatnonzero(adjacency[front].any(axis=0) & ~inside)
        left &= ~inside
        found.append(np.flatnonzero(inside))
    return found


def eigenspaces(values: Floats, vectors: Floats) -> list[tuple[float, Floats]]:
    """Group ascending eigenvalues [m] and their eigenvectors [m, m] to (eigenvalue, basis [m, dimension])."""
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > SAME_EIGENVALUE)
    ends = np.append(starts[1:], len(values))
    return [(float(values[a:b].mean()), vectors[:, a:b]) for a, b in zip(starts, ends, strict=True)]


def canonical_basis(basis: Floats, count: int) -> Floats:
    """Return the first vectors, [m, count], of an orthonormal basis that depends only on the space of `basis` [m, d].

    Gram-Schmidt on the columns of the projector, that is, on the projections of the unit vectors: each step takes the
    column with the most left of it (of equals the first). Its vector is positive and largest at that node.
    """
    rest = basis @ basis.T
    chosen = []
    for _ in range(count):
        left = rest.diagonal()
        pivot = int(np.argmax(left > left.max() * (1 - TIE)))
        vector = rest[:, pivot] / np.sqrt(left[pivot])
        chosen.append(vector)
        rest = rest - np.outer(vector, vector)
    return np.stack(chosen, axis=1)


def return_probabilities(adjacency: Floats, steps: int) -> Halves:
    """Return the diagonal of (D⁻¹A)^k for k = 1 … steps, [N, steps].

    A node without neighbors has 0, the one node of a graph of one has 1 (as in graphium).
    """
    if len(adjacency) == 1:
        return np.ones((1, steps), dtype=np.float16)
    return to_half(landing_probabilities(adjacency, steps))


def landing_probabilities(adjacency: Floats, steps: int) -> Floats:
    """Return the diagonal of (D⁻¹A)^k for k = 1 … steps, [N, steps]; a node without neighbors has 0."""
    step = adjacency / np.maximum(adjacency.sum(axis=1, keepdims=True), 1)
    power, found = np.eye(len(adjacency)), []
    for _ in range(steps):
        power = power @ step
        found.append(power.diagonal())
    return np.stack(found, axis=1)


def to_half(values: Floats) -> Halves:
    """Round to float16, by way of multiples of 2⁻³² so that it rounds in the same way everywhere; −0 becomes 0."""
    halves: Halves = (np.rint(values * GRID) / GRID).astype(np.float16) + np.float16(0)
    return halves
