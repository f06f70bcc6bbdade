"""Paired comparison, Friedman test and curves on scores whose results are known."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_records import record
from msgspec.structs import replace
from scipy import stats
from score_tables import long_of, of, table_of

from roftbench.report.aggregate import cells
from roftbench.report.statistics.paired import (
    COLUMNS,
    MEAN_OF_OTHERS,
    Friedman,
    compare,
    friedman,
    improvements,
    label_curves,
)


def one(frame: pd.DataFrame, method: str) -> dict[str, Any]:
    [row] = frame[frame["method"] == method].to_dict("records")
    return {str(key): value for key, value in row.items()}


def rmse(**scores: list[float]) -> pd.DataFrame:
    """One block a data set d0, d1, …, all RMSE."""
    return table_of({m: {f"d{i}": x for i, x in enumerate(row)} for m, row in scores.items()})


def test_wins_and_improvement_by_hand() -> None:
    table = table_of(
        {"roftmol": {"esol": 0.9, "lipo": 1.1, "bace": 0.6}, "lp": {"esol": 1.0, "lipo": 1.0, "bace": 0.5}}
    )
    row = one(compare(table), "lp")
    # RMSE falls by 10 %, rises by 10 %; ROC-AUC rises by 20 %.
    assert (row["n"], row["blocks"], row["datasets"]) == (3, 3, 3)
    assert (row["wins"], row["ties"], row["losses"]) == (2, 0, 1)
    assert row["improvement"] == pytest.approx(20 / 3)
    assert row["improvement_regression"] == pytest.approx(0)
    assert row["improvement_classification"] == pytest.approx(20)
    assert math.isnan(row["p"])
    assert math.isnan(row["p_holm"])
    assert row["verdict"] == "too few to test"


def test_the_reference_can_be_another_method() -> None:
    table = table_of({"roftmol": {"esol": 0.8}, "lp": {"esol": 1.0}})
    assert one(compare(table, "lp"), "roftmol")["improvement"] == pytest.approx(-25)
    assert compare(table, "bss").empty
    assert list(compare(table, "bss").columns) == COLUMNS
    assert compare(table[table["method"] == "roftmol"]).empty


def test_equal_scores_are_ties_and_no_evidence() -> None:
    scores = [1.0, 2.0, 0.0, 4.0, 5.0, 6.0]
    row = one(compare(rmse(roftmol=scores, lp=scores)), "lp")
    assert (row["wins"], row["ties"], row["losses"], row["pairs"]) == (0, 6, 0, 0)
    assert (row["improvement"], row["low"], row["high"]) == (0, 0, 0)
    assert math.isnan(row["p"])
    assert row["verdict"] == "not distinguishable"


@pytest.mark.parametrize(("factor", "verdict"), [(0.9, "better"), (1.1, "worse")])
def test_verdict_and_p_of_one_rival(factor: float, verdict: str) -> None:
    others = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    ours = [x * (factor + 0.001 * i) for i, x in enumerate(others)]
    row = one(compare(rmse(roftmol=ours, lp=others)), "lp")
    assert row["p"] == row["p_holm"] == 2 / 64
    assert row["verdict"] == verdict
    assert row["low"] <= row["improvement"] <= row["high"]


def test_a_higher_roc_auc_is_better() -> None:
    table = rmse(**{m: [score + 0.01 * i for i in range(6)] for m, score in (("roftmol", 0.7), ("lp", 0.6))})
    row = one(compare(table.assign(metric="roc_auc", task="classification")), "lp")
    assert (row["wins"], row["verdict"]) == (6, "better")
    assert row["improvement"] == pytest.approx(100 * np.mean([0.1 / (0.6 + 0.01 * i) for i in range(6)]))


def test_p_is_that_of_scipy_on_relative_changes_and_holm_is_over_the_rivals() -> None:
    draws = np.random.default_rng(0)
    base = draws.uniform(1, 50, size=12)  # units differ a lot
    scores = {
        m: list(base * draws.normal(center, 0.02, 12)) for m, center in (("roftmol", 0.97), ("lp", 1), ("bss", 0.98))
    }
    frame = compare(rmse(**scores))
    ours = np.array(scores["roftmol"])
    p = {m: stats.wilcoxon((np.array(scores[m]) - ours) / np.array(scores[m])).pvalue for m in ("lp", "bss")}
    assert one(frame, "lp")["p"] == pytest.approx(p["lp"])
    assert one(frame, "bss")["p"] == pytest.approx(p["bss"])
    low, high = sorted(p, key=lambda m: p[m])
    assert one(frame, low)["p_holm"] == pytest.approx(2 * p[low])
    assert one(frame, high)["p_holm"] == pytest.approx(max(2 * p[low], p[high]))


def test_the_mean_of_the_others_is_over_their_scores_and_outside_the_family() -> None:
    others = np.arange(1.0, 7.0)
    frame = compare(rmse(roftmol=list(others * 1.1), lp=list(others * 1.2), bss=list(others * 1.4)))
    assert frame["method"].tolist() == ["bss", "lp", MEAN_OF_OTHERS]
    row = one(frame, MEAN_OF_OTHERS)
    assert row["improvement"] == pytest.approx(100 * 0.2 / 1.3)
    assert row["p_holm"] == row["p"] == 2 / 64
    assert one(frame, "lp")["p_holm"] == 4 / 64
    assert one(frame, "lp")["verdict"] == "not distinguishable"
    assert MEAN_OF_OTHERS not in set(compare(rmse(roftmol=[1.0], lp=[2.0]))["method"])


def test_blocks_short_of_seeds_do_not_count_and_are_told() -> None:
    table = cells(
        long_of(
            *(of(m, "esol", [1.0, 1.0]) for m in ("roftmol", "lp", "bss")),
            *(of("roftmol", "lipo", [0.5, 0.5]), of("lp", "lipo", [1.0])),  # lp lacks a seed, bss all
            *(of("lp", "freesolv", [0.1, 0.1]), of("bss", "bace", [0.9, 0.9])),  # not roftmol
        )
    )
    frame = compare(table)
    lp, bss, mean = (one(frame, name) for name in ("lp", "bss", MEAN_OF_OTHERS))
    assert (lp["blocks"], lp["ties"], lp["losses"], lp["incomplete"]) == (1, 1, 0, 2)
    assert (bss["blocks"], bss["incomplete"]) == (1, 2)
    assert (mean["blocks"], mean["incomplete"]) == (1, 3)


def test_all_seeds_are_those_of_the_setting_and_task() -> None:
    """Where every method has one seed of lipo's setting, one is all; classification does not decide for regression."""
    table = cells(
        long_of(
            *(of(m, "esol", [1.0, 1.0], labels="n50") for m in ("roftmol", "lp")),
            *(of(m, "lipo", [1.0], labels="n100") for m in ("roftmol", "lp")),
            *(of(m, "bace", [0.5, 0.5, 0.5], labels="n50") for m in ("roftmol", "lp")),
        )
    )
    assert one(compare(table), "lp")["blocks"] == 3


