"""Hyperparameter searches with the real Optuna: ordinary jobs, chosen by validation score, continued after a kill."""

import json
import shlex
from pathlib import Path

import pytest
from command import Command, Ended, Terminal
from lab import Lab, merged

from roftbench.store.files import locked
from roftbench.store.record_schema import Record
from roftbench.sweep import hydra_app
from roftbench.sweep.search import Search
from roftbench.sweep.trials import Trial

OPTUNA = "hydra/sweeper=optuna"
WEIGHT = "method.weight=tag(log,interval(1e-3,100))"
WORDS = (OPTUNA, "method=l2_sp", WEIGHT, "hydra.sweeper.sampler=random")


def search_of(*words: str) -> Search:
    search = hydra_app.planned_search(merged([*WORDS, *words]))
    assert search is not None
    return search


def trials_of(*words: str) -> list[Trial]:
    return search_of(*words).trials().all()


def searched(cli: Command, *words: str) -> Ended:
    ended = cli.run("-m", *WORDS, *words)
    assert ended.code == 0, ended
    return ended


def record_of(lab: Lab, trial: Trial, *words: str) -> Record:
    """Return the record of the job that a trial's values give."""
    job, _ = lab.job("method=l2_sp", *words, *(f"{key}={value}" for key, value in trial.values.items()))
    record = lab.store.get(job.key)
    assert record is not None
    return record


def test_a_trial_is_an_ordinary_job_and_its_score_that_of_validation(cli: Command) -> None:
    ended = searched(cli, "hydra.sweeper.n_trials=3")
    trials = trials_of()
    assert len(trials) == len(cli.lab.store.load()) == 3
    records = [record_of(cli.lab, one) for one in trials]
    assert [one.score for one in trials] == [record.scores.val["rmse"] for record in records]
    best = min(records, key=lambda record: record.scores.val["rmse"])
    number = records.index(best)
    [line] = [line for line in ended.out.splitlines() if line.startswith("best of 3 trials")]
    assert line == f"best of 3 trials: trial {number + 1}, method.weight={trials[number].values['method.weight']}"
    val, test = best.scores.val["rmse"], best.scores.test["rmse"]
    assert f"rmse: val {val:.4f}; test {test:.4f}, which the search did not use" in ended.out
    assert ended.out.count("test") == 1  # no test score stands beside the trials

    [command] = [line.removeprefix("next: ") for line in ended.out.splitlines() if line.startswith("next: ")]
    program, *words = shlex.split(command)
    assert (program, OPTUNA in words) == ("roftbench", False)
    assert f"already done (key {best.key})" in cli(*words).out

    again = searched(cli, "hydra.sweeper.n_trials=3")
    assert "search of 3 trials: 3 done before" in again.out
    assert line in again.out
    more = searched(cli, "hydra.sweeper.n_trials=4")
    assert "trial 4 of 4: method.weight=" in more.out
    assert "trial 3" not in more.out.partition("best of")[0]
    assert trials_of()[:3] == trials
    assert len(cli.lab.store.load()) == 4


def test_a_search_that_was_killed_ends_as_an_undisturbed_one(
    cli: Command, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*WORDS, "hydra.sweeper.n_trials=4", "train.epochs=20")
    terminal = Terminal.of(lab, tmp_path)
    with terminal.killed("run", "-m", *merged(words), when=lambda: len(lab.store.record_paths()) >= 2):
        found = trials_of("train.epochs=20")
    assert 2 <= len(found) <= 4
    assert not all(one.ended for one in found) or len(found) < 4
    ended = cli.run("-m", *words)
    assert ended.code == 0, ended
    killed = trials_of("train.epochs=20")
    assert [one.number for one in killed] == [0, 1, 2, 3]
    assert len(lab.store.load()) == 4

    monkeypatch.setenv("ROFTBENCH_RESULTS", str(lab.elsewhere("undisturbed").results))
    assert cli.run("-m", *words).code == 0
    assert trials_of("train.epochs=20") == killed


def test_seeds_are_averaged_and_are_jobs_that_a_sweep_shares(cli: Command) -> None:
    words = ("seed=0,1", "hydra.sweeper.n_trials=2")
    ended = searched(cli, *words)
    assert "search of 2 trials of 2 jobs each" in ended.out
    for one in trials_of(*words):
        scores = [record_of(cli.lab, one, f"seed={seed}").scores.val["rmse"] for seed in (0, 1)]
        assert one.score == pytest.approx(sum(scores) / 2, abs=1e-12)
    [command] = [line.removeprefix("next: ") for line in ended.out.splitlines() if line.startswith("next: ")]
    assert "2 jobs: 2 done, 0 failed before, 0 to run" in cli(*shlex.split(command)[1:]).out
    first = trials_of("seed=0,1")[0].values["method.weight"]
    assert "1 done before" not in searched(cli, "seed=0", "hydra.sweeper.n_trials=1").out  # another search…
    assert trials_of("seed=0")[0].values["method.weight"] == first
    assert len(cli.lab.store.load()) == 4  # …whose job was done


def test_several_trials_are_drawn_at_a_time(cli: Command) -> None:
    words = ("hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2")
    ended = searched(cli, *words)
    assert [f"trial {number} of 3: method.weight=" in ended.out for number in (1, 2, 3)] == [True] * 3
    assert len(cli.lab.store.load()) == 3
    assert all(one.score is not None for one in trials_of())


