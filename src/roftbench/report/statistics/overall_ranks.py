"""Average ranks over all data sets, splits and label ratios of a model."""

import numpy as np
import pandas as pd

from roftbench.report.statistics.blocks import Blocks
from roftbench.report.statistics.comparison import sections
from roftbench.report.statistics.paired import REFERENCE

COLUMNS = ["train", "model", "scope", "method", "average_rank", "blocks", "of"]


def overall_ranks(table: pd.DataFrame, reference: str = REFERENCE) -> pd.DataFrame:
    """Return the average rank of each method of `cells` over blocks of split, label ratio and data set; ties share.

    One row per section (`sections`: model, or all models, and training setting), scope (all, regression,
    classification) and method. Only blocks in which every method of the section has all seeds and a defined mean
    count: `blocks` of `of`. NaN where there is none.
    """
    rows = []
    for section in sections(table, reference):
        for scope, scored in section.scopes():
            blocks = Blocks.create(scored)
            shared, ranks = blocks.ranks()
            means = ranks.mean(axis=0) if len(ranks) else np.full(len(blocks.methods), np.nan)
            counts = int(shared.sum()), len(shared)
            rows += [
                [section.train, section.model, scope, method, float(mean), *counts]
                for method, mean in zip(blocks.methods, means, strict=True)
            ]
    return pd.DataFrame(rows, columns=COLUMNS)