def test_undefined_means_are_left_out_and_counted() -> None:
    table = table_of(
        {
            "roftmol": {"bace": None, "bbbp": 0.6, "esol": 1.0},
            "lp": {"bace": 0.5, "bbbp": 0.5, "esol": 0.0},  # no change can be relative to zero
        }
    )
    row = one(compare(table), "lp")
    assert (row["blocks"], row["undefined"], row["incomplete"], row["wins"]) == (1, 2, 0, 1)


def test_baselines_take_no_part() -> None:
    table = table_of({"roftmol": {"esol": 1.0}, "lp": {"esol": 2.0}})
    baseline = table.assign(baseline=True, method="random_forest", setting="other")
    pd.testing.assert_frame_equal(compare(pd.concat([table, baseline])), compare(table))
    with_third = friedman(pd.concat([table, baseline]))
    assert with_third == "it needs at least 3 methods, and there are 2"


def repeated() -> pd.DataFrame:
    """Two data sets: one with five blocks in which ROFT-MOL gains 10 %, one with a single one, where it loses 20 %."""
    ratios = ["n50", "n100", "n500", "full"]
    many = [of(m, "esol", [x], labels=r) for r in ratios for m, x in (("roftmol", 0.9), ("lp", 1.0), ("bss", 3.0))]
    more = [of(m, "esol", [x], split="random") for m, x in (("roftmol", 0.9), ("lp", 1.0), ("bss", 3.0))]
    single = [of(m, "lipo", [x]) for m, x in (("roftmol", 1.2), ("lp", 1.0), ("bss", 0.5))]
    return cells(long_of(*many, *more, *single))


