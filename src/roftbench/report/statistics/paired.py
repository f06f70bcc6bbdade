"""Paired comparisons and rank tests of methods, as pure functions of `cells`.

    compare(table, reference="roftmol", unit="dataset") -> DataFrame    the reference against each other method
    improvements(table, reference="roftmol") -> DataFrame               the same, data set by data set
    friedman(table) -> Friedman | str                                   all methods at once, or the reason against it
    label_curves(long) -> DataFrame                                     scores against the number of training labels

A *block* is (model, split, label ratio, training, data set); it counts where the methods that are compared have all
their seeds and a defined mean. Baselines take no part.

Blocks of one data set (several splits, label ratios, models) share molecules and labels, so they are not independent:
where no method is better, a test over blocks whose improvements correlate by 0.5 within data sets finds a difference
in about a fifth of all cases. Every test is therefore over data sets: the blocks of one are averaged
first and give one observation. Numbers over blocks are descriptive, without test, interval and verdict.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata

from roftbench.config.method_cards import proposed
from roftbench.report.aggregate import selected
from roftbench.report.cell_key import PARTS
from roftbench.report.format import method_name
from roftbench.report.statistics.blocks import Blocks
from roftbench.report.statistics.contest import by_unit, shared_by, units
from roftbench.report.statistics.inference import (
    ALPHA,
    MIN_PAIRS,
    FloatArray,
    bootstrap_interval,
    critical_difference,
    groups_within,
    holm,
    signed_rank,
)
from roftbench.report.statistics.repeated_measures import corrected_interval

DESCRIPTIVE = "descriptive"
REFERENCE = proposed()
MEAN_OF_OTHERS = "mean of the others"
Unit = Literal["block", "dataset"]
_Row = dict[str, Any]

TESTS = ("low", "high", "p", "p_holm", "ranks")
COLUMNS = [
    *("method", "unit", "n", "blocks", "datasets", "wins", "ties", "losses", "undefined", "incomplete"),
    *("improvement", "low", "high", "improvement_regression", "improvement_classification"),
    *("pairs", "p", "p_holm", "verdict"),
]


def compare(table: pd.DataFrame, reference: str = REFERENCE, unit: Unit = "dataset") -> pd.DataFrame:
    """Return the comparison of the reference with each method of `cells` and with the mean of the others per block.

    One row per method, in alphabetical order, then MEAN_OF_OTHERS if there are two or more; empty if the reference or
    a rival is missing. Columns:

    - n: observations, that is data sets or, with unit="block", blocks; blocks, datasets: how many of both
    - wins, ties, losses: of the reference, over the observations, on unrounded means, the metric's direction respected
    - undefined: blocks left out because a mean, or its relative change, is undefined; incomplete: blocks that either
      method began, but not both have with all seeds (for the mean of the others: not all methods)
    - improvement: mean over the observations of the relative change of the score in %, positive where the reference
      is better: of RMSE its relative reduction, of ROC-AUC its relative rise. The two are different scales, so
      improvement_regression and improvement_classification give them apart (NaN without such blocks)
    - low, high: 95 % percentile bootstrap interval of `improvement` over the data sets, 10,000 draws of a
      fixed seed (NaN for fewer than 6)
    - pairs: observations that are no tie; p: two-sided Wilcoxon signed-rank test of the data sets' relative changes,
      which are free of units, with ties left out before ranking; NaN for fewer than 6 pairs, which cannot reach 0.05
    - p_holm: p after Holm's correction over the methods that have one. The mean of the others is one question of its
      own, outside that family: there it is p
    - verdict: "better" or "worse" (the reference, by the signed ranks) if p_holm < 0.05, else "not distinguishable";
      "too few to test" for fewer than 6 data sets

    With unit="block" nothing is tested: low, high, p and p_holm are NaN, and verdict is DESCRIPTIVE.
    """
    blocks = Blocks.create(table)
    others = [method for method in blocks.methods if method != reference]
    if reference not in blocks.methods or not others:
        return pd.DataFrame(columns=COLUMNS)
    rows = [_versus(blocks, reference, [method], method, unit) for method in others]
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected
    if len(others) > 1:
        rows.append(_versus(blocks, reference, others, MEAN_OF_OTHERS, unit))
    for row in rows:
        row["verdict"] = _verdict(row) if unit == "dataset" else DESCRIPTIVE
    return pd.DataFrame(rows)[COLUMNS]


def _versus(blocks: Blocks, reference: str, others: list[str], name: str, unit: Unit) -> _Row:
    """One row of `compare`, against the mean of `others`; p_holm is still p."""
    change, complete = _changes(blocks, reference, others)
    counted = complete & ~np.isnan(change)
    began = blocks.began[:, [blocks.methods.index(method) for method in (reference, *others)]].any(axis=1)
    values = _observations(blocks, change, counted, unit)
    return {
        "method": name,
        "unit": unit,
        "n": len(values),
        "blocks": int(counted.sum()),
        "datasets": len(np.unique(blocks.dataset[counted])),
        "undefined": int((complete & ~counted).sum()),
        "incomplete": int((began & ~complete).sum()),
        "improvement": _mean(values),
        "improvement_regression": _mean(_observations(blocks, change, counted & blocks.regression, unit)),
        "improvement_classification": _mean(_observations(blocks, change, counted & ~blocks.regression, unit)),
        **_signs(values),
        **(_tests(values) if unit == "dataset" else dict.fromkeys(TESTS, np.nan)),
    }


def _changes(blocks: Blocks, reference: str, others: list[str]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The improvement against the mean of `others` in each block [B], in %, and whether all have all seeds there."""
    first, rest = blocks.methods.index(reference), [blocks.methods.index(method) for method in others]
    change = blocks.improvement(blocks.scores[:, first], blocks.scores[:, rest].mean(axis=1))
    complete: npt.NDArray[np.bool_] = np.asarray(blocks.complete[:, [first, *rest]].all(axis=1))
    return change, complete


