"""Lines of a sweep: each job's result once, the time left, warnings once, and the table of scores at the end."""

import re
import time

import pytest
from command import Command, awaited
from lab import Lab

from roftbench.sweep import progress
from roftbench.sweep.outcomes import Outcomes
from roftbench.sweep.plan import Planned
from roftbench.sweep.progress import Progress


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is printed."""
    lines: list[str] = []
    monkeypatch.setattr(progress, "say", lambda text, **_: lines.append(text))
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.02)
    return lines


def of(lab: Lab, *overrides: str) -> Progress:
    plan = lab.plan(*overrides)
    return Progress(plan, plan.jobs, Outcomes(plan.jobs), ["roftbench", "run"], ["roftbench", "run", "-m"])


def test_line_appears_when_a_job_has_ended(lab: Lab, said: list[str]) -> None:
    with of(lab, "method=full_ft", "train.lr=0.001,1e30", "seed=0,1").watching():
        lab.done("method=full_ft", "train.lr=0.001", "seed=1")
        awaited(lambda: len(said) == 1)
        lab.run("method=full_ft", "train.lr=1e30", "seed=0")
        awaited(lambda: len(said) == 2)
        lab.done("method=full_ft", "train.lr=0.001", "seed=0")
        awaited(lambda: len(said) == 3)
    done, failed, last = said
    assert re.match(r"1/4 \d.* left +done +train.lr=0.001 seed=1  rmse: val \d", done), done
    assert re.match(r"2/4 \d.* left +failed +train.lr=1e\+30 seed=0  training diverged", failed), failed
    assert last.startswith("3/4 ")


def test_job_that_ended_since_the_last_look_is_printed_at_the_end(lab: Lab, said: list[str]) -> None:
    with of(lab, "method=lp").watching():
        lab.done("method=lp")
    [line] = said
    assert re.match(r"1/1 +done +model=tiny_gin .*method=lp", line)  # nothing differs: all overrides


def test_job_that_has_not_ended_is_not_printed(lab: Lab, said: list[str]) -> None:
    with of(lab, "method=lp").watching():
        time.sleep(0.1)
    assert said == []


def test_serial_sweep_prints_two_lines_per_job_and_notices_once(cli: Command) -> None:
    ended = cli.run("-m", "model=gin_masking", "method=lp", "seed=0,1,2", "dataset=bbbp", "train.epochs=2")
    assert ended.code == 0, ended
    head, _, rest = ended.out.partition("job 1 of 3: seed=0\n")
    assert "gin_masking" in head
    jobs, table, end = rest.rstrip().split("\n\n")
    assert (jobs.count(" warning  weights rescaled"), jobs.count(" dropped  bbbp: 11 rows, first data row 60: ")) == (
        1,
        1,
    )
    assert len(jobs.splitlines()) == 2 * 3 - 1 + 2  # the first start is cut off; two notices
    assert len(re.findall(r"^  roc_auc: val [\d.]+, test [\d.]+, .* s$", jobs, re.MULTILINE)) == 3
    assert re.search(r"^lp +0\.\d{3} ± 0\.\d{3}$", table, re.MULTILINE)
    assert len(end.splitlines()) == 2


def test_scores_are_compared_by_method_and_data_set_and_jobs_done_before_count(cli: Command) -> None:
    words = ("method=lp,full_ft", "dataset=esol,freesolv", "train.epochs=1")
    cli.run("-m", *words, "seed=0")
    ended = cli.run("-m", *words, "seed=0,1")
    table = ended.out.rstrip().split("\n\n")[-2].splitlines()
    assert table[1].split() == ["esol", "freesolv"]
    assert [line.split()[0] for line in table[2:]] == ["lp", "full_ft"]
    assert all(line.count(" ± ") == 2 for line in table[2:])


def test_failed_sweep_ends_with_the_command_that_runs_the_rest(cli: Command) -> None:
    ended = cli.run("-m", "method=full_ft", "train.lr=1e30,0.001")
    assert "\n  failed: training diverged" in ended.out
    last = ended.out.rstrip().splitlines()[-1]
    assert re.fullmatch(r"next: roftbench run -m .*train\.lr=1e30,0\.001  \(runs what failed\)", last)


def test_large_grid_has_no_table(lab: Lab, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roftbench.sweep.score_table.MOST_CELLS", 1)
    one = of(lab, "method=lp", "train.lr=0.1,0.01")
    jobs: list[Planned] = list(one.jobs)
    for each in jobs:
        lab.done("method=lp", f"train.lr={each.job.train.lr:g}")
    assert one.conclude() == 0
    assert [line.strip() for line in said] == ["2 jobs: 2 done, 0 skipped, 0 failed", "next: roftbench tables"]
