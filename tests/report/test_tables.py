"""Tables as Markdown (golden text), CSV, JSON and on the terminal."""

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from roftbench.catalog import options
from roftbench.errors import UsageError
from roftbench.report import notes
from roftbench.report.blocks import Blocks
from roftbench.report.board import Board
from roftbench.report.layout import Leaderboard
from roftbench.report.request import Request
from roftbench.report.stats import label_curves
from roftbench.report.tables import (
    LEGEND,
    RANKS,
    print_rich,
    render_latex,
    render_markdown,
    to_frame,
    to_json,
    write_tables,
)
from roftbench.report.text import METHODS

METRICS = {"esol": ("regression", "rmse"), "lipo": ("regression", "rmse"), "bace": ("classification", "roc_auc")}


def part(group: str, name: str) -> dict[str, Any]:
    """A part of a job as the shipped config gives it."""
    config = options(group).get(name, {"_target_": name})
    params = {
        field: config[field] for field in ("num_layers", "dim", "dropout", "fractions", "seed") if field in config
    }
    return {"name": name, "target": config["_target_"], "params": params, "sha256": config.get("sha256")}


def runs(
    method: str,
    dataset: str,
    tests: list[float | None],
    weights: tuple[float, ...] = (),
    epochs: int = 100,
    metric: str = "",
) -> list[dict[str, Any]]:
    """A record a seed; every weight is a candidate, each better on validation than the one before it."""
    task, metric = METRICS[dataset][0], metric or METRICS[dataset][1]
    sign = 1 if task == "classification" else -1
    params: list[dict[str, float]] = [{"weight": weight} for weight in weights] or [{}]
    job = {
        "protocol": 1,
        "model": part("model", "gin_masking"),
        "method": {**part("method", method), "search": len(weights) > 1, "params": params[0], "grid": {}},
        "dataset": {"name": dataset, "task": task, "metric": metric},
        "split": part("split", "scaffold"),
        "label_ratio": {"name": "full", "seed": 42},
        "train": {"name": "paper", "epochs": epochs, "loss": None},
    }
    labels = {"weights": 90, "selection": 10, "interpolation": 10 if method == "roftmol" else 0}
    return [
        {
            "key": f"{method}-{dataset}-{epochs}-{metric}-{seed}",
            "status": "done",
            "job": {**job, "seed": seed},
            "candidates": [
                {"params": p, "val": {metric: sign * i}, "test": {metric: test}} for i, p in enumerate(params)
            ],
            "count": {"labels": labels},
            "data": {"sha256": f"{dataset}-sha", "rows": 101, "kept": 100},
            "env": {"roftbench": "0.1.0", "commit": "abc", "torch": "2.4", "device": "cpu", "threads": 1},
            "seconds": {"total": 1.5},
            "peak_memory_mb": 100.0,
            "error": None,
        }
        for seed, test in enumerate(tests)
    ]


def example() -> list[dict[str, Any]]:
    """Three methods; esol complete, BSS short of a seed on lipo, no LP and an undefined score on bace."""
    return [
        *runs("my_method", "esol", [1.0, 1.2]),
        *runs("my_method", "lipo", [0.7, 0.7]),
        *runs("bss", "esol", [0.9, 0.9], weights=(1.0, 0.1)),
        *runs("bss", "lipo", [0.1], weights=(1.0,)),
        *runs("lp", "esol", [2.0, 2.0]),
        *runs("lp", "lipo", [0.8, 0.6]),
        *runs("bss", "bace", [0.5, None]),
        *runs("full_ft", "bace", [0.8, 0.9]),
        *runs("roftmol", "bace", [0.8, 0.8]),
    ]


