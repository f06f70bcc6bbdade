import subprocess
import sys
from pathlib import Path

import pytest
from command import Command
from lab import ROOT, numbers
from refusals import raises_usage

import roftbench
from roftbench.errors import JobError, SkipJob

JOB = {"model": "tiny_gin", "train": "smoke", "label_ratio": "n50", "dataset": "esol", "run": {"device": "cpu"}}


def test_run_and_the_command_line_share_a_job(cli: Command, capsys: pytest.CaptureFixture[str]) -> None:
    record = roftbench.run(method="lp", **JOB)
    assert capsys.readouterr() == ("", "")
    words = ["model=tiny_gin", "train=smoke", "label_ratio=n50", "dataset=esol", "run.device=cpu", "method=lp"]
    assert f"already done (key {record.key})" in cli("run", *words).out
    assert cli("run", *words, "run.rerun=true").code == 0
    again = roftbench.run(method="lp", **JOB)
    assert numbers(again) == numbers(record)


def test_results_overrides_and_a_name(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "else where"
    record = roftbench.run("train.epochs=2", "seed=5", "run.keep=mine", method="lp", results=folder, **JOB)
    assert [one.facts["key"] for one in roftbench.load("mine", device="cpu", results=folder).saved] == [record.key]
    assert [epoch.epoch for epoch in record.history] == [1, 2]
    assert record.job["seed"] == 5
    assert (folder / "runs" / f"{record.key}.json").is_file()


def test_repr_of_a_record_names_job_and_scores(cli: Command) -> None:
    record = roftbench.run(method="lp", **JOB)
    text = repr(record)
    assert len(text) < 250
    assert {"model=tiny_gin", "method=lp", "dataset=esol", "label_ratio=n50"} <= set(text.replace(",", "").split())
    assert f"{record.scores.test['rmse']:.3f}" in text


def test_failed_job_is_raised(cli: Command) -> None:
    with pytest.raises(JobError, match="diverged"):
        roftbench.run("train.lr=1e30", method="full_ft", **JOB)


def test_skipped_job_is_raised(cli: Command) -> None:
    with pytest.raises(SkipJob, match="no block 'layer9'"):
        roftbench.run("method.block=layer9", method="surgical_ft", **JOB)


def test_unknown_names_are_refused(cli: Command) -> None:
    with raises_usage(key="method", got="lq"):
        roftbench.run(**{**JOB, "method": "lq"})
    with raises_usage(match="unknown key 'metod'"):
        roftbench.run(metod="lp")


def test_public_names_are_listed_before_they_are_imported() -> None:
    code = (
        "import sys, roftbench; print(*[name for name in roftbench.__all__ if name not in dir(roftbench)]);"
        "print(*{'torch', 'pandas', 'sklearn', 'rdkit', 'hydra', 'numpy'} & set(sys.modules))"
    )
    env = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    assert found.stdout == "\n\n"


def test_every_public_name_can_be_imported() -> None:
    assert all(getattr(roftbench, name) for name in roftbench.__all__)
    with pytest.raises(AttributeError, match="finetunes"):
        roftbench.finetunes  # noqa: B018
