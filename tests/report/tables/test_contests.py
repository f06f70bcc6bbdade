"""Which rows of a table are compared on a data set, over which replicates, and what is bold for it."""

import math

import numpy as np
import pytest
from boards import board_of, changed, computed, example, forests, runs
from folds import SCORES, cross_validated, folds, three
from scipy import stats

from roftbench.report.statistics.contest import CONOVER, TUKEY, Contest, by_unit, units, versus
from roftbench.report.tables.contests import contests_of
from roftbench.report.tables.render import render_markdown
from roftbench.report.tables.shown import shown_tables
from roftbench.store.record_schema import RecordSummary


def contests(records: list[RecordSummary], *words: str) -> list[Contest]:
    board = board_of(records, *words)
    return contests_of(board, shown_tables(board))


def test_replicates_are_folds_splits_subsets_or_seeds() -> None:
    assert units(["0", "1"]) == (["0", "1"], "seeds")
    assert units(["0@0", "1@1"]) == (["0/", "1/"], "folds")
    assert units(["0@0", "1@0", "0@1", "1@1"]) == (["0/", "1/"], "folds")  # seeds of a fold count once
    assert units(["0@3", "1@3"]) == (["0@3", "1@3"], "seeds")  # one fold is one split
    assert units(["0/42/42", "1/42/42"])[1] == "seeds"
    assert units(["0/1/1", "0/2/2"]) == (["1", "2"], "splits")
    assert units(["0/1/5", "0/1/6", "0/2/5", "0/2/6"]) == (["1", "2"], "splits")  # subsets of a split count once
    assert units(["0/42/1", "0/42/2"]) == (["1", "2"], "subsets")
    assert units(["0@0/1/5", "0@0/1/6", "0@1/1/5", "0@1/1/6"]) == (["0/1", "1/1"], "folds")
    assert units(["0@0/1/1", "1@1/1/1", "0@0/2/2"])[1] == "folds"


def test_an_undefined_score_makes_that_of_its_unit_undefined() -> None:
    found = by_unit([("0@0", 1.0), ("1@0", 3.0), ("0@1", 1.0), ("1@1", math.nan)], "folds")
    assert found["0/"] == 2
    assert math.isnan(found["1/"])


def test_rows_of_a_table_are_compared_over_the_folds_of_their_data_set() -> None:
    [one] = contests(three())
    assert ([row.label for row in one.rows], one.kind, one.test_share) == (["LP", "BSS", "ROFT-MOL ‡"], "folds", 0.2)
    assert np.array_equal(one.scores, SCORES)
    assert (one.dataset, one.metric, one.count, one.parts["split"]) == ("esol", "rmse", "10 folds", "cv")
    assert one.test == TUKEY
    assert one.best_set == {0, 1}
    assert one.pairs[0, 2].p < 0.05 < one.pairs[0, 1].p


def test_seeds_of_a_fold_are_averaged() -> None:
    records = [
        *cross_validated(runs("lp", "esol", [1.0, 3.0, 2.0, 4.0]), seeds=2),
        *cross_validated(runs("bss", "esol", [5.0, 5.0, 6.0, 8.0]), seeds=2),
    ]
    [one] = contests(records)
    assert one.scores.tolist() == [[2.0, 5.0], [3.0, 7.0]]


def test_rows_without_all_replicates_or_scores_are_named_and_left_out() -> None:
    by_name = {one.dataset: one for one in contests([*example(), *runs("full_ft", "lipo", [0.7, 0.8])])}
    assert [row.method for row in by_name["lipo"].rows] == ["full_ft", "lp", "my_method"]
    assert by_name["lipo"].incomplete == ("BSS",)
    assert by_name["bace"].incomplete == ("BSS",)  # undefined in a seed
    shifted = [changed(one, f"{one.key}-s", seed=one.job["seed"] + 7) for one in forests("esol", [0.5, 0.6])]
    [one] = contests([*runs("lp", "esol", [1.0, 2.0]), *shifted])
    assert (one.incomplete, one.tested, one.best_set) == (("Random forest · ecfp †",), False, frozenset())


