"""Positional encodings of atoms: Laplacian eigenpairs in a canonical basis, and random-walk return probabilities.

Signs of eigenvectors, and bases of eigenspaces of several dimensions, depend on the library and the processor. The
projector onto an eigenspace does not. Bases are therefore computed from projectors alone (`canonical_basis`), and a
molecule has the same encodings on every machine.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SAME_EIGENVALUE = 1e-6  # far above the error of a solver (1e-14), far below the gaps of molecules
TIE = 1e-6  # relative; entries of equivalent atoms are equal up to rounding, and the first one is chosen
GRID = 2.0**32  # too coarse for rounding errors (1e-12), and contains all midpoints between two float16

Floats = NDArray[np.float64]
Halves = NDArray[np.float16]


def laplacian_eigenpairs(adjacency: Floats, count: int) -> tuple[Halves, Halves]:
    """Return eigenvectors and eigenvalues of L = D − A, [N, count] each, per connected component.

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


def eigenspaces(values: Floats, vectors: Floats) -> Iterator[tuple[float, Floats]]:
    """Yield (eigenvalue, basis [m, dimension]) per eigenspace, from ascending eigenvalues [m] and vectors [m, m]."""
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > SAME_EIGENVALUE)
    ends = np.append(starts[1:], len(values))
    for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
        yield float(values[a:b].mean() if b > a + 1 else values[a]), vectors[:, a:b]


def canonical_basis(basis: Floats, count: int) -> Floats:
    """Return the first vectors, [m, count], of an orthonormal basis that depends only on the space of `basis` [m, d].

    It is Gram-Schmidt on the columns of the projector, the projections of the unit vectors. Each step takes the column
    with the largest remainder (the first among equals), whose vector is positive and largest at that node.
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

    A node without neighbors has 0, but the node of a graph of one node has 1, as in graphium.
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
    """Return values rounded to multiples of 2⁻³² and then to float16, equal on every machine; −0 becomes 0."""
    halves: Halves = (np.rint(values * GRID) / GRID).astype(np.float16) + np.float16(0)
    return halves
