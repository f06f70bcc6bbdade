"""Hydra composes and launches: what is checked beforehand, with which values, and what a worker process tells."""

import gc
import itertools
import math
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from command import Command
from lab import ROOT
from refusals import raises_usage

from roftbench.sweep import hydra_app
from roftbench.sweep.estimate import estimate

SMOKE = {"method": 9, "dataset": 2}


def test_the_sweep_of_an_experiment_is_planned_and_the_command_line_goes_before_it() -> None:
    plan, _ = hydra_app.plan(["experiment=smoke", "model=tiny_gin"])
    assert len(plan.jobs) == plan.combinations == math.prod(SMOKE.values())
    assert {one.job.dataset.name for one in plan.jobs} == {"esol", "bbbp"}
    plan, _ = hydra_app.plan(["experiment=smoke", "model=tiny_gin", "dataset=freesolv"])
    assert len(plan.jobs) == SMOKE["method"]
    assert {one.job.dataset.name for one in plan.jobs} == {"freesolv"}


def test_a_wrong_value_in_the_sweep_of_an_experiment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = (ROOT / "conf" / "experiment" / "smoke.yaml").read_text().replace("lp_ft,", "lpft,")
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    with raises_usage(key="method", got="lpft"):
        hydra_app.plan(["experiment=mine", "model=tiny_gin", f"--config-dir={tmp_path}"])


@pytest.mark.parametrize(
    ("wrong", "reason"), [("method=full_ft train.lr=1e30", "diverged"), ("label_ratio.count=903", "903")]
)
def test_a_worker_process_prints_nothing_and_leaves_the_reason_in_the_store(
    cli: Command, monkeypatch: pytest.MonkeyPatch, wrong: str, reason: str
) -> None:
    """A launcher runs jobs in other processes: what they print and return may not reach the one that waits."""
    numbers = itertools.count(1)
    elsewhere = SimpleNamespace(environ=os.environ, getpid=lambda: next(numbers))  # never the process that waits
    monkeypatch.setattr(hydra_app, "os", elsewhere)
    ended = cli.run("-m", *wrong.split())
    assert ended.code == 1
    assert "from bundled" not in ended.out  # the first line of a job
    [failure] = cli.lab.store.load_failures()
    assert reason in failure.error
    assert failure.error in ended.out.partition("1 failed")[2]
    assert failure.error in cli.lab.store.log_path(failure.key).read_text()


def test_sweeps_that_cannot_be_told_are_refused(cli: Command) -> None:
    cli.run("-m", "method=glob(l*)").refused("method=glob(l*): glob() is not supported")
    several = ["experiment=smoke,few_shot", "model=tiny_gin"]
    cli.run("-m", *several).refused("experiment=smoke,few_shot names several presets")
    cli("plan", *several).refused("experiment=smoke,few_shot names several presets")


def test_nothing_of_hydras_own_is_written(cli: Command) -> None:
    assert cli.run("method=lp", "train.epochs=1").code == 0
    assert sorted(name.split("/")[0] for name in cli.files()) == ["logs", "runs", "stages"]
    assert cli.run("-m", "method=lp", "train.epochs=1").code == 0
    assert sorted({name.split("/")[0] for name in cli.files()}) == ["logs", "runs", "stages"]
    assert list(Path.cwd().iterdir()) == []


def test_the_device_of_a_clusters_jobs_need_not_be_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    words = ["model=tiny_gin", "method=lp", "seed=0,1", "run.device=cuda"]
    with raises_usage("0 GPUs", key="device", got="cuda"):
        hydra_app.plan(words)
    with raises_usage(key="run.device", got="gpu"):
        hydra_app.plan([*words[:3], "run.device=gpu", "hydra/launcher=slurm"])
    plan, _ = hydra_app.plan([*words, "hydra/launcher=slurm"])
    assert [one.job.seed for one in plan.jobs] == [0, 1]
    found = estimate(plan, [])
    assert found.without == {"no record of tiny_gin, and run.device=cuda is not available to measure an epoch": 2}
    assert (found.in_store, found.seconds) == (0, 0)


def test_a_value_beside_the_options_of_its_group_goes_to_each_of_them(cli: Command) -> None:
    words = ["method=l2_sp,bss", "method.weight=0.25"]  # which no default method has
    assert len(hydra_app.plan(["model=tiny_gin", *words])[0].jobs) == 2
    ended = cli.run("-m", *words)
    assert ended.code == 0, ended
    assert {record.job["method"]["params"]["weight"] for record in cli.lab.store.load()} == {0.25}


def test_a_sweep_of_forests_needs_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    words = ["model=ecfp", "method=random_forest", "seed=0,1", "run.device=cuda"]
    assert len(hydra_app.plan(words)[0].jobs) == 2


def test_what_cannot_be_parsed_in_a_sweep_is_one_message(cli: Command) -> None:
    for text in ("run.keep=a[", "experiment=a[", "seed=0,1["):
        cli("run", "-m", text).refused(text)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # logging leaves it where a later handler fails
def test_impossible_logging_is_one_message(cli: Command) -> None:
    words = ["hydra/hydra_logging=default", "hydra.hydra_logging.root.handlers=[nope]"]
    cli.run("-m", *words).refused("hydra.hydra_logging", "nope")
    gc.collect()  # here, not in another test


@pytest.mark.parametrize("name", ["gpu", "mps", "xpu", "CPU", "''", "cuda:x", "cuda:-1", "cpu:0"])
def test_a_device_that_is_none_is_one_message(cli: Command, name: str) -> None:
    allowed = f"device={name} is not a device. Allowed: auto, cpu, cuda, cuda:N."
    for sweep in ((), ("-m",)):
        cli("run", *sweep, f"run.device={name}").refused(allowed)
    bare = name.strip("'")
    cli("predict", "model_dir=a", "input=b", "output=c.csv", f"device={bare}").refused(allowed)
    cli("embed", "model=tiny_gin", "input=b", "output=c.npz", f"device={bare}").refused(allowed)
