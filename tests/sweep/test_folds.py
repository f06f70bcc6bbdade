"""Cross-validation from the command line to the table."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command
from lab import Lab, write_csv

from roftbench.config.components import build
from roftbench.data.dataset import load_dataset

SMILES = ["C" * length + end for length in range(1, 13) for end in ("O", "N", "F", "Cl")]
CV = ("split=cv", "split.folds=3", "model=ecfp", "method=mean,ridge")


@pytest.fixture
def own(tmp_path: Path) -> tuple[str, ...]:
    """A table with a date and a series per molecule."""
    columns = {
        "smiles": SMILES,
        "y": [0.5 * len(one) + 0.3 * (n % 3) for n, one in enumerate(SMILES)],
        "year": [2010 + n // 6 for n in range(len(SMILES))],
        "series": [f"s{n % 9}" for n in range(len(SMILES))],
    }
    return "dataset=csv", f"dataset.path={write_csv(tmp_path / 'own.csv', columns)}"


def test_sweep_runs_all_folds_with_the_fold_as_seed(cli: Command) -> None:
    ended = cli("run", "-m", *CV, "split.repeats=2", "dataset=esol", "label_ratio=n50")
    assert ended.code == 0
    assert "mean ± deviation over 6 folds" in ended.out
    records = cli.lab.store.load()
    found = sorted((record.job["method"]["name"], record.job["split"]["params"]["fold"]) for record in records)
    assert found == [(method, fold) for method in ("mean", "ridge") for fold in range(6)]
    assert all(record.job["seed"] == record.job["split"]["params"]["fold"] for record in records)
    assert all("repeats" not in record.job["split"]["params"] for record in records)
    parts = {fold: set() for fold in range(6)}  # type: ignore[var-annotated]
    for record in records:
        assert record.test_predictions is not None
        parts[record.job["split"]["params"]["fold"]] |= set(record.test_predictions.row)
    for repeat in (range(3), range(3, 6)):
        rows = [row for fold in repeat for row in parts[fold]]
        assert sorted(rows) == list(range(1128))
    # One cell per method in the table, over six folds; a missing fold has its command.
    missing = next(
        one for one in records if one.job["split"]["params"]["fold"] == 4 and one.job["method"]["name"] == "mean"
    )
    cli.lab.store.record_path(missing.key).unlink()
    assert cli("tables", "--no-figures").code == 0
    text = (cli.lab.results / "tables" / "leaderboard.md").read_text(encoding="utf-8")
    assert re.search(r"^\| Ridge.* \| \**[\d.]+ ± [\d.]+ \(6\)", text, re.MULTILINE)
    assert "over 6 folds of a cross-validation" in text
    assert "5/6" in text
    [command] = re.findall(r"^roftbench run -m .*$", text, re.MULTILINE)
    assert cli(*command.split()[1:]).code == 0
    assert {record.key for record in cli.lab.store.load()} == {record.key for record in records}


def test_plan_counts_folds_and_a_given_seed_stays(cli: Command) -> None:
    plan = json.loads(cli("plan", "--json", *CV, "dataset=esol", "seed=0,1").out)
    assert plan["jobs"] == 3 * 2 * 2
    assert json.loads(cli("plan", "--json", "split=cv5x5", *CV[2:], "dataset=esol").out)["jobs"] == 50


@pytest.mark.parametrize("several", [(), ("-m",)])
def test_folds_run_one_by_one_are_the_jobs_of_the_sweep(lab: Lab, cli: Command, several: tuple[str, ...]) -> None:
    words = (*CV[:3], "method=mean", "dataset=esol")
    assert all(cli("run", *several, *words, f"split.fold={fold}").code == 0 for fold in range(3))
    plan = json.loads(cli("plan", "--json", *words).out)
    assert (plan["jobs"], plan["done"]) == (3, 3)
    assert cli("run", *several, *words, "split.fold=1", "seed=0").code == 0
    assert len(lab.store.load()) == 4


def test_no_seed_is_refused(cli: Command) -> None:
    cli("run", "seed=null", "split=random").refused("seed")


@pytest.mark.parametrize("values", ["split.folds=3,5", "split.folds=5,3", "split.repeats=1,2"])
def test_several_numbers_of_folds_stay_apart(cli: Command, values: str) -> None:
    cli("plan", "split=cv", values, *CV[2:], "dataset=esol").refused(
        "run it apart", *values.partition("=")[2].split(",")
    )


def test_a_score_that_is_undefined_in_a_fold_is_left_out_of_no_mean(cli: Command, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "rare.csv", {"smiles": SMILES, "y": [int(n % 20 == 0) for n in range(len(SMILES))]})
    own = ("dataset=csv", f"dataset.path={path}", "dataset.task=classification", "label_ratio=full")
    ended = cli("run", "-m", *own, "model=ecfp", "method=ridge,knn", "split=cv", "split.folds=4")
    assert ended.code == 0
    table = ended.out[ended.out.index("test scores") :]
    assert "mean ± deviation over 4 folds" in table
    assert table.count("undefined") == 2


def test_deviation_is_that_of_the_tables(cli: Command) -> None:
    words = (*CV[:3], "method=mean", "dataset=esol", "label_ratio=n50", "seed=0,1")
    ended = cli("run", "-m", *words)
    [shown] = re.findall(r"[\d.]+ ± [\d.]+", ended.out)
    assert "mean ± deviation over 3 folds × 2 seeds" in ended.out
    assert cli("tables", "--no-figures").code == 0
    assert shown in (cli.lab.results / "tables" / "leaderboard.md").read_text(encoding="utf-8")


def test_one_fold_needs_its_number_and_other_splits_stay_apart(cli: Command) -> None:
    cli("run", *CV[:3], "method=mean", "dataset=esol").refused("one job is one fold", "split.fold=0 to 2")
    cli("run", "-m", "split=cv,scaffold", *CV[2:], "dataset=esol").refused("run it apart")
    assert cli("run", *CV[:3], "method=mean", "dataset=esol", "split.fold=7").code == 0


@pytest.mark.parametrize("by", ["butina", "column"])
def test_groups_of_an_own_table_stay_together(lab: Lab, own: tuple[str, ...], by: str) -> None:
    column = ("split.column=series",) if by == "column" else ()
    given = (*CV[:3], "method=mean", *own, f"split.by={by}", "split.fold=1", "split.val_fraction=0.2", *column)
    given = (*given, "dataset.targets=[y]", "label_ratio=full")
    record = lab.done(*given)
    assert record.test_predictions is not None
    if by == "column":
        table = pd.read_csv(own[1].partition("=")[2])
        test = set(table["series"][record.test_predictions.row])
        assert not test & set(table["series"].drop(record.test_predictions.row))


def test_rows_are_not_merged_across_what_the_split_keeps_apart(lab: Lab, tmp_path: Path) -> None:
    """A molecule that is measured again later has its early label in train, and not the mean of both."""
    years = [2000 + n for n in range(len(SMILES))]
    columns = {"smiles": [*SMILES, *SMILES[:9]], "y": [*[1.5, 2.5] * 24, *[9.5] * 9], "year": [*years, *[2100] * 9]}
    own = ("dataset=csv", f"dataset.path={write_csv(tmp_path / 'again.csv', columns)}", "dataset.targets=[y]")
    job, context = lab.job("split=time", "split.column=year", *own, "dataset.duplicates=merge", "label_ratio=full")
    dataset = load_dataset(job.dataset, context.cache / "data", context.places)
    split, _ = dataset.cut(build(job.split), job.label_ratio)
    assert set(dataset.y[split.train, 0]) == {1.5, 2.5}
    assert set(dataset.y[:, 0]) == {1.5, 2.5, 9.5}
    assert job.dataset.reading()["reading"] == 3


def test_blanks_around_a_group_make_no_other_group(lab: Lab, own: tuple[str, ...]) -> None:
    path = Path(own[1].partition("=")[2])
    table = pd.read_csv(path)
    by = ("split.by=column", "split.column=series", "split.val_fraction=0.2")
    words = (*CV[:3], "method=mean", own[0], *by, "dataset.targets=[y]")
    plain = lab.done(*words, own[1], "split.fold=1", "label_ratio=full")
    table["series"] += [" " * (n % 2) for n in range(len(table))]
    table.to_csv(path.with_name("padded.csv"), index=False)
    padded = lab.done(*words, f"dataset.path={path.with_name('padded.csv')}", "split.fold=1", "label_ratio=full")
    assert plain.test_predictions is not None
    assert padded.test_predictions is not None
    assert list(plain.test_predictions.row) == list(padded.test_predictions.row)
    assert (plain.job["dataset"].get("reading"), padded.job["dataset"]["reading"]) == (None, 3)


def test_strict_budget_counts_labels_and_no_rows_without_one(lab: Lab, tmp_path: Path) -> None:
    columns = {"smiles": SMILES, "y": [1.5, 2.5, 3.5, ""] * 12}
    own = (
        "dataset=csv",
        f"dataset.path={write_csv(tmp_path / 'gaps.csv', columns)}",
        "split=random",
        "split.fractions=[0.5,0.4,0.1]",
    )
    strict = ("label_ratio.count=15", "label_ratio.val_budget=strict")
    job, context = lab.job(*own, "label_ratio=full", *strict)
    dataset = load_dataset(job.dataset, context.cache / "data", context.places)
    _, parts = dataset.cut(build(job.split), job.label_ratio)
    assert np.isfinite(dataset.y[np.concatenate([parts.train, parts.val])]).all()
    assert (len(parts.train), len(parts.val)) == (12, 3)
    assert job.identity()["label_ratio"]["labeled_val"] is True
    whole, _ = lab.job(*own, "label_ratio=full", strict[0])
    assert "labeled_val" not in whole.identity()["label_ratio"]


def test_time_split_reads_its_column_and_takes_it_for_no_label(lab: Lab, own: tuple[str, ...]) -> None:
    record = lab.done("split=time", "split.column=year", "model=ecfp", "method=mean", *own, "label_ratio=full")
    assert record.job["dataset"]["targets"] == ["y"]
    table = pd.read_csv(own[1].partition("=")[2])
    assert record.test_predictions is not None
    assert table["year"][record.test_predictions.row].min() >= table["year"].drop(record.test_predictions.row).max()


def test_a_column_that_is_not_there_is_one_message(cli: Command, own: tuple[str, ...]) -> None:
    cli("run", "split=time", "split.column=when", "model=ecfp", "method=mean", *own).refused("no column 'when'")
    cli("run", "split=time", "split.column=when", "model=ecfp", "method=mean", "dataset=esol").refused(
        "a table of your own"
    )
    cli("run", "split=time", "split.column=series", "model=ecfp", "method=mean", *own, "dataset.targets=[y]").refused(
        "which is no date"
    )