def test_a_baseline_with_more_seeds_is_compared_over_those_of_the_networks() -> None:
    [one] = contests([*runs("lp", "esol", [2.0, 2.1, 2.2]), *forests("esol", [0.5, 0.6, 0.65, 9.0])])
    assert one.scores.tolist() == [[2.0, 0.5], [2.1, 0.6], [2.2, 0.65]]


def test_a_cell_of_a_baseline_with_more_seeds_is_over_those_of_the_networks_beside_it() -> None:
    records = [*runs("lp", "esol", [2.0, 2.1, 2.2]), *forests("esol", [0.5, 0.6, 0.65, 9.0])]
    assert "| Random forest · ecfp † | **0.583 ± 0.062 (3)** |" in render_markdown(computed(records))
    assert "| Random forest · ecfp † | 2.688 ± 3.645 (4) |" in render_markdown(computed(records[3:]))


def test_the_reference_is_the_first_of_its_rows_and_not_the_best_on_test() -> None:
    best = [changed(row, row.key + "-b", model={"name": "zeta"}) for row in runs("lp", "esol", [1.0, 1.1, 1.2])]
    [one] = contests([*runs("lp", "esol", [2.0, 2.1, 2.2]), *best], "group=split,label_ratio")
    assert [row.label for row in one.rows] == ["LP · gin_masking", "LP · zeta"]
    assert (one.reference("lp"), one.reference("roftmol"), one.best) == (0, 1, 1)


def test_seeds_of_a_given_split_leave_its_test_part() -> None:
    def at(records: list[RecordSummary], seed: int, target: str) -> list[RecordSummary]:
        part = {"name": "own", "target": target, "params": {"seed": seed, "val_from_train": 0.1}}
        return [changed(one, f"{one.key}-{seed}", split=part) for one in records]

    rows = [*runs("lp", "esol", [1.0]), *runs("bss", "esol", [2.0])]
    for name, kind in (("predefined.ColumnSplit", "subsets"), ("predefined.FileSplit", "subsets"), ("own", "splits")):
        records = [job for seed in range(3) for job in at(rows, seed, f"roftbench.data.{name}")]
        [one] = contests(records, "pool=split_seed")
        assert (one.kind, len(one.replicates), one.one_split) == (kind, 3, kind == "subsets")


def test_baselines_take_part_and_models_where_rows_are_models() -> None:
    records = [*runs("lp", "esol", [2.0, 2.1, 2.2]), *forests("esol", [0.5, 0.6, 0.65])]
    [one] = contests(records)
    assert [row.label for row in one.rows] == ["LP", "Random forest · ecfp †"]
    assert one.best_set == {1}
    other = [changed(row, row.key + "-b", model={"name": "gcn"}) for row in runs("lp", "esol", [1.0, 1.1, 1.2])]
    [one] = contests([*records, *other], "group=split,label_ratio")
    assert [row.label for row in one.rows] == ["LP · gcn", "LP · gin_masking", "Random forest · ecfp †"]
    assert one.parts["model"] == ""
    assert contests([*records, *other], "group=model,split") == []  # rows of other label ratios


def test_pooled_splits_share_training_molecules_and_pooled_subsets_do_not_change_the_test() -> None:
    def at(records: list[RecordSummary], split: int, subset: int) -> list[RecordSummary]:
        part = {"name": "random", "target": "r", "params": {"seed": split, "fractions": [0.7, 0.1, 0.2]}}
        ratio = {"name": "n50", "seed": subset}
        return [changed(one, f"{one.key}-{split}-{subset}", split=part, label_ratio=ratio) for one in records]

    rows = [*runs("lp", "esol", [1.0]), *runs("bss", "esol", [2.0])]
    [one] = contests([job for i in range(3) for job in at(rows, i, i)], "pool=split_seed")
    assert (one.kind, one.count, one.test_share) == ("splits", "3 splits", pytest.approx(2 / 9))
    [one] = contests([job for i in range(3) for job in at(rows, 0, i)], "pool=split_seed")
    assert (one.kind, one.count, one.test_share) == ("subsets", "3 label subsets", 0.0)


