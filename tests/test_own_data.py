"""A table of one's own from the command line: guesses, parts, classes, duplicates, and what the record then says."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command import Command, Terminal
from lab import FOREST, Lab, molecules, write_csv
from rdkit import Chem

import roftbench


@pytest.fixture
def smiles(lab: Lab) -> list[str]:
    return molecules("lipo", lab.job("dataset=lipo")[0], 80)[0]


def record_of(cli: Command) -> dict[str, Any]:
    [path] = (cli.lab.results / "runs").glob("*.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def run(cli: Command, path: Path, *more: str) -> tuple[str, dict[str, Any]]:
    small = ("model=tiny_gin", "train=smoke", "method=full_ft", "run.threads=1")
    ended = cli("run", "dataset=csv", f"dataset.path={path}", *small, *more)
    assert ended.code == 0, ended.err + ended.out
    return ended.out, record_of(cli)


def test_with_nothing_else_given(cli: Command, tmp_path: Path, smiles: list[str]) -> None:
    path = write_csv(
        tmp_path / "my.csv", {"id": range(80), "Structure": smiles, "pIC50": [4 + i % 7 / 3 for i in range(80)]}
    )
    said, record = run(cli, path)
    guessed = [line.removeprefix("  guessed: ") for line in said.splitlines() if "guessed" in line]
    assert {"SMILES column Structure", "targets pIC50", "task regression"} <= set(guessed)
    assert any(text.startswith("left out id") for text in guessed)
    assert record["job"]["split"]["name"] == "scaffold"
    assert record["data"]["place"] == str(path)
    assert record["warnings"] == []


@pytest.mark.parametrize("name", ["my.tsv", "my.csv.gz", "my.parquet"])
def test_other_formats(cli: Command, tmp_path: Path, smiles: list[str], name: str) -> None:
    path = tmp_path / name
    frame = pd.DataFrame({"smiles": smiles, "active": ["yes", "no"] * 40})
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if "tsv" in name else ",", index=False)
    said, record = run(cli, path, "split=random")
    assert "task classification (no = 0, yes = 1)" in said
    assert record["job"]["dataset"]["classes"] == ["no", "yes"]
    assert record["job"]["dataset"]["metric"] == "roc_auc"


def test_a_split_column_is_honored_and_another_split_can_be_asked_for(
    cli: Command, tmp_path: Path, smiles: list[str]
) -> None:
    parts = ["train"] * 50 + ["Valid"] * 10 + ["test"] * 15 + [""] * 5
    path = write_csv(tmp_path / "my.csv", {"smiles": smiles, "y": [i / 7 for i in range(80)], "split": parts})
    said, record = run(cli, path)
    assert "split column split" in said
    assert record["job"]["split"]["name"] == "column"
    assert record["count"]["graphs"] == {"train": 50, "val": 10, "test": 15}
    assert record["test_predictions"]["row"] == list(range(60, 75))
    exported = json.loads(cli("splits", "dataset=csv", f"dataset.path={path}", "model=tiny_gin").out)
    assert exported == {"train": [*range(50)], "val": [*range(50, 60)], "test": [*range(60, 75)]}
    other = json.loads(cli("splits", "dataset=csv", f"dataset.path={path}", "split=random", "model=tiny_gin").out)
    assert sorted(row for part in other.values() for row in part) == list(range(80))
    cli("splits", "dataset=esol", "split=column").refused("no column 'split'", "dataset.split_column=NAME")


def test_exported_rows_come_back_as_the_same_parts(cli: Command, tmp_path: Path) -> None:
    """ClinTox drops seven rows, so rows of the file and kept molecules differ."""
    arguments = ("dataset=clintox", "split=scaffold", "label_ratio=full")
    file = tmp_path / "parts.json"
    assert cli("splits", *arguments, "--out", str(file)).code == 0
    assert cli.run(*arguments, "method=lp").code == 0
    first = record_of(cli)
    [path] = (cli.lab.results / "runs").glob("*.json")
    path.unlink()
    assert cli.run("dataset=clintox", "split=file", f"split.path={file}", "label_ratio=full", "method=lp").code == 0
    again = record_of(cli)
    assert again["data"]["split_sha256"] == first["data"]["split_sha256"]
    assert again["scores"] == first["scores"]
    assert again["job"]["split"]["params"].get("path") is None


def test_repeated_molecules_are_a_warning_in_the_record_and_can_be_merged(
    cli: Command, tmp_path: Path, smiles: list[str]
) -> None:
    twice = [*smiles[:40], *smiles[:40]]
    path = write_csv(tmp_path / "my.csv", {"smiles": twice, "y": [i / 7 for i in range(80)]})
    said, record = run(cli, path, "split=random")
    assert "test molecules also occur in train" in said
    assert any("test molecules also occur in train (same canonical SMILES)" in text for text in record["warnings"])
    [old] = (cli.lab.results / "runs").glob("*.json")
    old.unlink()
    said, record = run(cli, path, "split=random", "dataset.duplicates=merge")
    assert record["warnings"] == []
    assert (record["data"]["kept"], record["data"]["rows"]) == (40, 80)
    assert record["data"]["dropped"][0]["reason"] == "merged into data row 1, the same molecule"


def test_train_of_one_class(cli: Command, tmp_path: Path, smiles: list[str]) -> None:
    parts = ["train"] * 50 + ["val"] * 10 + ["test"] * 20
    y = [1] * 50 + [1] * 10 + [0, 1] * 10
    path = write_csv(tmp_path / "my.csv", {"smiles": smiles, "y": y, "split": parts})
    _, record = run(cli, path)
    assert record["scores"]["train"]["roc_auc"] is None
    assert record["scores"]["val"]["roc_auc"] is None
    assert record["scores"]["test"]["roc_auc"] is not None
    assert [text.partition(":")[0] for text in record["warnings"]] == [
        "the train part has labels of one class only", "the val part has labels of one class only",
    ]  # fmt: skip


def test_both_seeds_of_the_data_are_free(cli: Command) -> None:
    def parts(*overrides: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = json.loads(cli("splits", "model=tiny_gin", "label_ratio=n50", *overrides).out)
        return found

    for split in ("random", "random_scaffold"):
        assert parts(f"split={split}")["test"] != parts(f"split={split}", "split.seed=1")["test"]
    plain, other = parts("split=scaffold"), parts("split=scaffold", "split.seed=1")
    assert plain["test"] == other["test"]
    assert plain["train"] != other["train"]
    assert parts("split=scaffold", "label_ratio.seed=1")["train"] == other["train"]
    assert parts("split=scaffold", "label_ratio.stratified=true")["train"] != plain["train"]


def test_a_data_set_that_is_nowhere_stops_a_sweep_before_its_first_job(
    cli: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROFTBENCH_OFFLINE", "1")
    ended = cli.run("-m", "dataset=esol,muv", "method=lp", f"paths.cache={tmp_path / 'empty-cache'}")
    assert ended.code == 2
    assert "data set muv was not found" in ended.err
    assert "ROFTBENCH_OFFLINE=1" in ended.err
    assert cli.files() == []


def test_many_tasks_with_gaps_train_and_are_scored(cli: Command, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROFTBENCH_MIRROR", str(shared / "data"))
    ended = cli.run("dataset=toxcast", "method=full_ft", "train.epochs=1", "split=random", "label_ratio=n100")
    assert ended.code == 0, ended.err
    record = record_of(cli)
    assert record["data"]["place"] == "mirror"
    assert len(record["test_predictions"]["prediction"][0]) == 617
    assert 0 < record["data"]["undefined_tasks"]["test"] < 617
    assert record["scores"]["test"]["roc_auc"] is not None
    assert record["count"]["labels"]["test"] < 858 * 617 / 2


def test_merging_never_mixes_the_labels_of_given_parts(cli: Command, tmp_path: Path, smiles: list[str]) -> None:
    columns = {
        "smiles": [*smiles[:30], smiles[0], smiles[0]],
        "y": [i / 7 for i in range(30)] + [50.0, 1.0],
        "split": ["train"] * 20 + ["val"] * 5 + ["test"] * 5 + ["test", "train"],
    }
    path = write_csv(tmp_path / "my.csv", columns)
    _, record = run(cli, path, "dataset.duplicates=merge")
    assert record["count"]["graphs"] == {"train": 20, "val": 5, "test": 6}
    assert [row["row"] for row in record["data"]["dropped"]] == [31]
    assert any("1 of 6 test molecules also occur in train" in text for text in record["warnings"])
    parts = tmp_path / "parts.json"
    parts.write_text('{"train": "0-19", "val": "20-24", "test": "25-31"}')
    file = ("split=file", f"split.path={parts}", "dataset.duplicates=merge")
    cli("run", "dataset=csv", f"dataset.path={path}", *file).refused(
        "dataset.duplicates=merge", "a column of the table"
    )


@pytest.mark.parametrize("policy", ["merge", "drop_conflicts"])
def test_duplicates_of_a_published_data_set(cli: Command, policy: str) -> None:
    assert cli.run("dataset=bbbp", "method=lp", f"dataset.duplicates={policy}").code == 0
    record = record_of(cli)
    assert record["data"]["kept"] < 2039
    assert record["data"]["rows"] == 2050


def test_a_seed_that_decides_nothing_is_no_other_job(cli: Command) -> None:
    arguments = ("-m", "dataset=freesolv", "method=lp", "label_ratio=full")
    assert cli.run(*arguments, "split=scaffold", "split.seed=0,1,2").code == 0
    assert len(list((cli.lab.results / "runs").glob("*.json"))) == 1
    assert cli.run(*arguments, "split=random", "split.seed=0,1").code == 0
    assert len(list((cli.lab.results / "runs").glob("*.json"))) == 3
    assert [row["split_seed"] for row in json.loads(cli("list", "runs", "--json").out)].count(42) == 1


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ["run", "dataset.smiles_column=Structure (SMILES)"],
            ["quotes within quotes", "\"dataset.smiles_column='Struct"],
        ),
        (
            ["run", "model.checkpoint=qu'ote.pth"],
            ["quotes within quotes", r"""'model.checkpoint='"'"'qu\'"'"'ote.pth'"'"''"""],
        ),
        (["run", r"model.checkpoint='qu\'ote.pth'"], ["model.checkpoint=qu'ote.pth cannot be read"]),
        (["run", "dataset=csv", "dataset.path=a,b.csv"], ["add -m for a sweep", "\"dataset.path='a,b.csv'\""]),
        (["run", "dataset=my.csv"], ["For a table of your own: dataset=csv dataset.path=my.csv"]),
        (["run", "split=random_scaffold", "split.seed=-1"], ["split.seed must be ≥ 0", "got -1"]),
        (["splits", "dataset=esol", "--out", "."], ["--out . is a folder"]),
        (["splits", "dataset=esol", "--out", "/proc/x.json"], ["--out /proc/x.json cannot be written"]),
    ],
)
def test_mistakes_are_told_in_one_line(cli: Command, arguments: list[str], parts: list[str]) -> None:
    cli(*arguments).refused(*parts)