def _observations(blocks: Blocks, change: FloatArray, counted: npt.NDArray[np.bool_], unit: Unit) -> FloatArray:
    """The improvements in the counted blocks, or their means over data sets, in the order of the data sets."""
    if unit == "block":
        return change[counted]
    _, place = np.unique(blocks.dataset[counted], return_inverse=True)
    means: FloatArray = np.bincount(place, change[counted]) / np.bincount(place)
    return means


def _signs(values: FloatArray) -> _Row:
    wins, losses = int((values > 0).sum()), int((values < 0).sum())
    return {"wins": wins, "ties": len(values) - wins - losses, "losses": losses, "pairs": wins + losses}


def _tests(values: FloatArray) -> _Row:
    """Return tests and interval of the improvements of independent observations; `values` [n] in %."""
    p, ranks = signed_rank(values)
    low, high = bootstrap_interval(values)
    return {"low": low, "high": high, "p": p, "p_holm": p, "ranks": ranks}


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _verdict(row: _Row) -> str:
    if row["n"] < MIN_PAIRS:
        return "too few to test"
    if not row["p_holm"] < ALPHA:  # NaN is not
        return "not distinguishable"
    return "better" if row["ranks"] > 0 else "worse"


def improvements(table: pd.DataFrame, reference: str = REFERENCE) -> pd.DataFrame:
    """Return the improvement of the reference on each data set of `cells`, which `compare` averages over.

    One row per method and data set with counted blocks. Columns: method, dataset, improvement (mean over its blocks, in
    %), blocks (how many), ahead (in how many the reference is better).
    """
    blocks = Blocks.create(table)
    rows = []
    for method in blocks.methods if reference in blocks.methods else ():
        change, complete = _changes(blocks, reference, [method])
        counted = complete & ~np.isnan(change) & (method != reference)
        for number in np.unique(blocks.dataset[counted]):
            values = change[counted & (blocks.dataset == number)]
            rows.append([method, blocks.names[number], float(values.mean()), len(values), int((values > 0).sum())])
    return pd.DataFrame(rows, columns=["method", "dataset", "improvement", "blocks", "ahead"])


@dataclass(frozen=True)
class Friedman:
    """The Friedman test of all methods over data sets, and Nemenyi's critical difference at ALPHA.

    `ranks`: mean rank of each method over `n` data sets, the best method first, ties sharing the mean rank.
    `statistic` (chi², corrected for ties) and `p`. Two methods differ if their mean ranks do by
    `critical_difference` or more; `groups`: the largest sets of methods of which no two differ, best first,
    in the order of ranks (a method that differs from all others is in none). They mean something only if p < ALPHA.
    """

    ranks: dict[str, float]
    n: int
    statistic: float
    p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]


