"""Cells that lack jobs: their marks and reasons, and the commands that would fill them."""

import json

from boards import board_of, changed, computed, ended, runs
from msgspec.structs import replace

from roftbench.report.tables.render import (
    render_markdown,
    to_json,
)
from roftbench.store.record_schema import RecordSummary


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
        "| LP | 1.500 ± 0.500 (2) | 1.500 ± 0.500 (2) | -- |",
        "| Surgical FT | n/a | -- | -- |",
        "| BSS | failed | 1/2 | -- |",
    ]
    assert ": BSS on esol (seed 0, 1), BSS on lipo (seed 1): the loss is NaN.\n" in text
    assert ": Surgical FT on esol (seed 0, 1): no block layer9" in text
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
    assert "| LP | failed |\n" in table
    assert ": LP on bace (seed 0, 1): out of memory.\n" in table
    assert "method=lp dataset=bace split=scaffold label_ratio=full seed=0,1\n" in table


def test_ranks_are_of_those_that_can_have_one() -> None:
    done = [*runs("lp", "esol", [1.0]), *runs("bss", "esol", [2.0])]
    failures = ended(runs("full_ft", "esol", [0.0]), "skipped", "it makes no sense")
    text = render_markdown(computed(done, failures=failures))
    assert "| Full FT | n/a | -- |\n| LP | 1.000 (1) | 1.00 |\n" in text


def test_no_command_is_made_up_for_what_is_not_shipped() -> None:
    text = render_markdown(computed([*runs("mine", "esol", [1.0]), *runs("lp", "esol", [1.0, 2.0])]))
    assert "method=mine" in text
    assert "roftbench run" not in text


def test_pooled_split_seeds_are_replicates_and_their_gaps_commands() -> None:
    def at(seed: int, record: RecordSummary) -> RecordSummary:
        split = record.job["split"]
        split = {**split, "params": {**split["params"], "seed": seed}}
        ratio = {"name": "n50", "count": 50, "seed": seed}
        return changed(record, f"{record.key}-{seed}", split=split, label_ratio=ratio)

    records = [at(seed, one) for seed in (42, 7) for one in runs("lp", "esol", [1.0, 2.0])]
    records += [at(42, one) for one in runs("bss", "esol", [3.0, 3.0])]
    text = render_markdown(computed(records, "pool=split_seed"))
    assert "| LP | 1.500 ± 0.500 (4) | -- |\n| BSS | 2/4 | -- |\n" in text
    fill = "method=bss dataset=esol split=scaffold label_ratio=n50 split.seed=7 seed=0,1"
    assert f"\nroftbench run -m model=gin_masking {fill}\n" in text


def test_a_gap_on_a_data_set_of_the_other_task_has_that_tasks_loss() -> None:
    """Records name the loss that the task filled in; a job of the other task is not asked for it."""
    records = [*runs("lp", "esol", [1.0]), *runs("lp", "bace", [0.7]), *runs("bss", "bace", [0.7])]
    records += [*runs("lp", "lipo", [1.0]), *runs("bss", "lipo", [1.0])]
    for record in records:
        loss = "bce" if record.job["dataset"]["task"] == "classification" else "rmse"
        record.job["train"] = {**record.job["train"], "loss": loss}
    text = render_markdown(computed(records))
    fill = "roftbench run -m model=gin_masking method=bss dataset=esol split=scaffold label_ratio=full seed=0"
    assert fill in text.splitlines()


def test_what_another_candidate_was_skipped_for_is_still_missing() -> None:
    done = [*runs("lp", "esol", [1.0, 2.0]), *runs("surgical_ft", "esol", [1.0])]
    skipped = ended(runs("surgical_ft", "esol", [0.0, 0.0]), "skipped", "no block layer9 in this encoder.")
    skipped = [replace(record, key=record.key + "-layer9") for record in skipped]
    text = render_markdown(computed(done, failures=skipped))
    fill = "roftbench run -m model=gin_masking method=surgical_ft dataset=esol split=scaffold label_ratio=full seed=1"
    assert fill in text.splitlines()
