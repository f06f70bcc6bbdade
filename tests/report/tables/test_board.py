"""What tables are for, and what never shares one."""

from boards import board_of, changed, computed, forests, runs, searched
from refusals import raises_usage

from roftbench.report.statistics.blocks import Blocks
from roftbench.report.statistics.paired import label_curves
from roftbench.report.tables import footnotes
from roftbench.report.tables.render import (
    render_markdown,
    to_frame,
)


def test_seeds_that_differ_are_all_expected_everywhere() -> None:
    """Two methods with two seeds each, but not the same ones, have no complete cell, for any statistic."""
    later = runs("bss", "esol", [1.0, 2.0, 3.0])[1:]
    board = board_of([*runs("lp", "esol", [1.0, 2.0]), *later])
    assert board.rows[["n", "n_expected"]].to_numpy().tolist() == [[2, 3], [2, 3]]
    assert not Blocks.create(board.table).complete.any()
    assert not label_curves(board.long)["complete"].any()


def test_a_table_for_less_has_rows_for_the_rest() -> None:
    small = [changed(one, one.key + "n50", label_ratio={"name": "n50", "seed": 42})
             for name, score in (("lp", 1.0), ("bss", 3.0)) for one in runs(name, "esol", [score])]  # fmt: skip
    records = [*runs("lp", "esol", [2.0]), *runs("bss", "esol", [0.5]), *small, *forests("esol", [0.1])]
    text = render_markdown(computed(records, "group=model,split")).partition("\nRanks are")[0]
    assert [line for line in text.splitlines() if line.startswith("| ")][2:] == [
        "| LP · full | 2.000 (1) |",
        "| LP · n50 | 1.000 (1) |",
        "| BSS · full | 0.500 (1) |",
        "| BSS · n50 | 3.000 (1) |",
        "| Random forest · full · ecfp † | 0.100 (1) |",
    ]
    assert f"\n- {footnotes.OTHER_TESTS}\n" in text
    by_split = board_of(records, "group=model,label_ratio")
    assert by_split.rows["average_rank"].isna().all()
    beside = render_markdown(computed(records, "group=split,label_ratio"))  # models of one test part are compared
    assert "| LP · gin_masking | 1.000 (1) | 1.00 |" in beside
    assert footnotes.OTHER_TESTS not in beside
    assert "## gin_masking · scaffold split · paper training · RMSE ↓\n" in text
    models = [*runs("lp", "esol", [2.0]), *runs("bss", "esol", [0.5])]
    models += [changed(one, one.key + "b", model={**one.job["model"], "name": "gcn"}) for one in models]
    text = render_markdown(computed([*models, *forests("esol", [0.1])], "group=split,label_ratio"))
    assert "| LP · gcn | 2.000 (1) | 3.50 |\n| LP · gin_masking | 2.000 (1) | 3.50 |\n" in text
    assert "| Random forest · ecfp † | 0.100 (1) | -- |" in text


def test_rows_of_different_designs_lack_nothing_of_one_another() -> None:
    """Seeds of one split beside the folds of a cross-validation, in one table and in one note each."""
    folds = [
        changed(
            one, f"{one.key}f", split={"name": "cv", "target": "c", "params": {"seed": 42, "folds": 3, "fold": fold}}
        )
        for fold, one in enumerate(runs("lp", "esol", [1.0, 2.0, 4.0]))
    ]
    made = computed([*runs("lp", "esol", [2.0, 3.0]), *folds], "group=model,label_ratio")
    assert made.board.rows[["n", "n_expected"]].to_numpy().tolist() == [[3, 3], [2, 2]]
    text = render_markdown(made)
    assert "| LP · cv | 2.333 ± 1.247 (3) |" in text
    assert "| LP · scaffold | 2.500 ± 0.500 (2) |" in text
    assert "roftbench run" not in text
    assert "- cv: ± is the standard deviation over 3 folds" in text
    assert "- scaffold: ± is the standard deviation over training seeds" in text


def test_a_difference_for_a_metric_that_no_score_has_is_refused() -> None:
    with raises_usage("delta=mae", key="delta", got="mae"):
        board_of(runs("lp", "esol", [2.0]), "delta=mae:0.1")


def test_protocols_are_never_in_one_table_whatever_it_is_for() -> None:
    old = runs("lp", "esol", [2.0])
    new = [changed(one, one.key + "p", protocol=2) for one in runs("bss", "esol", [1.0])]
    for words in ([], ["group=split"], ["group=model,label_ratio"]):
        made = computed([*old, *new], *words)
        assert len(made.tables) == 2
        assert all(len(table.rows) == 1 for table in made.tables)
        assert "- protocol: 1 (1 jobs), 2 (1 jobs)\n" in render_markdown(made)
        assert sorted(to_frame(made.board)["protocol"]) == [1, 2]


def test_another_metric_leaves_the_other_task_and_the_selection_alone() -> None:
    records = searched("bss", "esol", {1.0: (1.0, 5.0), 0.1: (2.0, 4.0)}, mae={1.0: 0.9, 0.1: 0.2})
    text = render_markdown(computed([*records, *runs("bss", "bace", [0.5])], "metric=mae"))
    assert "· MAE ↓\n" in text
    assert "| BSS | 0.900 ± 0.000 (2) |\n" in text  # not the better 0.2, of params that RMSE does not select
    assert "Scores by MAE; made by `roftbench tables metric=mae`." in text
    assert "ROC-AUC" not in text