def test_a_reader_that_leaves_is_no_failure_of_the_job(lab: Lab, tmp_path: Path) -> None:
    """As in `roftbench run … | head -1`."""
    code = (
        "import subprocess, sys, os; r, w = os.pipe(); os.close(r);"
        f"sys.exit(subprocess.call({lab.command('method=lp')!r}, stdout=w))"
    )
    ended = Terminal.of(lab, tmp_path).python("-c", code)
    assert "Set paths.results" not in ended.err
    assert "Traceback" not in ended.err
    assert not list((lab.results / "failures").glob("*.json"))


def test_labels_that_float32_cannot_tell_apart_are_no_matter_to_a_forest(cli: Command, tmp_path: Path) -> None:
    texts = ["C" * n + end for n in range(1, 21) for end in ("O", "N")]
    path = write_csv(tmp_path / "far.csv", {"smiles": texts, "y": [1e8 + n / 2 for n in range(40)]})
    given = "dataset=csv", f"dataset.path={path}", "split=random", "label_ratio=full"
    cli.run(*given, "method=lp").refused("more than float32 can tell apart", "train.standardize_targets=true")
    assert cli.run(*given, *FOREST).code == 0
    [record] = cli.lab.store.load()
    assert 0 < record.scores.train["rmse"] < 5
    assert cli.run(*given, "method=lp", "train.standardize_targets=true").code == 0