def friedman(table: pd.DataFrame) -> Friedman | str:
    """Return the Friedman test of all methods of `cells` over data sets, or the reason why there is none.

    The ranks in the blocks that all methods have are averaged over the blocks of a data set, and the methods ranked by
    that average. There is no test for fewer than three methods or two data sets, or if no two scores differ.
    """
    blocks = Blocks.create(table)
    methods = blocks.methods
    if len(methods) < 3:
        return f"it needs at least 3 methods, and there {'is' if len(methods) == 1 else 'are'} {len(methods)}"
    shared, in_blocks = blocks.ranks()
    datasets, place = np.unique(blocks.dataset[shared], return_inverse=True)
    if len(datasets) < 2:
        return _too_few(blocks, len(datasets))
    sums = np.zeros((len(datasets), len(methods)))
    np.add.at(sums, place, in_blocks)
    ranks = rankdata(sums / np.bincount(place)[:, None], axis=1)
    if (ranks == ranks[:, :1]).all():
        return "all methods have equal ranks on every data set"
    result = friedmanchisquare(*ranks.T)
    mean = ranks.mean(axis=0)
    means = {methods[i]: float(mean[i]) for i in np.argsort(mean, kind="stable")}
    distance = critical_difference(len(methods), len(ranks))
    return Friedman(
        ranks=means,
        n=len(ranks),
        statistic=float(result.statistic),
        p=float(result.pvalue),
        critical_difference=distance,
        groups=groups_within(means, distance),
    )


def _too_few(blocks: Blocks, n: int) -> str:
    """Return the reason: the number of observations, and the method that lacks most of them."""
    have = (~np.isnan(blocks.scores)).sum(axis=0)
    least = int(have.argmin())
    name = method_name(blocks.methods[least])
    return (
        f"it needs at least 2 data sets in which all {len(have)} methods have all seeds and a defined score, and there"
        f" {'is' if n == 1 else 'are'} {n}: {name} has {have[least]} of {len(blocks.scores)} blocks"
    )


_CURVE_NOTES = {
    "seeds": "mean over seeds, 95 % t interval (of one label subset)",
    "subsets": "mean over label subsets, 95 % t interval (of one split)",
    "folds": "mean over folds, 95 % interval corrected for the training molecules that they share",
    "splits": "mean over splits, 95 % interval corrected for the training molecules that they share",
}
CURVE = ["setting", *PARTS, "terms", "baseline", "task", "dataset", "metric", "method"]


def label_curves(long: pd.DataFrame) -> pd.DataFrame:
    """Return test scores of the selected params by number of training labels, one row per cell of `long_table`.

    Columns: setting, model, split, label_ratio, train, terms, baseline, task, dataset, metric, method, labels (used for
    weights: labels, not molecules, where a data set has several tasks), mean, low, high (95 % interval of the mean over
    folds, splits or label subsets, whose seeds are averaged first, else over seeds; NaN for one; of folds and splits
    corrected for the training molecules that they share), n, kind (which of these), complete (whether it has all seeds
    of its setting and task), variant. A score that is undefined in any seed makes mean, low and high NaN.
    Rows of one (model, split, train, dataset, method) and variant are one curve, in the order of labels. `variant` is
    the part of a label ratio's name besides the amount, such as "strict" for n50-strict or "seed=1" where there are
    subsets of several seeds; usually it is empty. All labels (`full`) have none, and are the last point of every
    variant. Cells whose number of labels is not known are left out.
    """
    chosen = selected(long).sort_values(["seed", "key"])
    chosen["expected"] = chosen.groupby(["setting", "task"])["replicate"].transform("nunique")
    rows = []
    for key, group in chosen.groupby(CURVE):
        scores: FloatArray = np.asarray(group["test"], dtype=np.float64)
        kind = units(group["replicate"])[1]
        independent = np.array([*by_unit(zip(group["replicate"], scores, strict=True), kind).values()])
        share = shared_by(kind, float(group["test_share"].iloc[0]), len(independent))
        low, high = corrected_interval(independent, share)
        numbers = {"labels": group["labels"].max(), "mean": scores.mean(), "low": low, "high": high, "n": len(scores)}
        numbers["kind"] = kind
        numbers["complete"] = len(scores) == group["expected"].iloc[0]
        rows.append({**dict(zip(CURVE, key, strict=True)), **numbers})
    frame = pd.DataFrame(rows, columns=[*CURVE, "labels", "mean", "low", "high", "n", "kind", "complete"])
    frame["variant"] = [_variant(label_ratio) for label_ratio in frame["label_ratio"]]
    curve = ["model", "split", "train", "variant", "dataset", "method"]
    return frame.dropna(subset="labels").sort_values([*curve, "labels"], ignore_index=True).astype({"labels": int})


def curve_note(curves: pd.DataFrame) -> str:
    """Return in words what the points of `label_curves` are means over, and what their intervals are."""
    kinds = set(curves["kind"])
    return _CURVE_NOTES[kinds.pop()] if len(kinds) == 1 else "mean over seeds, folds or splits, 95 % interval"


def _variant(label_ratio: str) -> str:
    """Return a label ratio's name without the amount: "n50-strict (seed=1)" -> "strict, seed=1"."""
    name, _, told_apart = label_ratio.partition(" (")
    return ", ".join(part for part in (name.partition("-")[2], told_apart.rstrip(")")) if part)
