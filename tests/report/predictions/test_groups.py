"""Which cells are drawn side by side."""

import pytest
from made_records import runs

from roftbench.report.aggregate import cells, long_table
from roftbench.report.predictions.groups import Group, count_groups, groups
from roftbench.store.record_schema import RecordSummary

FOREST = {"model__name": "ecfp", "train": {"name": "none"}}


def found(*jobs: list[RecordSummary]) -> list[Group]:
    long = long_table([record for some in jobs for record in some])
    result = groups(long, cells(long))
    assert count_groups(long) == len(result)
    return result


def names(group: Group) -> list[str]:
    return [cell.name for cell in group.cells]


def test_single_method_is_shown_with_all_its_seeds() -> None:
    [group] = found(runs("lp", "esol", [1.0, 2.0]))
    assert (group.task, group.dataset, group.split, group.label_ratio) == ("regression", "esol", "scaffold", "full")
    [cell] = group.cells
    assert cell.keys == ("lp-esol-0-None", "lp-esol-1-None")
    assert (cell.name, group.others) == ("LP · gin", 0)


def test_best_reference_and_best_baseline_are_shown_the_best_first() -> None:
    scores = {"full_ft": 1.0, "lp": 0.8, "bss": 0.7, "l2_sp": 0.9, "roftmol": 1.2}
    networks = [runs(method, "esol", [score]) for method, score in scores.items()]
    baselines = [runs("random_forest", "esol", [1.1], **FOREST), runs("mean", "esol", [0.1], **FOREST)]
    [group] = found(*networks, *baselines)
    assert names(group) == ["BSS · gin", "Random forest · ecfp", "ROFT-MOL · gin"]
    assert group.others == 4


def test_higher_scores_of_classification_are_better_and_gaps_are_filled_by_the_next_best() -> None:
    [group] = found(*(runs(method, "bbbp", [score]) for method, score in (("lp", 0.6), ("bss", 0.9), ("l2_sp", 0.7))))
    assert names(group) == ["BSS · gin", "L²-SP · gin", "LP · gin"]


def test_cell_that_lacks_seeds_or_is_undefined_is_not_the_best() -> None:
    [group] = found(runs("lp", "esol", [0.1]), runs("bss", "esol", [1.0, 1.0]), runs("l2_sp", "esol", [None, 1.0]))
    assert names(group)[0] == "BSS · gin"


@pytest.mark.parametrize("change", [{"split__name": "random"}, {"label_ratio": {"name": "n50", "count": 50}}])
def test_other_split_or_labels_are_another_group(change: dict[str, object]) -> None:
    assert len(found(runs("lp", "esol", [1.0]), runs("lp", "esol", [1.0], key="other", **change))) == 2


def test_models_of_one_data_set_are_one_group_and_regression_is_first() -> None:
    jobs = [runs("lp", "bbbp", [0.6]), runs("lp", "esol", [1.0]), runs("lp", "esol", [2.0], key="b", model__name="gcn")]
    first, second = found(*jobs)
    assert names(first) == ["LP · gin", "LP · gcn"]
    assert (first.dataset, second.dataset) == ("esol", "bbbp")
