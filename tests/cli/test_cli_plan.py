"""`roftbench plan`: the numbers that it prints, and that it runs and writes nothing."""

import json
import re

import pytest
from command import Command
from lab import merged


def plan(cli: Command, *overrides: str) -> list[str]:
    ended = cli("plan", *merged(overrides))
    assert ended.code == 0, ended
    return ended.out.splitlines()


def test_jobs_done_failed_and_missing_are_counted_and_the_failed_named(cli: Command) -> None:
    cli.lab.done("method=full_ft", "seed=0")
    failure = cli.lab.run("method=full_ft", "seed=0", "train.lr=1e30").record
    before = cli.files()
    cli.capture.readouterr()
    lines = plan(cli, "method=full_ft,wise_ft", "seed=0,1", "train.lr=0.001,1e30")
    assert lines[:4] == [
        "jobs           8",
        "done           1",
        "failed before  1",
        "to run         7",
    ]
    assert re.findall(r"\d+", lines[4]) == ["7", "4", "1"]  # fits: needed, after sharing, in the store
    [named] = [number for number, line in enumerate(lines) if line.startswith("  failed: ")]
    assert lines[named].endswith(" method=full_ft seed=0 train.lr=1e+30")
    assert lines[named + 1].strip() == failure.error
    assert cli.files() == before


def test_skipped_jobs_are_not_called_failed(cli: Command) -> None:
    words = ("method=surgical_ft", "method.block=layer0,layer9")
    assert cli.lab.run("method=surgical_ft", "method.block=layer9").status == "skipped"
    cli.capture.readouterr()
    lines = plan(cli, *words)
    assert [lines[2], lines[3]] == ["failed before  0", "skipped before 1"]
    assert not [line for line in lines if line.startswith("  failed: ")]
    found = json.loads(cli("plan", "--json", *merged(words)).out)
    assert (found["failed_before"], found["skipped_before"], found["to_run"]) == (0, 1, 2)
    assert "0 failed before, 1 skipped before, 2 to run" in cli.run("-m", *words).out


def test_a_plan_needs_no_record_runs_nothing_and_writes_nothing(cli: Command) -> None:
    lines = plan(cli, "method=lp,full_ft", "seed=0,1")
    assert lines[0] == "jobs           4"
    assert cli.files() == []


def test_combinations_that_are_one_job_are_told_apart(cli: Command) -> None:
    assert plan(cli, "method=lp", "method.search=true,false")[0] == "jobs           1 (2 combinations)"


def test_the_estimate_is_shared_out_to_the_processes_of_a_launcher(cli: Command) -> None:
    cli.lab.done("method=lp")
    cli.capture.readouterr()
    more = ("method=lp", "seed=range(0,9)", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert re.search(r"one after another, .* with 2 at a time$", plan(cli, *more)[5])
    one = plan(cli, *more, "seed=9", "hydra.launcher.n_jobs=8")[5]
    assert "at a time" not in one  # nothing is shared out
    few = json.loads(cli("plan", *merged([*more, "seed=9,10", "hydra.launcher.n_jobs=8"]), "--json").out)
    assert few["hours_several_at_a_time"] == pytest.approx(few["hours_one_after_another"] / 2)
    found = json.loads(cli("plan", *merged(more), "--json").out)
    assert (found["jobs"], found["done"], found["to_run"], found["workers"]) == (9, 1, 8, 2)
    assert found["hours_one_after_another"] > 0
    assert found["fits"] == {"needed": 8, "after_sharing": 8, "in_store": 0}


def test_what_must_be_fetched_is_named_and_nothing_is_downloaded(cli: Command) -> None:
    cli.lab.done("method=lp")
    cli.capture.readouterr()
    lines = plan(cli, "method=lp", "dataset=malaria,esol", "seed=1,2,3")
    assert lines[0] == "jobs           6"
    [missing] = [line.strip() for line in lines[6:]]
    assert missing.startswith("without 3 jobs: ")
    assert missing.endswith("roftbench fetch dataset=malaria")


def test_what_run_refuses_is_refused(cli: Command) -> None:
    cli("plan", "method=lpp").refused("unknown method 'lpp'", "Did you mean")
    cli("plan", "model=tiny_gin", "train.lr=0.1,-1").refused("lr must be > 0")


def test_words_that_are_no_option_of_plan_are_refused(cli: Command) -> None:
    cli("plan", "--cfg", "job", "method=lp").refused("unknown option '--cfg'", "--json")
    cli("plan", "--jsn", "method=lp").refused("unknown option '--jsn'. Did you mean '--json'?")
    cli("plan", "method=lp", "seed").refused("cannot understand 'seed': write key=value")
