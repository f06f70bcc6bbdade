"""Tables as Markdown (golden text), CSV, JSON and on the terminal."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from boards import board_of, changed, computed, ended, example, forests, runs, tables_of
from golden import Golden
from lab import NINE
from refusals import raises_usage
from rich.console import Console

from roftbench.report.tables import footnotes
from roftbench.report.tables.by_model import by_model, render
from roftbench.report.tables.render import (
    print_rich,
    render_latex,
    render_markdown,
    to_frame,
    to_json,
    write_tables,
)
from roftbench.store.record_schema import RecordSummary


def markdown_rows(records: list[dict[str, Any]]) -> list[str]:
    text = render_markdown(computed(records)).partition("## Average rank over everything")[0]
    return [line for line in text.partition("## Provenance")[0].splitlines() if line.startswith("| ")]


def test_markdown_is_the_golden_text(golden: Golden) -> None:
    records = example()
    for given in (records, records[::-1]):
        golden("leaderboard_example.md", render_markdown(computed(given)))


def test_methods_come_in_the_papers_order_then_by_alphabet() -> None:
    names = ["zeta", "roftmol", "alpha", *reversed(NINE)]
    rows = markdown_rows([rec for name in names for rec in runs(name, "esol", [1.0])])
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == [
        *("Full FT", "LP", "Surgical FT", "LP-FT", "L²-SP", "WiSE-FT", "Feature map", "BSS", "ROFT-MOL ‡"),
        *("alpha", "zeta"),
    ]


def test_a_baseline_is_a_last_row_of_every_models_table_without_rank() -> None:
    networks = [*runs("lp", "esol", [2.0, 2.0]), *runs("zeta", "esol", [1.0, 1.0]), *runs("lp", "lipo", [1.0, 1.0])]
    networks += runs("zeta", "lipo", [2.0, 2.0])
    networks += [changed(one, one.key + "b", model={"name": "gcn"}) for one in networks]
    records = [*networks, *forests("esol", [0.5, 0.5])]
    text = render_markdown(computed(records))
    assert text.count("| Random forest · ecfp † | **0.500 ± 0.000 (2)** | -- | -- |\n\n- ") == 2  # it is the best
    assert text.count("| zeta | 1.000 ± 0.000 (2) | 2.000 ± 0.000 (2) | 1.50 |") == 2
    assert text.count("- " + footnotes.OUTSIDE) == 2
    assert text.count(" full labels · ") == 2  # no table of its own
    fill = "model=ecfp method=random_forest dataset=lipo split=scaffold label_ratio=full seed=0,1"
    assert text.count(f"\nroftbench run -m {fill}\n") == 2
    of_networks = [line for line in tables_of(text) if line.startswith(("#", "|", "- Average")) and "†" not in line]
    of_networks = [line.replace("| zeta | 1.000 ± 0.000 (2)", "| zeta | **1.000 ± 0.000 (2)**") for line in of_networks]
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
    assert rows[-1] == "| Random forest · ecfp † | 1/2 |"


@pytest.mark.parametrize("job", [{"split": {"name": "random"}}, {"label_ratio": {"name": "n50"}}, {"protocol": 2}])
def test_a_baseline_under_other_terms_stands_alone(job: dict[str, Any]) -> None:
    text = render_markdown(computed([*runs("lp", "esol", [2.0]), *forests("esol", [0.5], **job)]))
    first, second = text.partition("## Provenance")[0].split("\n## ")[1:]
    assert "| LP | 2.000 (1) |\n" in first
    assert second.startswith("ecfp · ")
    assert "| Random forest · ecfp † | 0.500 (1) |\n" in second
    assert second.endswith(f"- {footnotes.OUTSIDE}\n\n")
    assert "†" not in first


def test_a_baseline_alone_or_on_another_data_set_has_a_table_of_its_own() -> None:
    alone = render_markdown(computed(forests("bace", [0.5, 0.7])))
    assert "## ecfp · scaffold split · full labels · ROC-AUC ↑\n" in alone
    assert "| Random forest · ecfp † | 0.600 ± 0.100 (2) |\n" in alone
    more = render_markdown(computed([*runs("lp", "esol", [2.0]), *forests("esol", [0.5]), *forests("lipo", [0.5])]))
    assert more.count("labels · ") == 2
    assert "| Random forest · ecfp † | 0.500 (1) | 0.500 (1) |\n" in more


def test_a_missing_cell_is_a_gap_in_markdown_and_a_row_in_the_frame() -> None:
    records = [*runs("lp", "esol", [1.0]), *runs("lp", "lipo", [1.0]), *runs("bss", "esol", [2.0])]
    assert markdown_rows(records)[3] == "| BSS | 2.000 (1) | -- | -- |"
    frame = to_frame(board_of(records))
    gap = frame[(frame["method"] == "bss") & (frame["dataset"] == "lipo")].iloc[0]
    assert (gap["n"], gap["n_expected"], gap["metric"], gap["split"]) == (0, 1, "rmse", "scaffold")
    assert gap[["params", "mean", "std", "average_rank"]].isna().all()
    assert len(frame) == 4


def test_settings_of_one_name_give_two_tables() -> None:
    text = render_markdown(computed([*runs("lp", "esol", [1.0, 2.0]), *runs("bss", "esol", [3.0], epochs=30)]))
    assert "· paper (epochs=100) training ·" in text
    assert "· paper (epochs=30) training ·" in text
    assert "| LP | 1.500 ± 0.500 (2) |\n" in text
    assert "| BSS | 3.000 (1) |\n" in text
    assert "Fewer seeds" not in text
    assert "| -- |" not in text


def test_columns_name_their_metric_where_a_table_has_two() -> None:
    text = render_markdown(computed([*runs("lp", "esol", [1.0]), *runs("lp", "lipo", [0.5], metric="spearman")]))
    assert "· RMSE ↓, Spearman ↑\n" in text
    assert "| Method | esol (RMSE ↓) | lipo (Spearman ↑) |\n" in text


def test_a_method_alone_is_not_ranked_and_marked_only_beside_a_baseline() -> None:
    alone = [*runs("lp", "esol", [1.0, 2.0]), *runs("lp", "lipo", [1.0])]
    rows = markdown_rows([*alone, *forests("esol", [0.5, 0.5])])
    assert [rows[0], *rows[2:]] == [
        "| Method | esol | lipo |",
        "| LP | **1.500 ± 0.500 (2)** | 1/2 |",
        "| Random forest · ecfp † | **0.500 ± 0.000 (2)** | -- |",
    ]
    assert to_frame(board_of(alone))["average_rank"].isna().all()
    failed = ended(runs("bss", "esol", [0.0, 0.0]))
    text = render_markdown(computed(alone, failures=failed))
    assert "| LP | 1.500 ± 0.500 (2) | 1/2 |\n| BSS | failed | -- |\n" in text
    assert "Average rank over" not in text


def test_one_seed_has_no_deviation() -> None:
    records = [*runs("lp", "esol", [1.0]), *runs("bss", "esol", [2.0])]
    assert markdown_rows(records)[2:] == ["| LP | 1.000 (1) | 1.00 |", "| BSS | 2.000 (1) | 2.00 |"]
    assert to_frame(board_of(records))["std"].tolist() == [0.0, 0.0]


def test_what_a_deviation_is_over_is_said_where_one_is_shown() -> None:
    assert footnotes.SPREAD not in render_markdown(computed([*runs("lp", "esol", [1.0]), *runs("bss", "esol", [2.0])]))
    short = [*runs("lp", "esol", [1.0, 2.0]), *runs("bss", "lipo", [2.0, 3.0])]
    found = computed([*short, *forests("esol", [1.0])])
    assert render_markdown(found).count(footnotes.SPREAD) == 1
    console = Console(file=io.StringIO(), width=1000)
    print_rich(found, console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count(f"- {footnotes.SPREAD}\n") == 1
    assert "on one split and, where labels are few, one subset of them" in render_latex(found)


def seeded(records: list[RecordSummary], split: int | None, labels: int) -> list[RecordSummary]:
    """The same jobs on another split, or with other labels."""
    found = []
    for one in records:
        params = {key: value for key, value in one.job["split"]["params"].items() if key != "seed"}
        part = {**one.job["split"], "params": params if split is None else {**params, "seed": split}}
        key = f"{one.key}-{split}-{labels}"
        found.append(changed(one, key, split=part, label_ratio={"name": "n50", "seed": labels}))
    return found


def test_what_a_deviation_over_pooled_runs_is_over_is_said() -> None:
    both = [one for i in range(3) for one in seeded(runs("lp", "esol", [1.0 + i, 2.0]), i, i)]
    text = render_markdown(computed(both, "pool=split_seed"))
    assert " 6 pooled runs (2 training seeds, 3 split seeds, 3 label subset seeds)" in text
    assert footnotes.SPREAD not in text
    subsets = [one for i in range(4) for one in seeded(runs("lp", "esol", [1.0 + i]), None, i)]
    text = render_markdown(computed(subsets, "pool=split_seed"))
    assert " 4 pooled runs (1 training seed, 4 label subset seeds)" in text
    alone = seeded(runs("lp", "esol", [1.0, 2.0]), 0, 0)
    assert footnotes.SPREAD in render_markdown(computed(alone, "pool=split_seed"))  # nothing else differs
    frame = by_model(board_of(both, "pool=split_seed").table)
    assert " 6 pooled runs (2 training seeds, 3 split seeds" in render(frame)


@pytest.mark.parametrize(("scale", "cell"), [(1e-7, "1.100e-07 ± 1.000e-08"), (1e39, "1.100e+39 ± 1.000e+38")])
def test_scores_of_unusual_scale_are_readable_in_every_table(scale: float, cell: str) -> None:
    found = computed(runs("lp", "esol", [1.0 * scale, 1.2 * scale]))
    console = Console(file=io.StringIO(), width=200)
    print_rich(found, console)
    assert isinstance(console.file, io.StringIO)
    models = render(by_model(found.board.table))
    for text in (render_markdown(found), console.file.getvalue(), models, render_latex(found).replace(r"$\pm$", "±")):
        assert f"{cell} (2)" in text


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    assert markdown_rows(runs("a|b", "esol", [1.0]))[2].startswith(r"| a\|b | ")


def test_frame_has_the_documented_columns_and_full_numbers() -> None:
    frame = to_frame(board_of(example()))
    assert list(frame.columns) == [
        *("model", "split", "label_ratio", "train", "protocol", "task", "dataset", "metric", "method"),
        *("family", "params"),
        *("mean", "std", "n", "n_expected", "labels", "labels_selection", "labels_interpolation"),
        *("trained_parameters", "fit_seconds", "fit_cpu_seconds"),
        *("feature_shift", "pretrain_gain", "pretrain_gain_percent"),
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
        "family": "partial",
        "params": {},
        "mean": 2.0,
        "std": 0.0,
        "n": 2,
        "n_expected": 2,
        "labels": 90.0,
        "labels_selection": 10.0,
        "labels_interpolation": 0.0,
        "trained_parameters": 4481.0,
        **dict.fromkeys(("fit_seconds", "fit_cpu_seconds")),
        **dict.fromkeys(("feature_shift", "pretrain_gain", "pretrain_gain_percent")),
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
    assert "\nroftbench run -m model=gin_masking method=bss dataset=lipo split=scaffold" in text
    colored = Console(file=io.StringIO(), width=200, force_terminal=True, color_system="standard", no_color=False)
    print_rich(computed(example()), colored)
    assert isinstance(colored.file, io.StringIO)
    assert "\x1b[1m0.900 ± 0.000 (2)\x1b[0m" in colored.file.getvalue()
    assert "\x1b[1m3.000" not in colored.file.getvalue()  # ranks are no tests


def test_write_tables_writes_three_files_and_replaces_old_ones(tmp_path: Path) -> None:
    out = tmp_path / "new" / "results"
    write_tables(computed(runs("lp", "esol", [9.0])), out)
    paths = write_tables(computed(example()), out)
    assert paths == [out / f"leaderboard.{kind}" for kind in ("md", "csv", "tex")]
    assert paths[0].read_text(encoding="utf-8") == f"# Leaderboard\n\n{render_markdown(computed(example()))}"
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
        with raises_usage("roftbench run", key="paths.results", got="somewhere"):
            board_of([], failures=failures)
