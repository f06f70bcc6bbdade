"""`roftbench predict` as a user calls it: no row is lost, whatever is in it and whenever the process ends."""

import csv
import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from command import Command, Terminal
from lab import FOREST, Lab, molecules, start, write_csv

import roftbench
from roftbench.predict.saved_model import read_saved, write_saved

GARBAGE = ("not a molecule", "", "C1CC", "[*]CC", "c1ccc", "CC(C", "☃", "nan", "Cl->[Fe]")


def saved(lab: Lab, *overrides: str) -> Path:
    return lab.store.model_path(lab.done(*overrides, "run.keep=true").key)


def with_garbage(path: Path, lab: Lab, count: int) -> Path:
    """Write a table of three columns, one row in a hundred of it garbage."""
    texts, _ = molecules("lipo", lab.job("dataset=lipo")[0], 500)
    draw = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "SMILES", 'a "note", quoted'])
        for row in range(count):
            text = GARBAGE[row // 100 % len(GARBAGE)] if row % 100 == 7 else draw.choice(texts)
            writer.writerow([row, text, "two\nlines" if row % 10 == 3 else "x,y"])
    return path


def test_no_row_is_lost_with_one_percent_garbage(cli: Command, tmp_path: Path) -> None:
    source = with_garbage(tmp_path / "in.csv", cli.lab, 2500)
    folder = saved(cli.lab, "method=lp")
    ended = cli("predict", f"model_dir={folder}", f"input={source}", "output=new/pred.csv", "device=cpu", "--full")
    assert ended.code == 0, ended
    before, after = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (source, "new/pred.csv"))
    assert after[list(before)].equals(before)
    [value] = [name for name in after if str(name).endswith("_predicted")]
    bad = before["id"].astype(int) % 100 == 7
    assert (after["reason"] != "").equals(bad)
    assert (after[value] == "").equals(bad)
    assert (after["similarity"] == "").equals(bad)
    assert f"{bad.sum()} without a prediction" in ended.out
    assert [path.name for path in Path("new").iterdir()] == ["pred.csv"]
    table = roftbench.load(folder, device="cpu").predict(before["SMILES"])
    assert table[value].map(lambda x: "" if x != x else repr(x)).equals(after[value])
    assert table["reason"].equals(after["reason"])


def test_several_models_give_mean_and_spread(cli: Command) -> None:
    folders = [saved(cli.lab, "method=lp", f"seed={seed}") for seed in range(3)]
    texts = ["CCO", "c1ccccc1O", "junk", "CCN"]
    each = [roftbench.load(folder).predict(texts) for folder in folders]
    name = str(each[0].columns[1])
    together = roftbench.load(*folders).predict(texts)
    stacked = pd.concat([one[name] for one in each], axis=1)
    assert together[name].to_numpy() == pytest.approx(stacked.mean(axis=1).to_numpy(), nan_ok=True)
    spread = together[name.replace("_predicted", "_std")].to_numpy()
    assert spread == pytest.approx(stacked.std(axis=1).to_numpy(), nan_ok=True)
    low, high = (together[name.replace("_predicted", end)] for end in ("_low", "_high"))
    assert ((low < together[name]) & (together[name] < high))[[0, 1, 3]].all()