BUDGET = "Label budget (labels for weights / selection / interpolation coefficients)"
GOLDEN = f"""{LEGEND}

## gin_masking · scaffold split · full labels · paper training · ROC-AUC ↑

| Method | bace | Avg. rank |
| --- | ---: | ---: |
| Full FT | **0.850 ± 0.050 (2)** | -- |
| BSS | undefined | -- |
| ROFT-MOL ‡ | <u>0.800 ± 0.000 (2)</u> | -- |

- Average rank over 0 of 1 data sets: those that every method has in full.
- {BUDGET}: Full FT, BSS: bace 90/10/0. ROFT-MOL ‡: bace 90/10/10.
- {notes.USES_VALIDATION}

## gin_masking · scaffold split · full labels · paper training · RMSE ↓

| Method | esol | lipo | Avg. rank |
| --- | ---: | ---: | ---: |
| LP | 2.000 ± 0.000 (2) | **0.700 ± 0.100 (2)** | 3.00 |
| BSS | **0.900 ± 0.000 (2)** | 1/2 | -- |
| my_method | <u>1.100 ± 0.100 (2)</u> | **0.700 ± 0.000 (2)** | 2.00 |

- Average rank over 1 of 2 data sets: those that every method has in full.
- BSS, selected: esol: weight=0.1.
- {BUDGET}: LP, BSS, my_method: esol 90/10/0, lipo 90/10/0.

What is missing is run by

```bash
roftbench run -m model=gin_masking method=bss dataset=lipo split=scaffold label_ratio=full method.weight=1.0 seed=1
```

{RANKS}

## Average rank over everything · gin_masking · paper training

| Method | all (0 of 3 blocks) | regression (1 of 2 blocks) | classification (0 of 1 blocks) |
| --- | ---: | ---: | ---: |
| Full FT | -- | -- | -- |
| LP | -- | 3.00 | -- |
| BSS | -- | **1.00** | -- |
| ROFT-MOL | -- | -- | -- |
| my_method | -- | <u>2.00</u> | -- |

## Provenance

Made by `roftbench tables`.

- 17 finished jobs, 0 failed, 0 skipped
- protocol: 1
- featurizer: --
- roftbench: 0.1.0
- commit: abc
- torch: 2.4
- device: cpu

| Data set | sha256 of the file | Rows | Kept | Jobs |
| --- | ---: | ---: | ---: | ---: |
| bace | bace-sha | 101 | 100 | 6 |
| esol | esol-sha | 101 | 100 | 6 |
| lipo | lipo-sha | 101 | 100 | 5 |
"""


def board_of(records: list[dict[str, Any]], *words: str, failures: Sequence[dict[str, Any]] = ()) -> Board:
    return Board.create(records, list(failures), Request.parse(words)[0], Path("somewhere"))


def computed(records: list[dict[str, Any]], *words: str, failures: Sequence[dict[str, Any]] = ()) -> Leaderboard:
    return Leaderboard.create(board_of(records, *words, failures=failures))


def markdown_rows(records: list[dict[str, Any]]) -> list[str]:
    text = render_markdown(computed(records)).partition("## Average rank over everything")[0]
    return [line for line in text.partition("## Provenance")[0].splitlines() if line.startswith("| ")]


def test_markdown_is_the_golden_text() -> None:
    records = example()
    assert render_markdown(computed(records)) == GOLDEN
    assert render_markdown(computed(records[::-1])) == GOLDEN


def test_methods_come_in_the_papers_order_then_by_alphabet() -> None:
    names = ["zeta", "roftmol", "alpha", *reversed(METHODS)]
    rows = markdown_rows([rec for name in names for rec in runs(name, "esol", [1.0])])
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == [
        *("Full FT", "LP", "Surgical FT", "LP-FT", "L²-SP", "WiSE-FT", "Feature map", "BSS", "ROFT-MOL ‡"),
        *("alpha", "zeta"),
    ]


def forests(dataset: str, tests: list[float | None], **job: Any) -> list[dict[str, Any]]:
    """Records of a random forest on ECFP."""
    own = {"model": part("model", "ecfp"), "train": {"name": "none"}, "fingerprint": {"version": 1}, **job}
    found = runs("random_forest", dataset, tests)
    return [{**one, "key": f"{one['key']}-{sorted(job)}", "job": {**one["job"], **own}} for one in found]


