"""Long table, selection, cells and ranks on records with numbers worked out by hand."""

import copy
import math
from typing import Any

import pandas as pd
import pytest
from made_records import record, runs
from msgspec import structs

from roftbench.report.aggregate import cells, long_table, mean_rank, select
from roftbench.report.cell_key import canonical_json
from roftbench.store.record_schema import RecordSummary


def ranks_of(records: list[dict[str, Any]]) -> dict[str, float | None]:
    table = mean_rank(cells(long_table(records)))
    return {m: None if math.isnan(r) else r for m, r in zip(table["method"], table["average_rank"], strict=True)}


def test_canonical_json_does_not_tell_1_from_1_0_but_true_from_1() -> None:
    assert (
        canonical_json({"b": [1.0, 0.1], "a": None})
        == '{"a":null,"b":[1,0.1]}'
        == canonical_json({"a": None, "b": (1, 0.1)})
    )
    assert canonical_json(True) != canonical_json(1)
    assert canonical_json([1e30, 1e15]) == "[1e+30,1000000000000000]"


def test_long_table_has_a_row_per_record_and_candidate() -> None:
    long = long_table([record(seed=3, candidates={0.1: (0.5, 0.6), 1: (0.7, None)}, key="k")])
    assert list(long.columns) == [
        *("setting", "model", "split", "label_ratio", "train", "protocol", "terms", "baseline", "dataset", "task"),
        *("own", "metric", "method", "params", "seed", "replicate", "val", "test", "test_own"),
        *("labels", "labels_selection", "labels_interpolation"),
        *("test_sd", "test_min", "test_max", "test_positives", "noise", "trained_parameters", "fit_seconds"),
        *("fit_cpu_seconds", "feature_shift", "pretrain_gain", "pretrain_gain_percent", "parameter_shift"),
        *("searched", "test_share", "key"),
    ]
    assert long["params"].tolist() == ['{"weight":0.1}', '{"weight":1}']
    assert long["val"].tolist() == [0.5, 0.7]
    assert long["test"][0] == 0.6
    assert math.isnan(long["test"][1])
    assert long.loc[0, ["model", "split", "label_ratio", "train"]].tolist() == ["gin", "scaffold", "full", "paper"]
    assert long.loc[0, ["dataset", "task", "metric", "method", "seed", "key"]].tolist() == [
        *("esol", "regression", "rmse", "l2_sp", 3, "k")
    ]


def test_no_records_give_empty_tables() -> None:
    table = cells(long_table([]))
    assert table.empty
    assert mean_rank(table).empty


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(ValueError, match=r"record bad: unknown metric 'f1'; one of rmse"):
        long_table([record(key="bad", dataset__metric="f1")])


@pytest.mark.parametrize("reverse", [False, True])
def test_a_candidate_of_two_jobs_counts_once_whatever_the_order(reverse: bool) -> None:
    search = record(candidates={1: (0.5, 0.5), 0.1: (0.8, 0.8)}, key="a", method__search=True)
    search.job["method"]["grid"] = {"weight": [1, 0.1]}
    single = record(candidates={1.0: (0.9, 0.9)}, key="b")
    long = long_table([single, search] if reverse else [search, single])
    assert sorted(zip(long["params"], long["val"], strict=True)) == [('{"weight":0.1}', 0.8), ('{"weight":1}', 0.5)]


@pytest.mark.parametrize("keys", ["ab", "ba"])
def test_the_cost_of_a_cell_is_that_of_its_searches(keys: str) -> None:
    def cost(seconds: float, **given: Any) -> RecordSummary:
        return structs.replace(record(candidates={1: (0.5, 0.5)}, **given), seconds={"ft": seconds})

    search, single = cost(8, key=keys[0], method__search=True), cost(2, key=keys[1])
    assert cells(long_table([search, single, cost(3, seed=1)]))["fit_seconds"].tolist() == [8]
    assert cells(long_table([single, cost(3, seed=1)]))["fit_seconds"].tolist() == [2.5]


def test_candidate_params_are_completed_by_the_methods() -> None:
    long = long_table([record(candidates={0.1: (1, 1)}, method__params={"weight": 1.0, "k": 2})])
    assert long["params"].tolist() == ['{"k":2,"weight":0.1}']


def test_settings_of_one_name_stay_apart_and_are_told_apart() -> None:
    long = long_table([record(seed=0), record(seed=1), record(seed=0, train__epochs=30, key="x")])
    assert long.groupby("train")["setting"].nunique().to_dict() == {"paper (epochs=100)": 1, "paper (epochs=30)": 1}
    assert long["setting"].nunique() == 2
    assert set(long["model"]) == {"gin"}
    table = cells(long).set_index("train")
    assert table["n"].to_dict() == {"paper (epochs=100)": 2, "paper (epochs=30)": 1}