def test_a_failed_trial_is_named_and_costs_only_itself(cli: Command) -> None:
    words = (
        OPTUNA,
        "method=full_ft",
        "train.lr=0.001,1e30",
        "hydra.sweeper.n_trials=4",
        "hydra.sweeper.sampler=random",
    )
    ended = cli.run("-m", *words)
    assert ended.code == 0, ended
    search = hydra_app.planned_search(merged(words))
    assert search is not None
    failed = [one for one in search.trials().all() if one.values["train.lr"] == "1e+30"]
    assert len(failed) == 2
    assert all("diverged" in str(one.reason) and one.score is None for one in failed)
    assert f"{len(failed)} of 4 trials failed" in ended.out
    assert ended.out.count("  failed: roftbench run ") == 1  # the same values are run once
    assert ended.out.count("  (as trial ") == 2
    assert {one.values["train.lr"] for one in search.trials().all() if one.score} == {"0.001"}

    none = cli.run("-m", OPTUNA, "method=full_ft", "train.lr=choice(1e30)", "hydra.sweeper.n_trials=1")
    assert none.code == 1
    assert "none of 1 trials has a validation score" in none.err


def test_values_that_no_job_can_have_are_refused_before_the_first_trial(cli: Command) -> None:
    cli.run("-m", OPTUNA, "method=l2_sp,nope").refused("unknown method 'nope'")
    cli.run("-m", OPTUNA, "method=l2_sp", "method.weight=interval(-1,1)").refused("method.weight must be ≥ 0")
    cli.run("-m", OPTUNA, "method=full_ft", WEIGHT).refused("method.weight")
    cli.run("-m", OPTUNA, "method=l2_sp", "method.weight=choice(a,b)").refused("method.weight")
    cli.run("-m", *WORDS, "hydra.sweeper.sampler=grid").refused("hydra.sweeper.sampler is 'grid'")
    cli.run("-m", *WORDS, "run.rerun=true").refused("run.rerun=true repeats jobs")
    cli.run("-m", *WORDS, "run.keep=all").refused("run.keep=all fits a model to all labels")
    cli.run("-m", "method=l2_sp", WEIGHT).refused("search it: hydra/sweeper=optuna")
    assert cli.files() == []


def test_one_process_at_a_time_has_a_search(cli: Command) -> None:
    with locked(search_of().path).acquire():
        cli.run("-m", *WORDS).refused("another process is running this search")


def test_the_missing_package_is_one_message(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hydra_app, "find_spec", lambda name: None)
    for command in (("run", "-m"), ("plan",)):
        cli(*command, *merged(WORDS)).refused("hydra/sweeper=optuna needs a package", "pip install 'roftbench[optuna]'")


def test_the_best_trial_alone_is_kept_for_use(cli: Command) -> None:
    words = ("run.keep=all", "label_ratio=full", "model=ecfp", "hydra.sweeper.n_trials=3")
    ended = cli.run("-m", OPTUNA, "method=ridge", "method.penalty=tag(log,interval(1e-3,1e3))", *words)
    assert ended.code == 0, ended
    [model] = (cli.lab.results / "models").iterdir()
    kept = json.loads((model / "model.json").read_text())
    best = min(cli.lab.store.load(), key=lambda record: record.scores.val["rmse"])
    assert kept["evaluation"]["jobs"] == [best.key]


def test_a_preset_of_ones_own_may_hold_the_space(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = f"# @package _global_\nhydra:\n  sweeper:\n    params:\n      {WEIGHT.replace('=', ': ')}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    words = (OPTUNA, "method=l2_sp", "experiment=mine", "hydra.sweeper.n_trials=1", f"--config-dir={tmp_path}")
    assert "trial 1 of 1: method.weight=" in cli.run("-m", *words).out
    assert "method.weight by validation rmse" in cli("plan", *merged(words)).out


def test_a_plan_counts_trials_and_runs_none(cli: Command) -> None:
    words = [*WORDS, "hydra.sweeper.n_trials=5", "seed=0,1"]
    before = cli("plan", *merged(words))
    assert before.out.splitlines()[:4] == [
        "search         method.weight by validation rmse; sampler random",
        "trials         5 of 2 jobs",
        "done           0",
        "to run         5",
    ]
    assert cli.files() == []
    searched(cli, "seed=0,1", "hydra.sweeper.n_trials=1")
    found = json.loads(cli("plan", "--json", *merged(words)).out)
    [trial] = trials_of("seed=0,1")
    assert (found["trials_done"], found["trials_to_run"]) == (1, 4)
    assert found["best"] == {"values": trial.values, "val": trial.score}
    assert found["hours_one_after_another"] > 0
    done = json.loads(cli("plan", "--json", *merged([*words, "hydra.sweeper.n_trials=1"])).out)
    assert (done["trials_to_run"], done["hours_one_after_another"]) == (0, 0)


def test_everything_that_decides_the_trials_is_in_the_name_of_the_search() -> None:
    search = search_of()
    assert search.key == search_of("hydra.sweeper.n_trials=9", "hydra.sweeper.n_jobs=2", "run.threads=2").key
    others = ["train.epochs=2", "seed=0,1", "method.weight=interval(0,1)", "hydra.sweeper.seed=1"]
    keys = {search_of(other).key for other in [*others, "hydra.sweeper.sampler=tpe"]}
    assert len(keys - {search.key}) == len(others) + 1