def test_a_baseline_is_a_last_row_of_every_models_table_without_rank_or_mark() -> None:
    networks = [*runs("lp", "esol", [2.0, 2.0]), *runs("zeta", "esol", [1.0, 1.0]), *runs("lp", "lipo", [1.0, 1.0])]
    networks += runs("zeta", "lipo", [2.0, 2.0])
    networks += [{**one, "key": one["key"] + "b", "job": {**one["job"], "model": {"name": "gcn"}}} for one in networks]
    records = [*networks, *forests("esol", [0.5, 0.5])]
    text = render_markdown(computed(records))
    assert text.count("| Random forest · ecfp † | 0.500 ± 0.000 (2) | -- | -- |\n\n- ") == 2
    assert text.count("- " + notes.OUTSIDE) == 2
    assert text.count(" full labels · ") == 2  # no table of its own
    fill = "model=ecfp method=random_forest dataset=lipo split=scaffold label_ratio=full seed=0,1"
    assert text.count(f"\nroftbench run -m {fill}\n") == 2
    of_networks = [line for line in tables_of(text) if line.startswith(("#", "|", "- Average")) and "†" not in line]
    alone = tables_of(render_markdown(computed(networks)))
    assert of_networks == [line for line in alone if line.startswith(("#", "|", "- Average"))]
    frame = to_frame(board_of(records))
    assert frame[frame["method"] == "random_forest"][["model", "n"]].to_numpy().tolist() == [["ecfp", 2]]
    assert frame[frame["method"] == "random_forest"]["average_rank"].isna().all()
    assert frame[frame["method"] != "random_forest"].equals(
        to_frame(board_of(networks)).set_axis(frame.index[frame["method"] != "random_forest"])
    )


def test_a_baseline_short_of_the_tables_seeds_says_so() -> None:
    rows = markdown_rows([*runs("lp", "esol", [2.0, 2.0]), *forests("esol", [0.5])])
    assert rows[-1] == "| Random forest · ecfp † | 1/2 | -- |"


@pytest.mark.parametrize("job", [{"split": {"name": "random"}}, {"label_ratio": {"name": "n50"}}, {"protocol": 2}])
def test_a_baseline_under_other_terms_stands_alone(job: dict[str, Any]) -> None:
    text = render_markdown(computed([*runs("lp", "esol", [2.0]), *forests("esol", [0.5], **job)]))
    first, second = text.partition("## Provenance")[0].split("\n## ")[1:]
    assert "| LP | **2.000 ± 0.000 (1)** | 1.00 |" in first
    assert second.startswith("ecfp · ")
    assert "| Random forest · ecfp † | 0.500 ± 0.000 (1) | -- |" in second
    assert second.endswith(f"- {notes.OUTSIDE}\n\n")
    assert "†" not in first


def test_a_baseline_alone_or_on_another_data_set_has_a_table_of_its_own() -> None:
    alone = render_markdown(computed(forests("bace", [0.5, 0.7])))
    assert "## ecfp · scaffold split · full labels · ROC-AUC ↑\n" in alone
    assert "| Random forest · ecfp † | 0.600 ± 0.100 (2) | -- |" in alone
    more = render_markdown(computed([*runs("lp", "esol", [2.0]), *forests("esol", [0.5]), *forests("lipo", [0.5])]))
    assert more.count("labels · ") == 2
    assert "| Random forest · ecfp † | 0.500 ± 0.000 (1) | 0.500 ± 0.000 (1) | -- |" in more


def test_two_that_tie_for_best_are_both_bold_and_nothing_is_second() -> None:
    rows = markdown_rows([*runs("lp", "esol", [1.0]), *runs("bss", "esol", [1.0]), *runs("l2_sp", "esol", [2.0])])
    assert rows[2:] == [
        "| LP | **1.000 ± 0.000 (1)** | 1.50 |",
        "| L²-SP | 2.000 ± 0.000 (1) | 3.00 |",
        "| BSS | **1.000 ± 0.000 (1)** | 1.50 |",
    ]


def test_a_missing_cell_is_a_gap_in_markdown_and_a_row_in_the_frame() -> None:
    records = [*runs("lp", "esol", [1.0]), *runs("lp", "lipo", [1.0]), *runs("bss", "esol", [2.0])]
    assert markdown_rows(records)[3] == "| BSS | <u>2.000 ± 0.000 (1)</u> | -- | -- |"
    frame = to_frame(board_of(records))
    gap = frame[(frame["method"] == "bss") & (frame["dataset"] == "lipo")].iloc[0]
    assert (gap["n"], gap["n_expected"], gap["metric"], gap["split"]) == (0, 1, "rmse", "scaffold")
    assert gap[["params", "mean", "std", "average_rank"]].isna().all()
    assert len(frame) == 4