@pytest.mark.parametrize(
    ("changes", "column", "labels"),
    [
        ({"protocol": 2}, "train", {"paper (protocol=1)", "paper (protocol=2)"}),
        ({"featurizer": 2}, "train", {"paper (featurizer=1)", "paper (featurizer=2)"}),
        ({"train__precision": "bf16"}, "train", {"paper (precision=float32)", "paper (precision=bf16)"}),
        ({"train__loss": "mae"}, "train", {"paper (loss=null)", "paper (loss=mae)"}),
        (
            {"split__params": {"seed": 7, "sizes": [0.8, 0.1, 0.1]}},
            "split",
            {"scaffold (seed=42)", "scaffold (seed=7)"},
        ),
        ({"model__dim": 300}, "model", {"gin (dim=unset)", "gin (dim=300)"}),
        ({"label_ratio__fraction": 0.5}, "label_ratio", {"full (fraction=null)", "full (fraction=0.5)"}),
        ({"dataset__sha256": "0123456789"}, "dataset", {"esol (sha256=esol-fil)", "esol (sha256=01234567)"}),
        ({"method__protocol": 4}, "method", {"l2_sp (protocol=3)", "l2_sp (protocol=4)"}),
        ({"method__target": "mine"}, "method", {"l2_sp (target=roftbench.methods.l2_sp)", "l2_sp (target=mine)"}),
    ],
)
def test_every_part_that_changes_scores_is_told_apart(changes: dict[str, Any], column: str, labels: set[str]) -> None:
    table = cells(long_table([record(), record(key="other", **changes)]))
    assert set(table[column]) == labels
    assert table["n"].tolist() == [1, 1]


def test_the_tasks_own_loss_does_not_split_a_setting() -> None:
    long = long_table([record(dataset="esol"), record(dataset="bace")])
    assert long["setting"].nunique() == 1
    assert set(long["train"]) == {"paper"}


def test_setting_ids_do_not_depend_on_the_other_records() -> None:
    alone = long_table([record()])["setting"][0]
    assert alone in set(long_table([record(), record(train__epochs=30, key="x")])["setting"])
    assert alone == long_table([record(train__epochs=100.0)])["setting"][0]


@pytest.mark.parametrize(("dataset", "best"), [("esol", '{"weight":1}'), ("bace", '{"weight":0.1}')])
def test_selection_reads_validation_and_knows_the_direction(dataset: str, best: str) -> None:
    """The test scores say the opposite of the validation scores in both cases."""
    records = [
        record(dataset=dataset, seed=0, candidates={1: (0.4, 0.9), 0.1: (0.6, 0.1)}),
        record(dataset=dataset, seed=1, candidates={1: (0.6, 0.7), 0.1: (0.5, 0.3)}),
    ]
    if dataset == "bace":
        for rec in records:
            for candidate in rec.candidates:
                candidate.test["roc_auc"] = 1 - candidate.test["roc_auc"]
    long = long_table(records)
    assert select(long)["params"].tolist() == [best]
    scrambled = long.assign(test=range(len(long), 0, -1))
    pd.testing.assert_frame_equal(select(scrambled), select(long))


def test_selection_takes_the_mean_over_seeds_not_the_best_seed() -> None:
    records = [
        record(seed=0, candidates={1: (0.1, 1), 0.1: (0.4, 2)}),
        record(seed=1, candidates={1: (0.9, 3), 0.1: (0.5, 4)}),
    ]
    table = cells(long_table(records))
    assert table["params"].tolist() == ['{"weight":0.1}']
    assert (table["mean"][0], table["std"][0], table["n"][0]) == (3.0, 1.0, 2)


def test_params_short_of_seeds_are_not_selected() -> None:
    records = [record(seed=0, candidates={1: (0.1, 1), 0.1: (0.9, 2)}), record(seed=1, candidates={0.1: (0.9, 2)})]
    assert select(long_table(records))["params"].tolist() == ['{"weight":0.1}']


def test_undefined_validation_is_worst_and_ties_go_to_the_first_text() -> None:
    records = [
        record(seed=0, candidates={1: (0.1, 1), 0.5: (0.9, 2), 0.1: (0.9, 3)}),
        record(seed=1, candidates={1: (None, 1), 0.5: (0.9, 2), 0.1: (0.9, 3)}),
    ]
    assert select(long_table(records))["params"].tolist() == ['{"weight":0.1}']
    undefined = [record(candidates={1: (None, 1), 0.1: (None, 2)})]
    assert select(long_table(undefined))["params"].tolist() == ['{"weight":0.1}']


def test_selection_is_per_cell() -> None:
    records = [
        record(dataset="esol", candidates={1: (0.1, 1), 0.1: (0.2, 1)}),
        record(dataset="lipo", candidates={1: (0.2, 1), 0.1: (0.1, 1)}),
        record(dataset="lipo", candidates={1: (0.1, 1), 0.1: (0.2, 1)}, train__epochs=30, key="x"),
    ]
    chosen = cells(long_table(records)).set_index(["dataset", "train"])["params"].to_dict()
    assert chosen == {
        ("esol", "paper (epochs=100)"): '{"weight":1}',
        ("lipo", "paper (epochs=100)"): '{"weight":0.1}',
        ("lipo", "paper (epochs=30)"): '{"weight":1}',
    }