ALKANES = ["C" * n + end for n in range(1, 21) for end in ("O", "N")]


def test_atom_maps_make_no_scaffolds_of_their_own(cli: Command, shared: Path) -> None:
    records = {}
    for name in ("plain", "mapped"):
        said, records[name] = run(cli, shared / "cases" / f"01_{name}.csv")
        assert ("atom-map numbers of 40 SMILES are ignored" in said) == (name == "mapped")
        [old] = (cli.lab.results / "runs").glob("*.json")
        old.unlink()
    assert records["plain"]["data"]["split_sha256"] == records["mapped"]["data"]["split_sha256"]


def test_one_large_molecule_does_not_end_a_run(cli: Command, tmp_path: Path) -> None:
    texts = [*ALKANES, "C" * 20_000]
    path = write_csv(tmp_path / "my.csv", {"smiles": texts, "y": [n / 7 for n in range(41)]})
    said, record = run(cli, path, "split=random")
    [dropped] = record["data"]["dropped"]
    assert dropped["reason"] == "20,000 atoms: molecules of at most 2,000 atoms are handled"
    assert max(map(len, said.splitlines())) < 500


def test_labels_of_unusual_scale_are_warned_of_once(cli: Command, shared: Path, tmp_path: Path) -> None:
    path = shared / "cases" / "10_molar.csv"
    said, record = run(cli, path)
    [warning] = record["warnings"]
    assert warning.startswith("the labels of IC50_M have a standard deviation of ")
    assert "train.standardize_targets=true" in warning
    assert said.count("standard deviation") == 1
    [old] = (cli.lab.results / "runs").glob("*.json")
    old.unlink()
    assert run(cli, path, "train.standardize_targets=true")[1]["warnings"] == []


