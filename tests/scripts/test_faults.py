"""A small part of the fault campaign; all of it takes the better part of an hour: scripts/faults/."""

import re
import subprocess
import sys

import pytest
from lab import ROOT


def campaign(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "scripts.faults", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


def test_a_fault_at_any_operation_of_a_prediction_costs_nothing_and_is_one_message() -> None:
    _check("predict", count=1)


@pytest.mark.slow
@pytest.mark.whole
def test_a_fault_where_a_kept_model_is_replaced_costs_nothing_and_is_one_message() -> None:
    _check("again", count=3)


def _check(name: str, count: int) -> None:
    done = campaign(name, "--count", str(count), "--seed", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == "nothing was lost"
    assert [line.split()[:2] for line in lines] == [[name, fault] for fault in ("kill", "ENOSPC", "EIO")]
    for line in lines:
        assert sum(map(int, re.findall(r"(\d+) (?:killed|went on|stopped)", line))) == count
        assert (f"{count} killed" in line) == (" kill " in line)


@pytest.mark.slow
@pytest.mark.whole
def test_a_sweep_that_is_killed_again_and_again_loses_nothing() -> None:
    done = campaign("sweep", "--count", "4", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^sweep +4 kills of \d sweeps of 6 jobs, 0 wrong\nnothing was lost$", done.stdout, re.MULTILINE)