def test_bold_of_two_rows_is_the_paired_t_test() -> None:
    for shift, marked in ((0.2, 1), (0.02, 2)):
        scores = SCORES[:, :2] + np.array([0.0, shift])
        p = stats.ttest_rel(*scores.T).pvalue
        assert (p < 0.05) == (marked == 1)
        found = computed([*folds("lp", scores[:, 0]), *folds("bss", scores[:, 1])])
        text = render_markdown(found).partition("\n## ")[2]
        assert text.count("**") == 2 * marked
        assert versus(found.contests[0], 0, 1).p == pytest.approx(p, rel=1e-5)
        assert "by Tukey HSD over 10 folds." in text
        assert "how training varies" not in text


def test_one_against_another_is_the_reverse_of_the_other_against_the_one() -> None:
    [one] = contests(three())
    there, back = versus(one, 0, 2, 0.1), versus(one, 2, 0, 0.1)
    assert (there.verdict, back.verdict) == ("better", "worse")  # RMSE
    assert there.difference == pytest.approx((SCORES[:, 0] - SCORES[:, 2]).mean()) == -back.difference
    assert (there.low, there.high) == (-back.high, -back.low)
    assert there.corrected_low == pytest.approx(-back.corrected_high)
    assert there.effect == pytest.approx(-back.effect)
    assert (there.p, there.equivalence, there.needed) == (back.p, pytest.approx(back.equivalence), back.needed)
    assert np.isnan(versus(one, 0, 2).equivalence)


@pytest.mark.parametrize("count", [1, 2])
def test_few_equal_or_constant_scores_are_no_error(count: int) -> None:
    for a, b in ((1.0, 1.0), (1.0, 2.0)):
        [one] = contests([*runs("lp", "esol", [a] * count), *runs("bss", "esol", [b] * count)])
        assert one.tested == (count == 2)
        if one.tested:
            found = versus(one, 0, 1, 0.1)
            assert found.verdict == ("not distinguishable" if a == b else "better")
            assert found.equal == (a == b)
    [one] = contests([*runs("lp", "bace", [0.5] * 4), *runs("bss", "bace", [0.6, 0.7, 0.6, 0.5])])
    assert one.test == CONOVER  # one of them does not vary
    assert one.best_set == {0, 1}


def test_ranks_that_agree_by_chance_in_few_replicates_tell_nothing() -> None:
    """Conover's statistic is infinite where all replicates rank alike, though half of all pairs of two do."""
    [one] = contests([*runs("lp", "esol", [1.0, 1.0]), *runs("bss", "esol", [1.1, 1.2])])
    assert (one.test, versus(one, 0, 1).p) == (CONOVER, 0.5)
    assert one.best_set == {0, 1}


def test_scores_of_diverged_trainings_are_not_tested() -> None:
    [one] = contests([*runs("lp", "esol", [1e300, 1.1e300]), *runs("bss", "esol", [1.0, 1.1])])
    assert (one.tested, one.best_set, one.reference("roftmol")) == (False, frozenset(), 1)


def test_a_score_that_is_the_same_in_all_folds_takes_no_part_and_decides_no_test() -> None:
    rows = {"lp": [0.7, 0.72, 0.69], "bss": [0.6, 0.63, 0.61], "my_own": [0.5, 0.5, 0.5]}
    [one] = contests(
        [record for name, scores in rows.items() for record in cross_validated(runs(name, "bace", scores))]
    )
    assert [row.method for row in one.rows] == ["lp", "bss"]
    assert (one.test, one.constant, one.incomplete) == (TUKEY, ("my_own",), ())
    [seeds] = contests([record for name, scores in rows.items() for record in runs(name, "bace", scores)])
    assert (len(seeds.rows), seeds.constant) == (3, ())