def test_settings_of_one_name_give_two_tables() -> None:
    text = render_markdown(computed([*runs("lp", "esol", [1.0, 2.0]), *runs("bss", "esol", [3.0], epochs=30)]))
    assert "· paper (epochs=100) training ·" in text
    assert "· paper (epochs=30) training ·" in text
    assert "| LP | **1.500 ± 0.500 (2)** | 1.00 |" in text
    assert "| BSS | **3.000 ± 0.000 (1)** | 1.00 |" in text
    assert "Fewer seeds" not in text
    assert "| -- |" not in text


def test_columns_name_their_metric_where_a_table_has_two() -> None:
    text = render_markdown(computed([*runs("lp", "esol", [1.0]), *runs("lp", "lipo", [0.5], metric="spearman")]))
    assert "· RMSE ↓, Spearman ↑\n" in text
    assert "| Method | esol (RMSE ↓) | lipo (Spearman ↑) | Avg. rank |" in text


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    assert markdown_rows(runs("a|b", "esol", [1.0]))[2].startswith(r"| a\|b | ")


def test_frame_has_the_documented_columns_and_full_numbers() -> None:
    frame = to_frame(board_of(example()))
    assert list(frame.columns) == [
        *("model", "split", "label_ratio", "train", "protocol", "task", "dataset", "metric", "method", "params"),
        *("mean", "std", "n", "n_expected", "labels", "labels_selection", "labels_interpolation"),
        *("average_rank", "status", "selected_by"),
    ]
    assert frame["method"].tolist() == ["full_ft", "bss", "roftmol", "lp", "lp", "bss", "bss", "my_method", "my_method"]
    short = frame[(frame["method"] == "bss") & (frame["dataset"] == "lipo")].iloc[0]
    assert (short["n"], short["n_expected"], short["mean"]) == (1, 2, 0.1)


def test_json_has_objects_and_nulls_but_no_nan() -> None:
    rows = json.loads(to_json(board_of([*example(), *runs("lp_ft", "bace", [0.7])])))
    by_cell = {(row["method"], row["dataset"]): row for row in rows}
    assert by_cell["bss", "esol"]["params"] == {"weight": 0.1}
    assert by_cell["bss", "bace"]["mean"] is None
    assert by_cell["bss", "bace"]["n"] == 2
    assert by_cell["lp", "esol"] == {
        "model": "gin_masking",
        "split": "scaffold",
        "label_ratio": "full",
        "train": "paper",
        "protocol": 1,
        "task": "regression",
        "dataset": "esol",
        "metric": "rmse",
        "method": "lp",
        "params": {},
        "mean": 2.0,
        "std": 0.0,
        "n": 2,
        "n_expected": 2,
        "labels": 90.0,
        "labels_selection": 10.0,
        "labels_interpolation": 0.0,
        "average_rank": 3.0,
        "status": "complete",
        "selected_by": "val",
    }
    gaps = json.loads(to_json(board_of([*runs("lp", "esol", [1.0]), *runs("bss", "lipo", [1.0])])))
    assert [row["params"] for row in gaps] == [{}, None, None, {}]


def test_rich_prints_titles_cells_styles_and_notes() -> None:
    plain = Console(file=io.StringIO(), width=200)
    print_rich(computed([*example(), *runs("[odd]", "esol", [5.0, 5.0])]), plain)
    assert isinstance(plain.file, io.StringIO)
    text = plain.file.getvalue()
    assert "gin_masking · scaffold split · full labels · paper training · RMSE ↓" in text
    assert "0.900 ± 0.000 (2)" in text
    assert "[odd]" in text
    assert re.search(r"│ BSS +│ 0.900 ± 0.000 \(2\) │ +1/2 │", text)
    assert "\n- BSS, selected: esol: weight=0.1.\n" in text
    assert "\nroftbench run -m model=gin_masking method=bss dataset=lipo split=scaffold" in text
    coloured = Console(file=io.StringIO(), width=200, force_terminal=True, color_system="standard", no_color=False)
    print_rich(computed(example()), coloured)
    assert isinstance(coloured.file, io.StringIO)
    assert "\x1b[1m0.900 ± 0.000 (2)\x1b[0m" in coloured.file.getvalue()
    assert "\x1b[4m1.100 ± 0.100 (2)\x1b[0m" in coloured.file.getvalue()


