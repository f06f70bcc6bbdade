"""What every file and the terminal say of where the numbers come from."""

from boards import board_of, example, searched

from roftbench.report.tables.provenance import asked, brief, facts, render_provenance

MAE = searched("lp", "esol", {0.1: (1.0, 2.0)}, mae={0.1: 1.5})


def test_the_metric_and_the_command_are_said() -> None:
    own = "Scores by each data set's own metric (RMSE, ROC-AUC); made by `roftbench tables`."
    assert asked(board_of(example())) == own
    words = ("metric=mae", "dataset=esol")
    chosen = "Scores by MAE; made by `roftbench tables --by model dataset=esol metric=mae`."
    board = board_of(MAE, *words)
    assert asked(board, "--by", "model") == chosen
    assert chosen in render_provenance(board, "--by", "model")


def test_processors_and_arithmetic_are_named_where_they_are_known() -> None:
    records = example()
    assert not {"processor", "arithmetic"} & {one.partition(":")[0] for one in facts(board_of(records))}
    records[0].env.update({"processor": "AMD EPYC", "arithmetic": 3})
    found = facts(board_of(records))
    assert f"processor: -- ({len(records) - 1} jobs), AMD EPYC (1 jobs)" in found
    assert f"arithmetic: -- ({len(records) - 1} jobs), 3 (1 jobs)" in found


def test_the_terminals_line_is_short() -> None:
    records = example()
    for i, record in enumerate(records):
        record.env["commit"] = ["a" * 40 + "-dirty", "b" * 40, None][i % 3]
    line = brief(board_of(records))
    assert line.endswith("· roftbench 0.1.0 · commit -- and 2 more · data bace bace-sha, esol esol-sha, lipo lipo-sha")
    assert "`roftbench tables`. protocol 1 ·" in line
    assert "commit aaaaaaaa-dirty ·" in brief(board_of(records[:1]))