def test_salts_are_stripped_where_it_is_asked_for_and_in_predict(cli: Command, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "my.csv", {"smiles": [f"{s}.Cl" for s in ALKANES], "y": [n / 7 for n in range(40)]})
    _, plain = run(cli, path, "split=random")
    assert "strip_salts" not in plain["job"]["dataset"]
    (cli.lab.results / "runs" / f"{plain['key']}.json").unlink()
    _, record = run(cli, path, "split=random", "dataset.strip_salts=true", "run.keep=true")
    assert record["job"]["dataset"]["strip_salts"] is True
    assert record["key"] != plain["key"]
    folder = cli.lab.results / "models" / record["key"]
    assert "largest organic fragment" in (folder / "README.md").read_text(encoding="utf-8")
    found = roftbench.load(folder, device="cpu").predict(["Cl.CCO", "CCO", "[Na+].[Cl-]"])
    assert found["y_predicted"][0] == found["y_predicted"][1]
    assert found["similarity"].tolist()[:2] == [1.0, 1.0]


def test_an_excel_sheet_and_an_sd_file_are_tables(cli: Command, tmp_path: Path) -> None:
    frame = pd.DataFrame({"smiles": ALKANES, "y": [n / 7 for n in range(40)]})
    frame.to_excel(tmp_path / "my.xlsx", index=False)
    with Chem.SDWriter(str(tmp_path / "my.sdf")) as writer:
        for text, y in frame.itertuples(index=False):
            molecule = Chem.MolFromSmiles(text)
            molecule.SetProp("y", repr(y))
            writer.write(molecule)
    scores = []
    for name in ("my.xlsx", "my.sdf"):
        _, record = run(cli, tmp_path / name, "split=random")
        scores.append(record["scores"])
        [old] = (cli.lab.results / "runs").glob("*.json")
        old.unlink()
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ("09_twice.parquet", ["2 columns called 'value'"]),
        ("14_polymer.csv", ["dummy atom", "Replace each '*'"]),
        ("26_lfs.csv", ["Git-LFS pointer", "git lfs pull"]),
        ("26_page.csv", ["saved web page"]),
        ("28_names.csv", ["['true','null']"]),
        ("30_minus.csv", ["'−1.0' in data row 1", "U+2212", "40 different ones"]),
        ("40_outcome.csv", ["'outcome' holds Active, Inactive, Inconclusive"]),
        ("49_space_quote.csv", ["remove the blank or the quotes"]),
    ],
)
def test_tables_that_are_refused_say_why(cli: Command, shared: Path, case: str, parts: list[str]) -> None:
    path = shared / "cases" / case
    cli("run", "dataset=csv", f"dataset.path={path}", "model=tiny_gin", "train=smoke").refused(*parts)
    assert not [name for name in cli.files() if not name.startswith("logs")]


def test_a_list_that_holds_null(cli: Command, shared: Path) -> None:
    path = shared / "cases" / "28_names.csv"
    cli("run", "dataset=csv", f"dataset.path={path}", "dataset.targets=[null]").refused("dataset.targets=['null']")
