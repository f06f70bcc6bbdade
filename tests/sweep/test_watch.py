"""The lines that tell of jobs in other processes: one for each that ended, and the time that the others will take."""

import re
import time
from collections.abc import Callable

import pytest
from lab import Lab

from roftbench.sweep import watch
from roftbench.sweep.outcomes import Endings
from roftbench.sweep.watch import Watch


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is printed."""
    lines: list[str] = []
    monkeypatch.setattr(watch, "say", lines.append)
    monkeypatch.setattr(watch, "SECONDS", 0.02)
    return lines


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_line_appears_when_a_job_has_ended_with_what_is_done_and_what_is_left(lab: Lab, said: list[str]) -> None:
    jobs = lab.plan("method=full_ft", "train.lr=0.001,1e30", "seed=0,1").jobs
    with Watch(jobs, Endings(jobs)):
        lab.done("method=full_ft", "train.lr=0.001", "seed=1")
        wait(lambda: len(said) == 1)
        lab.run("method=full_ft", "train.lr=1e30", "seed=0")
        wait(lambda: len(said) == 2)
        lab.done("method=full_ft", "train.lr=0.001", "seed=0")
        wait(lambda: len(said) == 3)
    done, failed, last = said
    assert re.match(r"1/4 \d.* left +done +\S.* train.lr=0.001 seed=1 .*  rmse: val \d", done), done
    assert re.match(r"2/4 \d.* left +failed +\S.* train.lr=1e\+30 seed=0 .*  training diverged", failed), failed
    assert last.startswith("3/4 ")


def test_what_ended_since_the_last_look_is_told_at_the_end(lab: Lab, said: list[str]) -> None:
    jobs = lab.plan("method=lp").jobs
    with Watch(jobs, Endings(jobs)):
        lab.done("method=lp")
    [line] = said
    assert re.match(r"1/1 +done ", line)


def test_nothing_is_told_of_what_has_not_ended(lab: Lab, said: list[str]) -> None:
    jobs = lab.plan("method=lp").jobs
    with Watch(jobs, Endings(jobs)):
        time.sleep(0.1)
    assert said == []