def test_write_tables_writes_three_files_and_replaces_old_ones(tmp_path: Path) -> None:
    out = tmp_path / "new" / "results"
    write_tables(computed(runs("lp", "esol", [9.0])), out)
    paths = write_tables(computed(example()), out)
    assert paths == [out / f"leaderboard.{kind}" for kind in ("md", "csv", "tex")]
    assert paths[0].read_text(encoding="utf-8") == f"# Leaderboard\n\n{GOLDEN}"
    frame = pd.read_csv(paths[1])
    pd.testing.assert_series_equal(frame["mean"], to_frame(board_of(example()))["mean"], check_exact=True)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in paths)


def test_a_failed_write_leaves_the_old_table_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tables(computed(example()), tmp_path)
    before = (tmp_path / "leaderboard.md").read_bytes()

    def full_disk(self: Path, target: Path) -> Path:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_tables(computed(runs("lp", "esol", [9.0])), tmp_path)
    assert (tmp_path / "leaderboard.md").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_no_finished_job_is_an_error_that_says_where_and_what_to_do() -> None:
    for failures in ([], ended(runs("lp", "esol", [1.0]))):
        with pytest.raises(UsageError, match=r"no finished jobs under somewhere: run `roftbench run"):
            board_of([], failures=failures)


def test_failed_and_skipped_jobs_are_cells_with_their_reasons() -> None:
    done = [*runs("lp", "esol", [1.0, 2.0]), *runs("lp", "lipo", [1.0, 2.0]), *runs("bss", "lipo", [1.0])]
    failures = [
        *ended(runs("bss", "esol", [0.0, 0.0]), error="the loss is NaN"),
        *ended(runs("bss", "lipo", [0.0, 0.0])[1:], error="the loss is NaN"),
        *ended(runs("surgical_ft", "esol", [0.0, 0.0]), "skipped", "no block layer9 in this encoder."),
        *ended(runs("lp", "esol", [0.0], epochs=30)),  # a setting of which nothing is finished
    ]
    text = render_markdown(computed(done, failures=failures))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[2:5] == [
        "| LP | 1.500 ± 0.500 (2) | **1.500 ± 0.500 (2)** | -- |".replace("| 1.5", "| **1.5", 1).replace(
            "(2) | **", "(2)** | **", 1
        ),
        "| Surgical FT | n/a | -- | -- |",
        "| BSS | failed | 1/2 | -- |",
    ]
    assert "\n- Failed: BSS on esol (seed 0, 1), BSS on lipo (seed 1): the loss is NaN.\n" in text
    reason = "Surgical FT on esol (seed 0, 1): no block layer9 in this encoder."
    assert f"\n- Not applicable (n/a): {reason}\n" in text
    commands = [line for line in text.splitlines() if line.startswith("roftbench run")]
    shared = "roftbench run -m model=gin_masking method={} dataset={} split=scaffold label_ratio=full seed={}"
    assert commands == [
        shared.format("surgical_ft", "lipo", "0,1"),
        shared.format("bss", "esol", "0,1"),
        shared.format("bss", "lipo", "1"),
    ]
    statuses = {
        (row["method"], row["dataset"]): row["status"] for row in json.loads(to_json(board_of(done, failures=failures)))
    }
    assert statuses == {
        ("lp", "esol"): "complete",
        ("lp", "lipo"): "complete",
        ("surgical_ft", "esol"): "skipped",
        ("surgical_ft", "lipo"): "missing",
        ("bss", "esol"): "failed",
        ("bss", "lipo"): "incomplete",
    }


def test_a_table_of_failures_only_names_what_would_fill_it() -> None:
    failures = ended(runs("lp", "bace", [0.0, 0.0]), error="out of memory")
    text = render_markdown(computed(runs("lp", "esol", [1.0]), failures=failures))
    table = text.partition("ROC-AUC ↑\n")[2].partition("\n## ")[0]
    assert "| LP | failed | -- |\n" in table
    assert "- Failed: LP on bace (seed 0, 1): out of memory.\n" in table
    assert "method=lp dataset=bace split=scaffold label_ratio=full seed=0,1\n" in table


def test_ranks_are_of_those_that_can_have_one() -> None:
    done = [*runs("lp", "esol", [1.0]), *runs("bss", "esol", [2.0])]
    failures = ended(runs("full_ft", "esol", [0.0]), "skipped", "it makes no sense")
    text = render_markdown(computed(done, failures=failures))
    assert "| Full FT | n/a | -- |\n| LP | **1.000 ± 0.000 (1)** | 1.00 |\n" in text
    assert "Average rank over 0" not in text