def test_a_data_set_can_be_one_observation() -> None:
    table = repeated()
    row = one(compare(table, unit="block"), "lp")
    assert (row["n"], row["wins"], row["losses"]) == (6, 5, 1)
    assert row["improvement"] == pytest.approx((5 * 10 - 20) / 6)
    assert row["verdict"] == "descriptive"
    assert all(math.isnan(row[name]) for name in ("low", "high", "p", "p_holm"))
    row = one(compare(table), "lp")
    assert (row["n"], row["blocks"], row["datasets"], row["wins"], row["losses"]) == (2, 6, 2, 1, 1)
    assert row["improvement"] == pytest.approx((10 - 20) / 2)
    assert row["verdict"] == "too few to test"


def test_what_shares_a_name_is_one_data_set() -> None:
    """A table whose content changed, or that is scored by another metric, keeps most of its molecules."""
    table = repeated()
    other = table.assign(dataset=table["dataset"].replace("esol", "esol (sha256=abc)"), setting=table["setting"] + "b")
    both = pd.concat([table, other])
    row = one(compare(both), "lp")
    assert (row["n"], row["blocks"], row["improvement"]) == (2, 12, pytest.approx((10 - 20) / 2))
    each = improvements(both)
    assert each[each["method"] == "lp"].to_numpy().tolist() == [
        ["lp", "esol", pytest.approx(10), 10, 10],
        ["lp", "lipo", pytest.approx(-20), 2, 0],
    ]


def test_without_effect_the_reported_test_is_right_and_one_over_blocks_would_not_be() -> None:
    """9 data sets of 4 blocks whose improvements correlate by 0.5 within a data set, and no method is better."""
    draws, datasets, blocks, times = np.random.default_rng(0), 9, 4, 100
    parts = [
        of(m, f"d{i}", [1.0], split=f"s{j}") for i in range(datasets) for j in range(blocks) for m in ("lp", "bss")
    ]
    table = cells(long_of(*parts))
    ours = (table["method"] == "bss").to_numpy()
    place = pd.factorize(table["dataset"])[0][ours]
    reported = over_blocks = 0
    for _ in range(times):
        gains = 0.02 * (draws.normal(size=datasets)[place] + draws.normal(size=len(place))) / math.sqrt(2)
        scores = table["mean"].to_numpy(copy=True)
        scores[ours] -= gains
        found = one(compare(table.assign(mean=scores), "bss"), "lp")
        reported += found["verdict"] in ("better", "worse")
        over_blocks += stats.wilcoxon(gains).pvalue < 0.05
    assert reported / times <= 0.06
    assert over_blocks / times >= 0.15


def test_comparison_does_not_depend_on_the_order_of_rows() -> None:
    table = repeated()
    pd.testing.assert_frame_equal(compare(table.sample(frac=1, random_state=3)), compare(table))
    assert friedman(table.sample(frac=1, random_state=3)) == friedman(table)


# Demšar (2006), table 6: ranks of C4.5 and three ways of tuning it by AUC on 14 data sets.
DEMSAR = {
    "c45": [4, 1, 4, 4, 4, 1, 3, 2.5, 4, 2.5, 4, 3, 4, 3],
    "m": [3, 2, 1, 1, 2, 2.5, 2, 2.5, 3, 2.5, 2.5, 2, 1, 1],
    "cf": [2, 3, 2, 3, 3, 4, 4, 4, 2, 2.5, 1, 4, 2, 4],
    "m_cf": [1, 4, 3, 2, 1, 2.5, 1, 1, 1, 2.5, 2.5, 1, 3, 2],
}


