"""Cells side by side: the blocks in which methods can be compared."""

from dataclasses import dataclass

import pandas as pd

from roftbench.report.aggregate import sign

BLOCK = ["setting", "dataset"]


@dataclass(frozen=True)
class Blocks:
    """One row a block, that is (model, split, label ratio, training, data set): a place where methods meet.

    `scores` [block, method]: the mean over seeds, in the metric's own units; NaN where undefined, or where `complete`
    [block, method] says that the method lacks seeds. `began` [block, method]: whether it has any. `about` [block]:
    dataset, task, and sign, -1 where a higher score is better.
    """

    scores: pd.DataFrame
    complete: pd.DataFrame
    began: pd.DataFrame
    about: pd.DataFrame

    @classmethod
    def create(cls, table: pd.DataFrame) -> "Blocks":
        """Arrange `cells`; a method has all its seeds where n is the largest of the setting and task. No baselines."""
        rows = table[~table["baseline"].astype(bool)]
        full = rows["n"] == rows.groupby(["setting", "task"])["n"].transform("max")
        rows = rows.assign(complete=full, began=True, score=rows["mean"].where(full))

        def wide(column: str) -> pd.DataFrame:
            return rows.pivot(index=BLOCK, columns="method", values=column).sort_index()

        about = rows.assign(sign=sign(rows["metric"])).drop_duplicates(BLOCK).set_index(BLOCK).sort_index()
        about = about[["task", "sign"]].assign(dataset=about.index.get_level_values("dataset"))
        flags = [wide(column).notna() & wide(column).eq(True) for column in ("complete", "began")]
        return cls(wide("score").astype(float), flags[0], flags[1], about)

    def improvement(self, reference: "pd.Series[float]", other: "pd.Series[float]") -> "pd.Series[float]":
        """How much better the reference is, in % of the other's score, per block; NaN where that is undefined.

        100 · (other - reference) / |other| where lower is better, 100 · (reference - other) / |other| where higher is.
        Zero for equal scores, also of zero; undefined for any other score beside a zero.
        """
        gain = (other - reference) * self.about["sign"]
        relative = 100 * gain / other.abs().where(other != 0)
        return relative.mask(gain == 0, 0.0)
