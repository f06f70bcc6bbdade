"""`roftbench data`: a name or any path, tables or JSON, and the splits that the overrides choose."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import Command
from golden import LONG, Golden
from lab import write_csv

from roftbench.cli import data as quality
from roftbench.cli.data import SPLITS
from roftbench.console import say
from roftbench.data.dataset import load_dataset

NAN = float("nan")
SMILES = [
    "CCO",
    "OCC",
    "c1ccccc1C",
    "C1CCCCC1",
    "CC(=O)O",
    "c1ccncc1",
    "CCCCl",
    "C[N+](C)(C)C.[Cl-]",
    "no molecule",
    "N",
]
LABELS = [0.5, 0.75, 1.25, 2.5, 3.5, -1.0, -2.25, 0.125, 9.0, 4.0]
WEIRD = (
    "two words.csv",
    "a, b.csv",
    "a=b (1).csv",
    "it's [a] {b}.csv",
    "back\\slash $x.csv",
    "null",
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "own.csv", {"smiles": SMILES, "y": LABELS})


def asked(cli: Command, *arguments: str) -> dict[str, Any]:
    """The report that --json prints, and nothing else, on standard output."""
    ended = cli("data", *arguments, "--json")
    assert ended.code == 0, ended.err
    report: dict[str, Any] = json.loads(ended.out, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    return report


def test_a_published_data_set_by_name(cli: Command) -> None:
    ended = cli("data", "freesolv", "--full")
    assert (ended.code, ended.err) == (0, "")
    rows = [line.split("│") for line in ended.out.splitlines() if line.startswith("│   train")]
    assert [row[2].strip() for row in rows] == ["513", "513", "513", "514"]


@pytest.mark.parametrize("name", WEIRD)
def test_a_path_may_hold_any_character(cli: Command, name: str) -> None:
    Path(name).write_text("smiles,y\nCCO,0.5\nCCN,1.5\nCCC,2.5\n", encoding="utf-8")  # the working directory is empty
    report = asked(cli, name)
    assert report["place"].removeprefix("./") == name
    assert (report["rows"], report["kept"], report["task"]) == (3, 3, "regression")
    assert any("SMILES column smiles" in guess for guess in report["guesses"])


def test_tables_show_rows_from_1_and_json_from_0(cli: Command, table: Path) -> None:
    report = asked(cli, str(table))
    assert report["dropped"] == [
        {"row": 8, "smiles": "no molecule", "reason": "RDKit: non-ring atom 0 marked aromatic"}
    ]
    assert report["duplicates"]["listed"][0]["rows"] == [0, 1]
    assert report["duplicates"]["largest_spread"] == 0.25
    lines = cli("data", str(table), "--full").out.splitlines()
    assert any([cell.strip() for cell in line.split("│")[1:3]] == ["9", "no molecule"] for line in lines)
    assert any([cell.strip() for cell in line.split("│")[1:4]] == ["CCO", "1, 2", "0.5, 0.75"] for line in lines)


def test_the_first_ten_dropped_rows_are_shown_and_all_counted(cli: Command, tmp_path: Path) -> None:
    smiles = ["C" * n for n in range(1, 6)] + ["C" * n + "*" for n in range(1, 13)]
    path = write_csv(tmp_path / "own.csv", {"smiles": smiles, "y": [n + 0.5 for n in range(17)]})
    out = cli("data", str(path), "--full").out
    rows = [line.split("│")[1].strip() for line in out.splitlines() if "│" in line and "dummy atom" in line]
    assert rows[1:] == [*map(str, range(6, 16))]  # the first row counts the reason
    assert len(asked(cli, str(path))["dropped"]) == 12


def test_many_tasks_are_summed_up_in_the_table_and_all_in_json(cli: Command, tmp_path: Path) -> None:
    smiles = ["C" * n for n in range(1, 11)]
    tasks = {f"task {number}": [1] * number + [0] * (10 - number) + [] for number in range(11)}
    more = {f"other {number}": [NAN, 1, 0, 1, 0, 1, 0, 1, 0, 1] for number in range(10)}
    path = write_csv(tmp_path / "own.csv", {"smiles": smiles, **tasks, **more})
    out = cli("data", str(path), "dataset.targets=['*']", "--full").out
    assert " 21 tasks" in out
    assert " 2 of 21" in out
    assert "task 3" not in out
    assert len(asked(cli, str(path), "dataset.targets=['*']")["labels"]["tasks"]) == 21


def test_the_column_of_the_table_is_one_of_its_splits(cli: Command, tmp_path: Path) -> None:
    parts = ["train"] * 6 + ["test"] * 2 + [""] * 2
    path = write_csv(tmp_path / "own.csv", {"smiles": SMILES, "y": LABELS, "split": parts})
    report = asked(cli, str(path), "split.val_from_train=0.5", "split.seed=7")
    assert list(report["splits"]) == [*SPLITS, "column"]
    column = report["splits"]["column"]
    assert column["settings"] == {"fractions": [0.8, 0.1, 0.1], "seed": 7, "val_from_train": 0.5}
    assert [part["molecules"] for part in column["parts"].values()] == [3, 3, 2]
    assert column["unused"] == 1  # and the row that is no molecule
    assert report["splits"]["random"]["settings"]["seed"] == 7


def test_fractions_go_to_every_split_and_a_chosen_split_is_the_only_one(cli: Command, table: Path) -> None:
    report = asked(cli, str(table), "split.fractions=[0.5,0.25,0.25]")
    assert list(report["splits"]) == list(SPLITS)
    for split in report["splits"].values():
        assert split["settings"]["fractions"] == [0.5, 0.25, 0.25]
    assert [part["molecules"] for part in report["splits"]["random"]["parts"].values()] == [4, 2, 3]
    only = asked(cli, str(table), "split=random", "split.seed=3")
    assert list(only["splits"]) == ["random"]
    assert only["splits"]["random"]["settings"] == {"fractions": [0.8, 0.1, 0.1], "seed": 3}


def test_a_split_by_file_can_be_asked_for(cli: Command, table: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text('{"train": "0,2-5", "val": [6], "test": [1, 7]}', encoding="utf-8")
    split = asked(cli, str(table), "split=file", f"split.path={rows}")["splits"]["file"]
    assert [part["molecules"] for part in split["parts"].values()] == [5, 1, 2]
    assert split["in_train"]["test"] == {"same_smiles": 1, "same_connectivity": 1}


def test_the_verdict_comes_first_and_out_holds_the_whole_report(cli: Command, table: Path, tmp_path: Path) -> None:
    paths = {end: tmp_path / "new" / f"report.{end}" for end in ("json", "html", "md")}
    for path in paths.values():
        ended = cli("data", str(table), "--out", str(path))
        assert ended.code == 0
    head, *lines = ended.out.splitlines()
    assert head == "own: 9 molecules, regression"
    subjects = [line.split()[1] for line in lines if line.startswith(("ok ", "look ", "act "))]
    assert subjects == ["molecules", "replicates", "leaks", "labels", "range"]
    assert "dataset.duplicates=merge" in ended.out
    assert "│" not in ended.out  # the tables are left to --full
    assert json.loads(paths["json"].read_text(encoding="utf-8")) == asked(cli, str(table))
    for path in (paths["html"], paths["md"]):
        text = path.read_text(encoding="utf-8")
        assert text.index("replicates") < text.index("Same SMILES")
        assert "no molecule" in text  # the dropped row
    assert "<script" not in paths["html"].read_text(encoding="utf-8")


def test_what_a_download_says_stays_out_of_the_json(cli: Command, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = load_dataset

    def talking(*given: Any) -> Any:
        say("downloading")
        return load(*given)

    monkeypatch.setattr(quality, "load_dataset", talking)
    ended = cli("data", str(table), "--json")
    assert json.loads(ended.out)["name"] == "own"
    assert ended.err == "downloading\n"
    assert "downloading" in cli("data", str(table)).out


def test_undefined_numbers_are_dashes(cli: Command, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "one.csv", {"smiles": ["C"], "a": [1], "b": [NAN]})
    ended = cli("data", str(path), "dataset.targets=[a,b]", "dataset.task=classification", "--full")
    assert ended.code == 0
    cells = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in ended.out.splitlines() if "│" in line}
    assert [cell.strip() for cell in cells["b"]] == ["0", "100.0%", "0", "0", "–"]
    assert {cell.strip() for cell in cells["… median"]} == {"–"}
    assert "nan" not in ended.out.lower()


def test_sampling_is_said(cli: Command, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roftbench.data.similarity.PAIRS", 1)
    monkeypatch.setattr("roftbench.data.similarity.SAMPLE", 1)
    out = cli("data", str(table), "split=random", "split.fractions=[0.5,0.1,0.4]", "--full").out
    [line] = [line for line in out.splitlines() if "test molecules sampled" in line]
    assert line.split("│")[2].strip() == "1"


REFUSED = [
    ("esoll",), ("no/such.csv",), (".",), ("csv",), ("esol", "dataset=bbbp"), ("esol", "dataset.path=b.csv"),
    ("esol", "split.fractoins=[1,0,0]"), ("esol", "split=randon"), ("esol", "split=random", "split.val_from_train=0.2"),
    ("freesolv", "label_ratio.count=9999"), ("esol", "--config-dir=no"), ("esol", "--out=."), ("esol", "foo"),
]  # fmt: skip


def test_what_cannot_be_meant_is_refused_with_one_message(cli: Command, golden: Golden) -> None:
    messages = []
    for arguments in REFUSED:
        ended = cli("data", *arguments)
        ended.refused()
        messages.append(f"$ roftbench data {' '.join(arguments)}\n{LONG.sub('Allowed: …', ended.err)}")
    golden("refusals_data.txt", "".join(messages))


def test_a_file_that_cannot_be_written_is_a_clear_message(cli: Command, table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    cli("data", str(table), "--out", str(tmp_path / "file" / "report.json")).refused("--out", "cannot be written")


def test_a_path_that_a_config_would_resolve_is_refused(cli: Command) -> None:
    Path("${env:HOME}.csv").write_text("smiles,y\nCCO,0.5\n", encoding="utf-8")
    cli("data", "${env:HOME}.csv").refused("${env:HOME}.csv", "Rename the file")


def test_a_file_that_is_no_table_is_a_clear_message(cli: Command, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("", encoding="utf-8")
    cli("data", str(path)).refused("empty")


def test_a_data_set_and_a_split_of_the_users_own(cli: Command, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    (folder / "dataset").mkdir(parents=True)
    (folder / "split").mkdir()
    (folder / "dataset" / "mine.yaml").write_text(f"name: mine\npath: {table}\n", encoding="utf-8")
    (folder / "split" / "half.yaml").write_text(
        "name: half\n_target_: roftbench.data.split.RandomSplit\nfractions: [0.5, 0, 0.5]\nseed: 1\n", encoding="utf-8"
    )
    report = asked(cli, "mine", "split=half", "--config-dir", str(folder))
    assert (report["name"], list(report["splits"])) == ("mine", ["half"])
    assert [part["molecules"] for part in report["splits"]["half"]["parts"].values()] == [4, 0, 5]
