"""Nearest neighbors: the mean label of the training molecules that are most similar."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from roftbench.errors import check_choice, check_range
from roftbench.methods.estimator import Estimator, Labels, Predict, in_blocks
from roftbench.methods.kernels import Matrix, is_fingerprint, squared_distances, standardization, tanimoto

ROWS = 512  # queries at a time
WEIGHTS = ("similarity", "uniform")


@dataclass(frozen=True)
class NearestNeighbors(Estimator):
    """Mean label of the `n_neighbors` nearest by Tanimoto similarity, of embeddings by distance once standardized.

    Ties go to the molecule that comes first in the training part. `weights` "similarity" weighs a neighbor by its
    similarity, of embeddings by 1 / (1 + distance).
    """

    protocol: ClassVar[int | None] = 2  # up to 1, features of embeddings that hardly vary could explode
    n_neighbors: int = 5
    weights: str = "similarity"

    def __post_init__(self) -> None:
        check_range("n_neighbors", self.n_neighbors, 1)
        check_choice("weights", self.weights, WEIGHTS)

    def fit(self, x: NDArray[Any], y: Labels, task: str, *, seed: int, threads: int) -> Predict:
        """Keep the training molecules."""
        return self.restored({"x": x, "y": y}, task)

    def arrays(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the training features [n, D] and labels [n]."""
        assert isinstance(predict, partial)
        return {"x": predict.args[0], "y": predict.args[1]}

    def restored(self, arrays: Mapping[str, NDArray[Any]], task: str) -> Predict:
        """Return the same predictions from the arrays."""
        return partial(_neighbors, arrays["x"], arrays["y"], self.n_neighbors, self.weights == "similarity")


def _neighbors(train: NDArray[Any], y: Labels, count: int, weighted: bool, x: NDArray[Any]) -> Labels:
    similarity = _similarity_to(train)
    return in_blocks(lambda block: _mean(similarity(block), y, count, weighted), ROWS, x)


def _similarity_to(train: NDArray[Any]) -> Callable[[NDArray[Any]], Matrix]:
    """Return the function from features [m, D] to similarities to the training molecules, [m, n]."""
    if is_fingerprint(train):
        return lambda x: tanimoto(x, train)
    center, scale = standardization(train)
    standardized = (train - center) / scale
    return lambda x: 1 / (1 + np.sqrt(squared_distances((x - center) / scale, standardized)))


def _mean(similarity: Labels, y: Labels, count: int, weighted: bool) -> Labels:
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    weight = np.take_along_axis(similarity, nearest, axis=1) if weighted else np.ones(nearest.shape)
    weight[weight.sum(axis=1) == 0] = 1  # nothing in common with any training molecule
    return np.asarray((weight * y[nearest]).sum(axis=1) / weight.sum(axis=1))