def test_friedman_as_published() -> None:
    """His statistic is 9.28 before the correction for ties, whose groups are of 2, 2, 4 and 2 methods."""
    result = friedman(rmse(**DEMSAR))
    assert isinstance(result, Friedman)
    assert {m: round(rank, 3) for m, rank in result.ranks.items()} == {
        "m_cf": 1.964,
        "m": 2.0,
        "cf": 2.893,
        "c45": 3.143,
    }
    assert result.statistic * (1 - (3 * 6 + 60) / (14 * 4 * 15)) == pytest.approx(9.28, abs=0.01)
    assert result.p == pytest.approx(stats.chi2.sf(result.statistic, 3))
    assert result.n == 14
    assert round(result.critical_difference, 2) == 1.25
    assert result.groups == (("m_cf", "m", "cf", "c45"),)


def test_friedman_respects_the_direction() -> None:
    scores = {"full_ft": 0.9, "lp": 0.8, "bss": 0.7}
    table = table_of({m: {"bace": x, "bbbp": x - 0.1, "esol": 1 - x, "lipo": 2 - x} for m, x in scores.items()})
    result = friedman(table)
    assert isinstance(result, Friedman)
    assert result.ranks == {"full_ft": 1.0, "lp": 2.0, "bss": 3.0}
    assert result.statistic == pytest.approx(8)  # all agree: N (k - 1)


def test_friedman_over_data_sets_ranks_the_mean_ranks() -> None:
    found = friedman(repeated())  # the five blocks of esol have the weight of the one of lipo
    assert isinstance(found, Friedman)
    assert found.n == 2
    assert found.ranks == {"bss": 2.0, "lp": 2.0, "roftmol": 2.0}
    assert found.groups == (("bss", "lp", "roftmol"),)


def test_a_data_set_of_many_blocks_has_whole_ranks() -> None:
    """ROFT-MOL, LP, BSS in the blocks of esol: 1 2 3, 1 2 3, 1 3 2; their means 1, 2.33, 2.67 are ranked as 1, 2, 3."""
    blocks = {"n50": (1.0, 2.0, 3.0), "n100": (1.0, 2.0, 3.0), "full": (1.0, 3.0, 2.0)}
    methods = ("roftmol", "lp", "bss")
    esol = [of(m, "esol", [x], r) for r, row in blocks.items() for m, x in zip(methods, row, strict=True)]
    lipo = [of(m, "lipo", [x]) for m, x in zip(methods, (2.0, 1.0, 3.0), strict=True)]
    result = friedman(cells(long_of(*esol, *lipo)))
    assert isinstance(result, Friedman)
    assert result.ranks == {"lp": 1.5, "roftmol": 1.5, "bss": 3.0}


def test_friedman_ranks_only_blocks_that_all_methods_have() -> None:
    scores = {"full_ft": 1.0, "lp": 2.0, "bss": 3.0}
    full = [of(m, d, [x, x]) for d in ("esol", "lipo") for m, x in scores.items()]
    short = [of("full_ft", "freesolv", [9.0, 9.0]), of("lp", "freesolv", [8.0, 8.0]), of("bss", "freesolv", [1.0])]
    result = friedman(cells(long_of(*full, *short)))
    assert isinstance(result, Friedman)
    assert (result.n, result.ranks) == (2, {"full_ft": 1.0, "lp": 2.0, "bss": 3.0})