def test_no_command_is_made_up_for_what_is_not_shipped() -> None:
    text = render_markdown(computed([*runs("mine", "esol", [1.0]), *runs("lp", "esol", [1.0, 2.0])]))
    assert "- No command for what is missing: method=mine is none of the shipped configs.\n" in text
    assert "roftbench run" not in text


def test_seeds_that_differ_are_all_expected_everywhere() -> None:
    """Two methods with two seeds each, but not the same ones, have no complete cell, for any statistic."""
    later = runs("bss", "esol", [1.0, 2.0, 3.0])[1:]
    board = board_of([*runs("lp", "esol", [1.0, 2.0]), *later])
    assert board.rows[["n", "n_expected"]].to_numpy().tolist() == [[2, 3], [2, 3]]
    assert not Blocks.create(board.table).complete.any()
    assert not label_curves(board.long)["complete"].any()


def test_latex_has_rules_marks_and_no_bare_special_sign() -> None:
    records = [*example(), *runs("my_{50%}&co", "esol", [0.5, 0.5])]
    text = render_latex(computed(records))
    lines = [line for line in text.splitlines() if line and not line.startswith("%")]
    assert text.count("\\toprule") == text.count("\\midrule") == text.count("\\bottomrule") == 3
    assert r"\caption{gin\_masking $\cdot$ scaffold split $\cdot$ full labels $\cdot$ paper training" in text
    assert r"Method & esol & lipo & Avg. rank \\" in lines
    assert r"BSS & \underline{0.900 $\pm$ 0.000 (2)} & 1/2 & -- \\" in lines
    assert r"my\_\{50\%\}\&co & \textbf{0.500 $\pm$ 0.000 (2)} & -- & -- \\" in lines
    assert r"ROFT-MOL $^\ddagger$ & \underline{0.800 $\pm$ 0.000 (2)} & -- \\" in lines
    assert all(line.isascii() for line in lines)
    assert "% roftbench run -m model=gin_masking method=bss dataset=lipo" in text
    assert "% esol esol-sha 101 100 8" in text


def test_a_table_for_less_has_rows_for_the_rest() -> None:
    small = [{**one, "key": one["key"] + "n50", "job": {**one["job"], "label_ratio": {"name": "n50", "seed": 42}}}
             for name, score in (("lp", 1.0), ("bss", 3.0)) for one in runs(name, "esol", [score])]  # fmt: skip
    records = [*runs("lp", "esol", [2.0]), *runs("bss", "esol", [0.5]), *small, *forests("esol", [0.1])]
    text = render_markdown(computed(records, "group=model,split")).partition("\nRanks are")[0]
    assert [line for line in text.splitlines() if line.startswith("| ")][2:] == [
        "| LP · full | 2.000 ± 0.000 (1) | 3.00 |",
        "| LP · n50 | <u>1.000 ± 0.000 (1)</u> | 2.00 |",
        "| BSS · full | **0.500 ± 0.000 (1)** | 1.00 |",
        "| BSS · n50 | 3.000 ± 0.000 (1) | 4.00 |",
        "| Random forest · full · ecfp † | 0.100 ± 0.000 (1) | -- |",
    ]
    assert "## gin_masking · scaffold split · paper training · RMSE ↓\n" in text
    models = [*runs("lp", "esol", [2.0]), *runs("bss", "esol", [0.5])]
    models += [{**one, "key": one["key"] + "b", "job": {**one["job"], "model": {**one["job"]["model"], "name": "gcn"}}}
               for one in models]  # fmt: skip
    text = render_markdown(computed([*models, *forests("esol", [0.1])], "group=split,label_ratio"))
    assert "| LP · gcn | 2.000 ± 0.000 (1) | 3.50 |\n| LP · gin_masking | 2.000 ± 0.000 (1) | 3.50 |\n" in text
    assert "| Random forest · ecfp † | 0.100 ± 0.000 (1) | -- |" in text