def test_cells_hold_mean_population_std_and_n() -> None:
    table = cells(long_table(runs("lp", "esol", [1.0, 2.0, 6.0])))
    assert table["mean"][0] == 3.0
    assert table["std"][0] == pytest.approx(math.sqrt(14 / 3))  # ddof 1 would give sqrt(7)
    assert table["n"][0] == 3
    assert table["tuned"][0] == ""


def test_tuned_names_only_what_had_other_candidates() -> None:
    rec = record(candidates={1: (0.9, 1), 0.1: (0.2, 1)}, method__params={"weight": 1.0, "k": 2})
    assert cells(long_table([rec]))["tuned"].tolist() == ["weight=0.1"]


def test_a_score_undefined_in_one_seed_is_undefined() -> None:
    table = cells(long_table(runs("lp", "bace", [0.5, None, 0.7])))
    assert math.isnan(table["mean"][0])
    assert math.isnan(table["std"][0])
    assert table["n"][0] == 3


def test_ranks_with_ties_and_direction_per_task() -> None:
    records = [
        *(runs("full_ft", "esol", [1.0, 2.0]) + runs("lp", "esol", [1.5, 1.5]) + runs("bss", "esol", [3.0, 3.0])),
        *(runs("full_ft", "lipo", [4.0, 4.0]) + runs("lp", "lipo", [2.0, 2.0]) + runs("bss", "lipo", [3.0, 3.0])),
        *(runs("full_ft", "bace", [0.9, 0.9]) + runs("lp", "bace", [0.5, 0.5])),
    ]
    table = mean_rank(cells(long_table(records))).set_index(["task", "method"])
    # esol: tie 1.5 1.5 3; lipo: 3 1 2
    assert table["average_rank"].to_dict() == {
        ("regression", "full_ft"): 2.25,
        ("regression", "lp"): 1.25,
        ("regression", "bss"): 2.5,
        ("classification", "full_ft"): 1.0,
        ("classification", "lp"): 2.0,
    }
    assert table["datasets"].to_dict()["regression", "lp"] == 2


def test_a_method_short_of_seeds_has_no_rank_and_its_data_set_is_not_ranked() -> None:
    records = [
        *(runs("full_ft", "esol", [1.0, 1.0]) + runs("lp", "esol", [2.0, 2.0]) + runs("bss", "esol", [0.1])),
        *(runs("full_ft", "lipo", [2.0, 2.0]) + runs("lp", "lipo", [1.0, 1.0]) + runs("bss", "lipo", [3.0, 3.0])),
    ]
    assert ranks_of(records) == {"full_ft": 2.0, "lp": 1.0, "bss": None}


def test_a_method_missing_a_data_set_has_no_rank() -> None:
    records = [
        *(runs("full_ft", "esol", [1.0]) + runs("lp", "esol", [2.0])),
        *(runs("full_ft", "lipo", [1.0]) + runs("lp", "lipo", [2.0]) + runs("bss", "lipo", [0.5])),
    ]
    assert ranks_of(records) == {"full_ft": 2.0, "lp": 3.0, "bss": None}


def test_undefined_scores_and_ranks() -> None:
    shared = runs("full_ft", "bace", [0.9]) + runs("lp", "bace", [0.8])
    # Undefined for every method: nothing to rank there, and nobody's fault.
    assert ranks_of([*shared, *runs("full_ft", "bbbp", [None]), *runs("lp", "bbbp", [None])]) == {
        "full_ft": 1.0,
        "lp": 2.0,
    }
    # Undefined for one: it must not gain by its failure.
    assert ranks_of([*shared, *runs("full_ft", "bbbp", [None]), *runs("lp", "bbbp", [0.5])]) == {
        "full_ft": None,
        "lp": 2.0,
    }
    assert ranks_of([*runs("full_ft", "bbbp", [None]), *runs("lp", "bbbp", [None])]) == {"full_ft": None, "lp": None}


def test_ranks_are_per_setting_and_its_own_largest_n() -> None:
    records = [
        *(runs("full_ft", "esol", [1.0, 1.0]) + runs("lp", "esol", [2.0, 2.0])),
        *runs("full_ft", "esol", [2.0], train__epochs=30, key="x"),
        *runs("lp", "esol", [1.0], train__epochs=30, key="y"),
    ]
    table = mean_rank(cells(long_table(records)))
    assert sorted(table["average_rank"]) == [1.0, 1.0, 2.0, 2.0]
    assert table["setting"].nunique() == 2


def test_records_are_not_changed() -> None:
    records = runs("lp", "esol", [1.0, None])
    before = copy.deepcopy(records)
    mean_rank(cells(long_table(records)))
    assert records == before
