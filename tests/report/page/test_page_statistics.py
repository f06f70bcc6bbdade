"""Scopes of comparisons: each gives what the statistics give for the cells in it."""

from lab import Lab

from roftbench.report.aggregate import cells, long_table, unfinished_table
from roftbench.report.page.lists import lists_of
from roftbench.report.page.statistics import statistics
from roftbench.report.statistics.paired import Friedman, Unit, compare, friedman, improvements, label_curves


def test_scopes_hold_the_statistics_of_their_cells(bench: Lab) -> None:
    records = bench.store.load()
    long = long_table(records)
    table = cells(long)
    found = statistics(table, long, lists_of(long, records, unfinished_table(records, [])))
    own = [scope for scope in found["scopes"] if scope["model"] == "tiny_gin"]
    wanted = [
        (task, split, labels)
        for task in (None, "classification", "regression")
        for split in (None, "random", "scaffold")
        for labels in (None, "n100", "n50")
    ]
    empty = {("classification", "random"), ("random", "n100")}
    there = [w for w in wanted if not ({w[:2], w[1:]} & empty)]
    assert {(scope["task"], scope["split"], scope["label_ratio"]) for scope in own} == set(there)
    networks = table[(table["model"] == "tiny_gin") & ~table["baseline"].astype(bool)]
    for scope in own:
        rows = networks
        for name in ("task", "split", "label_ratio"):
            rows = rows if scope[name] is None else rows[rows[name] == scope[name]]
        units: tuple[Unit, ...] = ("block", "dataset")
        for unit in units:
            expected = compare(rows, unit=unit)
            assert [(row["method"], row["wins"], row["losses"], row["verdict"]) for row in scope["compare"][unit]] == [
                (row["method"], row["wins"], row["losses"], row["verdict"]) for row in expected.to_dict("records")
            ]
        assert {row["verdict"] for row in scope["compare"]["block"]} <= {"descriptive"}
        each = improvements(rows)
        assert [row[:2] for row in scope["each"]] == each[["method", "dataset"]].to_numpy().tolist()
        assert [row[3:] for row in scope["each"]] == each[["blocks", "ahead"]].to_numpy().tolist()
        ranked = friedman(rows)
        if isinstance(ranked, Friedman):
            assert [method for method, _ in scope["ranks"]["ranks"]] == list(ranked.ranks)
            assert scope["ranks"]["n"] == ranked.n
        else:
            assert scope["ranks"] == ranked


def test_models_are_never_compared_with_another(bench: Lab) -> None:
    records = bench.store.load()
    long = long_table(records)
    found = statistics(cells(long), long, lists_of(long, records, unfinished_table(records, [])))
    alone = [scope for scope in found["scopes"] if scope["model"] == "scratch"]
    assert [(scope["compare"]["dataset"], scope["each"]) for scope in alone] == [([], [])]
    assert {scope["model"] for scope in found["scopes"]} == {"tiny_gin", "scratch"}  # a baseline has no scope


def test_label_curves_name_their_cells(bench: Lab) -> None:
    records = bench.store.load()
    long = long_table(records)
    lists = lists_of(long, records, unfinished_table(records, []))
    rows = statistics(cells(long), long, lists)["label_curves"]
    expected = label_curves(long)
    assert len(rows) == len(expected)
    for row, one in zip(rows, expected.to_dict("records"), strict=True):
        setting, dataset, method, labels, mean = row[:5]
        assert lists["settings"][setting]["setting"] == one["setting"]
        assert lists["datasets"][dataset]["dataset"] == one["dataset"]
        assert lists["methods"][method]["id"] == one["method"]
        assert (labels, mean) == (one["labels"], float(f"{one['mean']:.6g}"))
