"""The training molecules of the models that predict together: the nearest one of each new molecule, by name."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.data.similarity import Packed
from roftbench.predict.held_out import Matrix, Surroundings
from roftbench.predict.neighbors import COUNT, Nearest, nearest, surroundings
from roftbench.predict.saved_model import SavedModel


class Neighbors(NamedTuple):
    """The nearest training molecules of K molecules.

    Attributes:
        similarity: Tanimoto similarity (ECFP4), [K].
        row: Data row in the training table, from 1, [K]; NaN in models of earlier versions.
        labels: Labels, [K, T], NaN where missing.
        ids: Cells of the table's column of identifiers, [K].
        smiles: SMILES, [K], "" where they were removed from the model.
        around: What intervals depend on; None in models of earlier versions.
    """

    similarity: NDArray[np.float64]
    row: NDArray[np.float64]
    labels: Matrix
    ids: list[str]
    smiles: list[str]
    around: Surroundings | None


class References:
    """Training molecules of one or several models.

    Attributes:
        named: Whether every model holds rows and labels of its training molecules.
        has_ids: Whether their tables had a column of identifiers.
        has_smiles: Whether the models hold SMILES.
    """

    def __init__(self, saved: Sequence[SavedModel]) -> None:
        # Models of several seeds have the same training molecules, which are searched once.
        distinct = {(one.data, one.train.tobytes()): one for one in reversed(saved)}
        self._models = list(reversed(distinct.values()))
        self._regression = saved[0].task == "regression"
        self._tasks = len(saved[0].targets)
        training = [one.training for one in saved]
        self.named = all(one is not None for one in training)
        self.has_ids = self.named and any(one is not None and one.ids is not None for one in training)
        self.has_smiles = self.named and any(one is not None and one.smiles is not None for one in training)

    def neighbors(self, queries: Packed) -> Neighbors:
        """Return the nearest training molecules of any of the models; of equally similar ones the first."""
        count = COUNT if self._regression and self.named else 1
        found = [nearest(queries, one.train, count) for one in self._models]
        best = np.stack([one.similarity[:, 0] if one.similarity.size else np.zeros(len(queries)) for one in found])
        owner = best.argmax(axis=0)
        neighbors = self._empty(best.max(axis=0))
        if not self.named:
            return neighbors
        for number, (model, near) in enumerate(zip(self._models, found, strict=True)):
            training = model.training
            assert training is not None
            own = np.flatnonzero(owner == number) if near.place.size else np.empty(0, np.int64)
            place = near.place[own, 0] if near.place.size else own
            neighbors.row[own] = training.rows[place] + 1
            neighbors.labels[own] = training.y[place]
            for texts, given in ((neighbors.ids, training.ids), (neighbors.smiles, training.smiles)):
                if given is not None:
                    for at, index in zip(own.tolist(), place.tolist(), strict=True):
                        texts[at] = given[index]
        return neighbors._replace(around=self._around(queries, found))

    def _empty(self, similarity: NDArray[np.float64]) -> Neighbors:
        count = len(similarity)
        labels = np.full((count, self._tasks), np.nan)
        return Neighbors(similarity, np.full(count, np.nan), labels, [""] * count, [""] * count, None)

    def _around(self, queries: Packed, found: Sequence[Nearest]) -> Surroundings:
        """Return the mean of the surroundings among the training molecules of each model."""
        every = []
        for model, near in zip(self._models, found, strict=True):
            assert model.training is not None
            y = model.training.y if self._regression else None
            every.append(surroundings(queries, model.train, y, near))
        local = [one.local for one in every if one.local is not None]
        similarity = np.mean([one.similarity for one in every], axis=0)
        return Surroundings(similarity, np.mean(local, axis=0) if local else None)
