"""Streams that are not UTF-8, names of files that are none, and a user whom the system does not know."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from command import Command, Terminal
from lab import ROOT, Lab, merged, write_csv

from roftbench.store.tensors import description_in, read_tensors, write_tensors

BYTE = os.fsdecode(b"\xff")  # how Python holds a byte of a name that is no UTF-8
ONE_BY_ONE = """
import json, sys
from roftbench.__main__ import main
codes = []
for sys.argv[1:] in json.loads(sys.argv[1]):
    try:
        codes.append(main())
    except SystemExit as error:
        codes.append(error.code)
print(json.dumps(codes))
"""


def own_table(path: Path) -> tuple[str, ...]:
    """Write a table whose names no narrow encoding has, and return the overrides of a job on it."""
    column = "löslich → °C"
    rows = {"smiles": ["C" * n + "O" for n in range(1, 31)], column: [0.37 * n * n for n in range(30)]}
    write_csv(path, {**rows, "name": ["é"] * 30})
    return "dataset=csv", f"dataset.path='{path}'", "label_ratio=full", "split=random", "method=lp"


def test_no_command_ends_by_what_a_stream_cannot_show(lab: Lab, tmp_path: Path) -> None:
    table = tmp_path / "été.csv"
    own = merged(own_table(table))
    kept = lab.store.model_path(lab.done(*own, "run.keep=true").key)
    files = f"model_dir={kept}", f"input={table}"
    calls = [
        [],
        ["--help"],
        ["run", "--help"],
        ["tables", "--help"],
        ["list", "models"],
        ["list", "datasets"],
        ["cache", "info"],
        ["doctor"],
        ["data", str(table)],
        ["run", *own],
        ["run", "-m", *own, "seed=1,2"],
        ["plan", *own, "seed=1,2"],
        ["list", "runs"],
        ["tables"],
        ["report"],
        ["predict", *files, "output=ü.csv"],
        ["embed", *files, "output=ü.npz"],
        ["run", "dataset=été"],
        ["advise", *own[:2], "dataset.targets=[é]"],
    ]
    ended = Terminal.of(lab, tmp_path, PYTHONIOENCODING="ascii").python("-c", ONE_BY_ONE, json.dumps(calls))
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err + ended.out
    assert json.loads(ended.out.splitlines()[-1]) == [2, *[0] * (len(calls) - 3), 2, 2]
    assert r"l\xf6slich \u2192 \xb0C" in ended.out


def test_what_an_encoding_has_is_shown_in_it(lab: Lab, tmp_path: Path) -> None:
    own_table(tmp_path / "été.csv")
    ended = Terminal.of(lab, tmp_path, PYTHONIOENCODING="cp1252")("data", str(tmp_path / "été.csv"))
    assert ended.code == 0, ended
    assert r"löslich \u2192 °C" in ended.out


def test_names_of_files_that_are_no_utf_8(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / f"folder{BYTE}"
    (folder / "conf" / "method").mkdir(parents=True)
    shutil.copy(ROOT / "conf" / "method" / "lp.yaml", folder / "conf" / "method" / f"mine{BYTE}.yaml")
    table = folder / f"t{BYTE}.csv"
    own = own_table(table)
    paths = f"paths.results='{folder}/results'", f"paths.cache='{folder}/cache'"
    made = cli.run(*own, *paths, "run.keep=true", f"--config-dir={folder / 'conf'}")
    assert made.code == 0, made
    assert "t\\udcff: regression" in made.out
    assert cli.run("-m", *own, *paths, "seed=0,1").code == 0
    assert "damaged" not in cli.capture.readouterr().err
    [kept] = (folder / "results" / "models").iterdir()
    plain = f"paths.results={folder}/results"
    for call in (
        ["data", str(table), "--out", f"{folder}/{BYTE}.json"],
        ["plan", *merged(own), *paths, "seed=0,1,2"],
        ["list", "runs", plain],
        ["list", "methods", "--config-dir", str(folder / "conf")],
        ["tables", plain, "--out", f"{folder}/tables"],
        ["report", plain, "--out", f"{folder}/{BYTE}.html"],
        ["predict", f"model_dir={kept}", f"input={table}", f"output={folder}/{BYTE}.csv"],
        ["embed", f"model_dir={kept}", f"input={table}", f"output={folder}/{BYTE}.npz"],
        ["cache", "clean", f"paths.cache={folder}/cache"],
        ["doctor", plain],
    ):
        ended = cli(*call)
        assert (ended.code, "Traceback" in ended.err) == (0, False), (call, ended)


@pytest.mark.parametrize("name", ["a\u00a0b", "a\u00adb", "\u202eb", "a\tb"])
def test_a_data_set_is_called_after_a_file_whose_name_cannot_be_printed(
    cli: Command, tmp_path: Path, name: str
) -> None:
    own_table(tmp_path / f"{name}.csv")
    ended = cli("data", str(tmp_path / f"{name}.csv"))
    assert ended.code == 0, ended
    assert name not in ended.out.splitlines()[0]


def test_tensors_in_a_folder_that_is_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / BYTE / "a.safetensors"
    write_tensors(path, {"a": torch.arange(3)}, {"b": 1})
    tensors, description = read_tensors(path)
    assert (tensors["a"].tolist(), description, description_in(path)) == ([0, 1, 2], {"b": 1}, {"b": 1})


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root may take the number of another user")
def test_a_user_without_a_home_is_one_message(tmp_path: Path) -> None:
    unknown = "import os, sys; os.setresuid(54321, 0, 0); from roftbench.__main__ import main; "
    calls = [["cache", "info"], ["run"], ["plan"], ["predict", "model_dir=~/a", "input=a.csv", "output=b.csv"]]
    script = unknown + ONE_BY_ONE
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    ended = Terminal(tmp_path, env).python("-c", script, json.dumps(calls))
    assert ended.out == "[2, 2, 2, 2]\n", ended
    assert ended.err.count("home directory. Set HOME, or give paths without '~' (ROFTBENCH_CACHE=DIR).\n") == 4
    assert ended.err.count("\n") == 4