def test_protocols_are_never_in_one_table_whatever_it_is_for() -> None:
    old = runs("lp", "esol", [2.0])
    new = [{**one, "key": one["key"] + "p", "job": {**one["job"], "protocol": 2}} for one in runs("bss", "esol", [1.0])]
    for words in ([], ["group=split"], ["group=model,label_ratio"]):
        made = computed([*old, *new], *words)
        assert len(made.tables) == 2
        assert all(len(table.rows) == 1 for table in made.tables)
        assert "- protocol: 1 (1 jobs), 2 (1 jobs)\n" in render_markdown(made)
        assert sorted(to_frame(made.board)["protocol"]) == [1, 2]


def test_selection_on_test_scores_stands_beside_the_honest_one() -> None:
    records = searched("bss", "esol", {1.0: (1.0, 5.0), 0.1: (2.0, 4.0)}) + runs("lp", "esol", [4.5, 4.5])
    honest = render_markdown(computed(records))
    assert "§" not in honest
    text = render_markdown(computed(records, "select=test"))
    assert "| BSS | <u>5.000 ± 0.000 (2)</u> | 2.00 |\n| BSS § | 4.000 ± 0.000 (2) |  |\n" in text
    assert "- BSS §, selected by test scores: esol: weight=0.1.\n" in text
    assert f"- {notes.NOT_REPORTABLE}\n" in text
    assert "## Selection on test scores (NOT REPORTABLE)\n" in text
    assert "\n| BSS | 1 | 1 | +20.00 | -- |\n" in text
    frame = to_frame(board_of(records, "select=test"))
    assert frame[["method", "selected_by", "mean"]].to_numpy().tolist() == [
        ["lp", "val", 4.5],
        ["bss", "val", 5.0],
        ["bss", "test", 4.0],
    ]
    nothing = render_markdown(computed(runs("lp", "esol", [4.5]), "select=test"))
    assert "No cell had a choice of hyperparameters." in nothing


def test_another_metric_leaves_the_other_task_and_the_selection_alone() -> None:
    records = searched("bss", "esol", {1.0: (1.0, 5.0), 0.1: (2.0, 4.0)}, mae={1.0: 0.9, 0.1: 0.2})
    text = render_markdown(computed([*records, *runs("bss", "bace", [0.5])], "metric=mae"))
    assert "· MAE ↓\n" in text
    assert "| BSS | **0.900 ± 0.000 (2)** | 1.00 |" in text  # not the better 0.2, of params that RMSE does not select
    assert "Made by `roftbench tables metric=mae`." in text
    assert "ROC-AUC" not in text


def test_pooled_split_seeds_are_replicates_and_their_gaps_commands() -> None:
    def at(seed: int, record: dict[str, Any]) -> dict[str, Any]:
        job = record["job"]
        split = {**job["split"], "params": {**job["split"]["params"], "seed": seed}}
        return {
            **record,
            "key": f"{record['key']}-{seed}",
            "job": {**job, "split": split, "label_ratio": {"name": "n50", "count": 50, "seed": seed}},
        }

    records = [at(seed, one) for seed in (42, 7) for one in runs("lp", "esol", [1.0, 2.0])]
    records += [at(42, one) for one in runs("bss", "esol", [3.0, 3.0])]
    text = render_markdown(computed(records, "pool=split_seed"))
    assert "| LP | **1.500 ± 0.500 (4)** | -- |\n| BSS | 2/4 | -- |\n" in text
    fill = "method=bss dataset=esol split=scaffold label_ratio=n50 split.seed=7 seed=0,1"
    assert f"\nroftbench run -m model=gin_masking {fill}\n" in text


def searched(
    method: str, dataset: str, tried: dict[float, tuple[float, float]], mae: dict[float, float] | None = None
) -> list[dict[str, Any]]:
    """Two seeds of a search; `tried`: weight -> (val, test) by RMSE."""
    found = runs(method, dataset, [0.0, 0.0], weights=tuple(tried))
    for record in found:
        for one, (weight, (val, test)) in zip(record["candidates"], tried.items(), strict=True):
            one |= {"val": {"rmse": val}, "test": {"rmse": test, **({"mae": mae[weight]} if mae else {})}}
    return found


def ended(records: list[dict[str, Any]], status: str = "failed", error: str = "killed") -> list[dict[str, Any]]:
    """The same jobs without a result."""
    left_out = {"candidates": [], "count": {}, "data": {}, "status": status, "error": error}
    return [{**one, **left_out, "key": f"{one['key']}-{status}"} for one in records]


def tables_of(text: str) -> list[str]:
    return text.partition("\nRanks are")[0].splitlines()
