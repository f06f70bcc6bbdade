"""Jobs in the sweep's own process: as planned, without Hydra, unless something gives Hydra a part in each."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from lab import Lab, molecules, numbers, write_csv
from omegaconf import OmegaConf

from roftbench.config.compose import composed
from roftbench.sweep.in_process import InProcess, suffices
from roftbench.sweep.scheduler import JobReply


def refused(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
    raise AssertionError(f"job {number} went to Hydra: {batch}")


def test_planned_jobs_run_without_hydra_and_give_the_records_of_single_jobs(lab: Lab) -> None:
    plan = lab.plan("model=ecfp", "method=ridge", "train=paper", "seed=0,1")
    replies = InProcess(plan, refused)([one.overrides for one in plan.jobs], 5)
    assert replies == [JobReply(number, one.key, True, "") for number, one in enumerate(plan.jobs, 5)]
    alone = lab.elsewhere("alone")
    for one in plan.jobs:
        done = alone.done("model=ecfp", "method=ridge", "train=paper", f"seed={one.job.seed}")
        found = one.store.get(one.key)
        assert found is not None
        assert numbers(found) == numbers(done)


def test_a_job_whose_table_has_changed_or_is_gone_is_left_to_hydra(lab: Lab, tmp_path: Path) -> None:
    smiles, y = molecules("esol", lab.job()[0], 80)
    table = write_csv(tmp_path / "mine.csv", {"smiles": smiles, "y": y})
    plan = lab.plan("dataset=csv", f"dataset.path={table}", "model=ecfp", "method=mean", "label_ratio=n50", "seed=0,1")
    asked: list[int] = []

    def hydra(batch: Sequence[Sequence[str]], number: int) -> list[JobReply]:
        asked.append(number)
        return [JobReply(number, "another", True, "")]

    launch = InProcess(plan, hydra)
    assert launch([plan.jobs[0].overrides], 0) == [JobReply(0, plan.jobs[0].key, True, "")]
    os.utime(table, ns=(1, 1))
    assert launch([plan.jobs[1].overrides], 1) == [JobReply(1, "another", True, "")]
    table.unlink()
    assert launch([plan.jobs[1].overrides], 2) == [JobReply(2, "another", True, "")]
    assert asked == [1, 2]


@pytest.mark.parametrize(
    ("change", "enough"),
    [
        ({}, True),
        ({"launcher": {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"}}, False),
        ({"callbacks": {"mine": {"_target_": "mine.Callback"}}}, False),
        ({"job": {"chdir": True}}, False),
        ({"job": {"env_set": {"NAME": "value"}}}, False),
    ],
)
def test_hydra_is_needed_for_other_launchers_and_for_what_it_does_around_each_job(
    change: dict[str, object], enough: bool
) -> None:
    settings = composed([], None, with_hydra=True).hydra
    assert (
        suffices(OmegaConf.merge(OmegaConf.masked_copy(settings, ["launcher", "callbacks", "job"]), change)) == enough
    )