def test_friedman_says_why_it_cannot_be_done() -> None:
    assert friedman(rmse(lp=[1, 2])) == "it needs at least 3 methods, and there is 1"
    scores = {"full_ft": {"esol": 1.0, "lipo": 1.0}, "lp": {"esol": 1.0, "lipo": 2.0}, "bss": {"esol": 1.0}}
    assert friedman(table_of(scores)) == (
        "it needs at least 2 data sets in which all 3 methods have all seeds and a defined score, and there is 1:"
        " BSS has 1 of 2 blocks"
    )
    five_blocks = repeated()[lambda t: t["dataset"] == "esol"]
    assert str(friedman(five_blocks)).endswith("and there is 1: BSS has 5 of 5 blocks")
    assert friedman(rmse(a=[1, 2], b=[1, 2], c=[1, 2])) == "all methods have equal ranks on every data set"


def test_a_curve_has_a_point_a_label_ratio_with_its_t_interval() -> None:
    long = long_of(of("lp", "esol", [1.0, 2.0, 3.0], labels="full"), of("lp", "esol", [4.0, 5.0, 9.0], labels="n50"))
    curve = label_curves(long)
    assert curve["labels"].tolist() == [50, 902]
    assert curve["mean"].tolist() == [6.0, 2.0]
    assert curve["n"].tolist() == [3, 3]
    oracle = stats.t.interval(0.95, 2, loc=6, scale=stats.sem([4.0, 5.0, 9.0]))
    assert curve.loc[0, ["low", "high"]].tolist() == pytest.approx(oracle)


def test_intervals_of_a_curve_over_folds_are_corrected_for_what_folds_share() -> None:
    scores = [1.0, 1.3, 0.9, 1.2, 1.1]
    split = {"name": "cv", "target": "cv"}
    folds = [
        replace(one, key=str(fold), job={**one.job, "split": {**split, "params": {"folds": 5, "fold": fold}}})
        for fold, score in enumerate(scores)
        for one in of("lp", "esol", [score])
    ]
    [point] = label_curves(long_of(folds)).to_dict("records")
    error = np.std(scores, ddof=1) * np.sqrt(1 / 5 + 0.2 / 0.8)
    assert (point["low"], point["high"]) == pytest.approx(stats.t.interval(0.95, 4, loc=1.1, scale=error))
    assert (point["kind"], point["n"]) == ("folds", 5)


def test_curves_show_the_selected_hyperparameters() -> None:
    searched = record("l2_sp", "esol", candidates={0.1: (1.0, 5.0), 1: (0.5, 7.0)})  # 1 is better on validation
    assert label_curves(long_of([searched]))["mean"].tolist() == [7.0]


def test_points_that_are_short_of_seeds_or_undefined_are_told() -> None:
    long = long_of(
        *(of("lp", "bace", [0.5, 0.6]), of("bss", "bace", [0.5])),
        *(of("lp", "bace", [0.5, None], labels="n50"), of("bss", "bace", [0.7], labels="n100")),
    )
    curves = label_curves(long).set_index(["method", "labels"])
    assert curves["complete"].to_dict() == {
        ("bss", 100): True,
        ("bss", 902): False,
        ("lp", 50): True,
        ("lp", 902): True,
    }
    assert math.isnan(curves.loc[("lp", 50), "mean"])
    assert math.isnan(curves.loc[("bss", 100), "low"])


def test_variants_of_a_label_ratio_are_told_apart() -> None:
    ratios = [
        {"name": "n50", "seed": 0},
        {"name": "n50", "seed": 1},
        {"name": "n100-stratified-strict"},
        {"name": "full"},
    ]
    records = [of("lp", "esol", [1.0], label_ratio=ratio, labels=str(ratio)) for ratio in ratios]
    variants = label_curves(long_of(*records)).set_index("label_ratio")["variant"].to_dict()
    assert variants == {
        "n50 (seed=0)": "seed=0",
        "n50 (seed=1)": "seed=1",
        "n100-stratified-strict": "stratified-strict",
        "full": "",
    }


def test_cells_without_a_number_of_labels_have_no_point() -> None:
    long = long_of(of("lp", "esol", [1.0]), of("lp", "lipo", [1.0]))
    curves = label_curves(long.assign(labels=[902.0, math.nan]))
    assert curves["dataset"].tolist() == ["esol"]
    assert curves["labels"].tolist() == [902]
