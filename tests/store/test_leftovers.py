"""What killed processes leave is removed at the next start; what runs, or is not roftbench's, stays."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import Command, Terminal
from lab import ROOT, Lab, merged

from roftbench.store.leftovers import IDLE, final_name, leftovers, remove_leftovers, temporary_name

DEAD = 2**22 + 1  # above the largest number that a process may have
NAME = """
import sys; from pathlib import Path; from roftbench.store.leftovers import temporary_name
path = temporary_name(Path(sys.argv[1])); path.write_text("half"); print(path, flush=True); sys.stdin.read()
"""


def begun(path: Path) -> "tuple[subprocess.Popen[str], Path]":
    """Start a process that writes a temporary file for `path`, and return that file when it is there."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command, pipe = [sys.executable, "-c", NAME, str(path)], subprocess.PIPE
    child = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True)
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def test_a_file_stays_while_its_process_runs_and_goes_once_it_was_killed(tmp_path: Path) -> None:
    child, path = begun(tmp_path / "a.json")
    with child:
        assert final_name(path) == "a.json"
        remove_leftovers([tmp_path])
        assert path.exists()
        child.kill()
        while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
        assert list(leftovers(tmp_path, "b.json")) == []
        remove_leftovers([tmp_path], "a.json")  # before anybody has asked for its exit code
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_another_process_has_now_does_not_keep_a_file(tmp_path: Path) -> None:
    child, path = begun(tmp_path / "a.json")
    child.kill()
    child.communicate()
    renamed = path.rename(path.with_name(path.name.replace(f".{child.pid}.", f".{os.getpid()}.")))
    own = temporary_name(tmp_path / "a.json")
    own.write_text("at work")
    assert list(leftovers(tmp_path)) == [renamed]


def test_a_file_of_another_machine_goes_when_it_was_left_for_a_day(tmp_path: Path) -> None:
    path = tmp_path / f".a.json.{DEAD}.{'0' * 20}.tmp"
    path.write_text("of another machine")
    assert list(leftovers(tmp_path)) == []
    os.utime(path, (time.time() - IDLE - 60,) * 2)
    assert list(leftovers(tmp_path)) == [path]


@pytest.mark.parametrize(
    "name", [".notes.tmp", "a.json.tmp", f".a.{DEAD}.tmp", f".a.{DEAD}.0123abcd.txt", ".a.x.0123abcd.tmp"]
)
def test_what_roftbench_has_not_written_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    remove_leftovers([tmp_path, tmp_path / "missing"])
    assert (tmp_path / name).read_text() == "mine"


def left_in(results: Path) -> list[Path]:
    """Write what versions before tokens with a machine left in each folder of the results."""
    names = {
        "runs": "0123456789abcdef.json", "failures": "0123456789abcdef.json", "running": "0123456789abcdef.json",
        "stages": "0123456789abcdef.safetensors", "tables": "leaderboard.md", "advise/0123456789abcdef": "advice.md",
    }  # fmt: skip
    found = [results / folder / f".{name}.{DEAD}.0123abcd.tmp" for folder, name in names.items()]
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    return found


@pytest.mark.parametrize("words", [["method=lp"], ["-m", "method=lp"]], ids=["job", "sweep"])
def test_the_next_start_removes_them_from_all_folders(lab: Lab, cli: Command, words: list[str]) -> None:
    left = left_in(lab.results)
    mine = lab.results / "runs" / ".notes.tmp"
    mine.write_text("mine")
    assert cli.run(*words, "train.epochs=1").code == 0
    assert not [path for path in left if path.exists()]
    assert mine.exists()


def test_a_job_killed_while_it_writes_leaves_nothing_after_the_next_start(cli: Command, tmp_path: Path) -> None:
    lab = cli.lab
    kill = "import os, sys, roftbench.store.files as f, roftbench.cli.main as c\n"
    kill += "f.os.fsync = lambda number: os.kill(os.getpid(), 9)\nc.main(sys.argv[1:])"
    words = ["run", *merged(["method=lp", "train.epochs=1"])]
    assert Terminal.of(lab, tmp_path).python("-c", kill, *words).code == -9
    left = [path.name for path in lab.results.rglob("*.tmp")]
    assert len(left) == 1
    assert re.fullmatch(r"\..+\.\d+\.[0-9a-f]{20}\.tmp", left[0])
    assert cli(*words).code == 0
    assert list(lab.results.rglob("*.tmp")) == []
