"""Scores of methods by block, for paired comparisons."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from roftbench.report.aggregate import sign
from roftbench.report.statistics.inference import FloatArray

BLOCK = ["setting", "dataset"]


@dataclass(frozen=True)
class Blocks:
    """Scores of M methods in B blocks, which are combinations of model, split, label ratio, training and data set.

    `methods` [M], sorted. `scores` [B, M]: the mean over seeds, in the metric's own units; NaN where undefined, or
    where the method lacks seeds (not `complete` [B, M]). `began` [B, M]: whether it has any seed. `sign` [B]: -1
    where a higher score is better. `regression` [B]: the task. `dataset` [B]: the number of the data set, of those in
    `names`. Data sets of one name count as one even if they differ ("esol (sha256=…)"), since they
    are assumed to share molecules.
    """

    methods: list[str]
    scores: FloatArray
    complete: npt.NDArray[np.bool_]
    began: npt.NDArray[np.bool_]
    sign: FloatArray
    regression: npt.NDArray[np.bool_]
    dataset: npt.NDArray[np.int64]
    names: list[str]

    @classmethod
    def create(cls, table: pd.DataFrame) -> "Blocks":
        """Arrange `cells`; a method has all its seeds where n is n_expected. No baselines."""
        rows = table[~table["baseline"].astype(bool)]
        full = (rows["n"] == rows["n_expected"]).to_numpy(dtype=bool)
        block = rows.groupby(BLOCK).ngroup().to_numpy()
        method, methods = pd.factorize(rows["method"], sort=True)
        shape = (int(block.max(initial=-1)) + 1, len(methods))
        scores, complete, began = np.full(shape, np.nan), np.zeros(shape, bool), np.zeros(shape, bool)
        scores[block, method] = np.where(full, rows["mean"], np.nan)
        complete[block, method] = full
        began[block, method] = True
        first = np.unique(block, return_index=True)[1]
        about = rows.iloc[first]
        signs: FloatArray = np.asarray(sign(about["metric"]), dtype=np.float64)
        task = (about["task"] == "regression").to_numpy(dtype=bool)
        dataset, names = pd.factorize(about["dataset"].str.partition(" (")[0], sort=True)
        number = dataset.astype(np.int64)
        return cls(list(map(str, methods)), scores, complete, began, signs, task, number, list(map(str, names)))

    def ranks(self) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Return which blocks all methods have [B], and the ranks [S, M] in these, 1 the best; ties share the mean."""
        shared: npt.NDArray[np.bool_] = np.asarray(~np.isnan(self.scores).any(axis=1))
        return shared, rankdata((self.scores * self.sign[:, None])[shared], axis=1)

    def improvement(self, reference: FloatArray, other: FloatArray) -> FloatArray:
        """Return the improvement of the reference [B], in % of the other's score [B]; NaN where it is undefined.

        100 · (other - reference) / |other| where lower is better, 100 · (reference - other) / |other| where higher is.
        Zero for equal scores, also of zero; undefined for any other score beside a zero.
        """
        gain = (other - reference) * self.sign
        relative = 100 * gain / np.where(other == 0, np.nan, np.abs(other))
        return np.where(gain == 0, 0.0, relative)