def test_models_of_different_tasks_are_refused(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("smiles\nCCO\n")
    both = saved(cli.lab, "method=lp"), saved(cli.lab, *FOREST, "dataset=bbbp")
    given = f"model_dir={both[0]},{both[1]}", f"input={tmp_path / 'in.csv'}", "output=out.csv"
    cli("predict", *given).refused("different targets", "p_np")


def test_models_whose_probabilities_are_of_other_classes_are_refused(cli: Command, tmp_path: Path) -> None:
    texts = [f"{'C' * n}{end}" for n in range(1, 21) for end in ("O", "N")]
    own = write_csv(tmp_path / "own.csv", {"smiles": texts, "y": ["A", "B"] * 20})
    words = *FOREST, "dataset=csv", f"dataset.path={own}", "split=random", "label_ratio=full"
    both = [saved(cli.lab, *words, f"dataset.classes=[{classes}]") for classes in ("A,B", "B,A")]
    (tmp_path / "in.csv").write_text("smiles\nCCO\n")
    given = f"input={tmp_path / 'in.csv'}", "output=out.csv"
    cli("predict", f"model_dir={both[0]},{both[1]}", *given).refused("'A' against 'B'")
    said = cli("predict", f"model_dir={both[0]}", *given).out
    assert "probabilities are those of 'B', against 'A'" in said
    assert "(probabilities are those of `A`, against `B`)" in (both[1] / "README.md").read_text()
    each = [roftbench.load(folder).predict(["CCO"])["y_probability"][0] for folder in both]
    assert sum(each) == pytest.approx(1, abs=0.2)  # one and the same class, seen from both sides
    cli("predict", f"model_dir={both[0]},{both[0]}", *given).refused("is given twice")


def test_a_task_without_any_training_label_has_no_prediction(cli: Command, tmp_path: Path) -> None:
    texts = ["C" * n + "O" for n in range(1, 41)]
    cut = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
    one = [n / 10 for n in range(40)]
    columns = {"smiles": texts, "a": one, "b": [""] * 24 + one[24:], "split": cut}
    own = write_csv(tmp_path / "own.csv", columns)
    words = "method=lp", "dataset=csv", f"dataset.path={own}", "dataset.targets=[a,b]", "label_ratio=full", "split=auto"
    folder = saved(cli.lab, *words)
    found = roftbench.load(folder).predict(["CCO"])
    assert found["a_predicted"].notna().all()
    assert found[["b_predicted", "b_low", "b_high"]].isna().all(axis=None)
    assert found["reason"].tolist() == [""]
    (tmp_path / "in.csv").write_text("smiles\nCCO\n")
    said = cli("predict", f"model_dir={folder}", f"input={tmp_path / 'in.csv'}", "output=out.csv").out
    assert "no training label in 1 task, without prediction: b" in said
    assert "no label in 1 of 2 tasks" in (folder / "README.md").read_text()


def test_a_model_that_was_written_anew_begins_again(cli: Command, tmp_path: Path) -> None:
    source = with_garbage(tmp_path / "in.csv", cli.lab, 3000)
    folder = saved(cli.lab, *FOREST)
    with start([sys.executable, "-m", "roftbench", "predict", f"model_dir={folder}", f"input={source}",
                f"output={tmp_path / 'out.csv'}"]) as process:  # fmt: skip
        state = tmp_path / "out.csv.part.json"
        while not (state.exists() and '"rows": 0' not in state.read_text()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    (folder / "notes.txt").write_text("the user's")
    found = read_saved(folder)
    found.facts["calibration"]["half_width"] = [9.0]  # as after `advise`, whose intervals come from the folds
    write_saved(found, "no card")
    assert (folder / "notes.txt").read_text() == "the user's"
    ended = cli("predict", f"model_dir={folder}", f"input={source}", f"output={tmp_path / 'out.csv'}")
    assert ended.code == 0, ended
    assert "of them before" not in ended.out


def test_no_file_that_is_in_the_way_is_written_over(cli: Command, tmp_path: Path) -> None:
    model = f"model_dir={saved(cli.lab, *FOREST)}"
    for name in ("out.csv.part", "in.csv"):
        (tmp_path / name).write_text("smiles\nCCO\n")
    for name in ("out.csv.part", "in.csv"):
        given = f"input={tmp_path / name}", f"output={tmp_path / 'out.csv'}"
        cli("predict", model, *given).refused("out.csv.part", "rename it")
    assert (tmp_path / "out.csv.part").read_text() == "smiles\nCCO\n"
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.csv.part"]  # and no lock beside it
    (tmp_path / "out.csv.part").write_bytes(b"")  # a call that was killed as soon as it had begun
    assert cli("predict", model, f"input={tmp_path / 'in.csv'}", f"output={tmp_path / 'out.csv'}").code == 0
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.csv"]
    os.mkfifo(tmp_path / "pipe")
    cli("predict", model, f"input={tmp_path / 'pipe'}", "output=out.csv").refused("no regular file")


def test_a_folder_may_have_a_comma_in_its_name_and_smiles_are_one_line(cli: Command, tmp_path: Path) -> None:
    folder = saved(cli.lab, "method=lp").rename(tmp_path / "model, v2")
    (tmp_path / "in.csv").write_text('smiles,id\n"CC\nO",1\nCCO,2\n')
    given = f"input={tmp_path / 'in.csv'}", "output=out.csv"
    assert cli("predict", f"model_dir={folder}", *given).code == 0
    assert pd.read_csv("out.csv")["reason"].fillna("").tolist() == ["a SMILES is one line", ""]
    cli("predict", f"model_dir={folder},", *given).refused("a name is missing between commas")
    pair = ",".join(str(saved(cli.lab, "method=lp", f"seed={seed}")) for seed in (1, 2))
    cli("embed", f"model_dir={pair}", *given[:1], "output=out.npz").refused("a single model")


def test_what_cannot_be_done_is_told_before_any_work(cli: Command, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("smiles,reason\nCCO,\n")
    model = f"model_dir={saved(cli.lab, 'method=lp')}"
    cli("predict", model, f"input={source}").refused("output must be given")
    cli("predict", model, f"input={source}", f"output={source}").refused("is the input")
    cli("predict", model, f"input={source}", "output=out.xlsx").refused("must end with .csv")
    cli("predict", model, f"input={source}", "output=out.csv").refused("column 'reason'", "prefix=")
    cli("predict", model, "input=none.csv", "output=out.csv").refused("none.csv", "cannot be read")
    cli("predict", model, f"input={source}", "output=out.csv", "smiles_column=SMILE").refused("Allowed: reason, smiles")
    cli("predict", model, f"input={source}", "output=out.csv", "modeldir=x").refused("modeldir", "Did you mean")
    assert not list(Path().iterdir())
    assert cli("predict", model, f"input={source}", "output=out.csv", "prefix=new_").code == 0
    assert pd.read_csv("out.csv").columns[-1] == "new_reason"


@pytest.mark.parametrize("rows", [pytest.param("", marks=pytest.mark.whole), '"rows": 0'])
def test_a_killed_predict_goes_on_and_gives_the_identical_file(cli: Command, tmp_path: Path, rows: str) -> None:
    """Killed when only the header is there, or later."""
    source = with_garbage(tmp_path / "in.csv", cli.lab, 2_500)
    words = ["predict", f"model_dir={saved(cli.lab, *FOREST, 'method.n_estimators=20')}", f"input={source}"]
    command = [sys.executable, "-m", "roftbench", *words]
    killed, whole = tmp_path / "killed.csv", tmp_path / "whole.csv"
    with start([*command, f"output={killed}"]) as process:
        state = killed.with_name("killed.csv.part.json")
        while not (state.exists() and (not rows or rows not in state.read_text())):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not killed.exists()
    with killed.with_name("killed.csv.part").open("ab") as part:
        part.write(b"half a li")  # what had not reached the disk whole
    with start([*command, f"output={killed}"]) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert not rows or "of them before" in output
    without = int((pd.read_csv(killed, dtype=str, keep_default_na=False)["reason"] != "").sum())
    assert f"{without} without a prediction" in output  # those of the first call are counted, too
    assert cli(*words, f"output={whole}").code == 0
    assert killed.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("killed*")) == ["killed.csv"]


def test_gzip_and_parquet_are_read_and_gzip_is_written(cli: Command, tmp_path: Path) -> None:
    source = with_garbage(tmp_path / "in.csv", cli.lab, 1200)
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(source.read_bytes()))
    pd.read_csv(source, dtype=str, keep_default_na=False).to_parquet(tmp_path / "in.parquet")
    model = f"model_dir={saved(cli.lab, 'method=lp')}"
    for name, output in (("in.csv", "a.csv"), ("in.csv.gz", "b.csv.gz"), ("in.parquet", "c.csv")):
        assert cli("predict", model, f"input={tmp_path / name}", f"output={output}").code == 0
    expected = Path("a.csv").read_bytes()
    assert gzip.decompress(Path("b.csv.gz").read_bytes()) == expected == Path("c.csv").read_bytes()


def test_importing_roftbench_is_light(lab: Lab, tmp_path: Path) -> None:
    terminal = Terminal.of(lab, tmp_path)
    code = "import sys, roftbench; print([name for name in ('torch', 'rdkit', 'pandas') if name in sys.modules])"
    assert terminal.python("-c", code).out.strip() == "[]"
    assert subprocess.run([sys.executable, "-c", "import roftbench; roftbench.nothing"], env=terminal.env,
                          capture_output=True, check=False).returncode == 1  # fmt: skip


def test_a_disk_that_takes_no_more_is_one_message_and_the_next_call_goes_on(cli: Command, tmp_path: Path) -> None:
    lab = cli.lab
    folder = lab.store.model_path(lab.done("method=lp", "run.keep=true").key)
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.write_text("smiles\n" + "CCO\n" * 400)
    limited = "import resource, sys, roftbench.cli.main as c\n"
    limited += (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\nsys.exit(c.main(sys.argv[1:]))"
    )
    words = ["predict", f"model_dir={folder}", f"input={table}", f"output={out}", "device=cpu"]
    full = Terminal.of(lab, tmp_path).python("-c", limited, *words)
    assert (full.code, full.err) == (2, f"roftbench: output={out} cannot be written: File too large\n")
    assert not out.exists()
    assert cli(*words).code == 0
    assert len(out.read_text().splitlines()) == 401


def test_a_carriage_return_in_a_cell_is_written_back_in_quotes(cli: Command, shared: Path) -> None:
    """Python's writer of CSV leaves it bare before 3.11.9, and the row would break in two."""
    folder = saved(cli.lab, "method=lp")
    source = shared / "cases" / "07_cr.csv"
    assert cli("predict", f"model_dir={folder}", f"input={source}", "output=out.csv", "device=cpu").code == 0
    with Path("out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [row[:3] for row in rows] == [
        ["id", "remark", "smiles"],
        ["1", "first\rsecond", "CCO"],
        ["2", "plain", "CCN"],
    ]


def test_cells_of_which_a_part_would_be_lost_have_a_reason(cli: Command, tmp_path: Path) -> None:
    folder = saved(cli.lab, "method=lp")
    texts = ["CCO ethanol", "CC(=O)Oc1ccccc1 C(=O)O", "CCO\u200b", "[CH3:1][OH:2]", "C" * 20_000, "CCO"]
    source = write_csv(tmp_path / "in.csv", {"smiles": texts})
    ended = cli("predict", f"model_dir={folder}", f"input={source}", "output=out.csv", "device=cpu")
    assert ended.code == 0
    assert "2 SMILES cells hold a blank" in ended.out
    assert "atom-map numbers of 1 SMILES are ignored" in ended.out
    found = pd.read_csv("out.csv", keep_default_na=False)
    assert [bool(reason) for reason in found["reason"]] == [False, True, True, False, True, False]
    [value] = [name for name in found if str(name).endswith("_predicted")]
    assert found[value][0] == found[value][5]
    table = roftbench.load(folder, device="cpu").predict(pd.DataFrame({"n": range(6), "SMILES": texts}))
    assert table["reason"].tolist() == found["reason"].tolist()


def test_tables_of_which_rows_would_be_lost(cli: Command, shared: Path) -> None:
    folder = saved(cli.lab, "method=lp")
    for case, message in (("04_quotes.tsv", "data row 11"), ("09_twice.parquet", "2 columns called 'value'")):
        source = shared / "cases" / case
        cli("predict", f"model_dir={folder}", f"input={source}", "output=out.csv").refused(message)
    assert not Path("out.csv").exists()
