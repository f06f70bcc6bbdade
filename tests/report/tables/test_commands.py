"""From recorded jobs back to the commands that run them."""

import shlex
from itertools import product
from pathlib import Path

import pytest
from lab import FOREST, Lab, write_csv

from roftbench.config.compose import composed
from roftbench.config.job import Job
from roftbench.config.parse import parse
from roftbench.report.tables.commands import NotShippedError, commands, overrides
from roftbench.sweep.hydra_app import plan


def keys_of(command: str) -> list[str]:
    """The keys of the jobs that a command line runs."""
    program, run, flag, *words = shlex.split(command)
    assert [program, run, flag] == ["roftbench", "run", "-m"]
    return [one.key for one in plan(words)[0].jobs]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "model=gin_masking train=paper label_ratio=full split=scaffold",
        "method=bss dataset=bbbp split=random split.seed=1 seed=3",
        "method=l2_sp method.search=true method.grid.weight=[1.0,0.5] train.epochs=7",
        "method=roftmol label_ratio=full label_ratio.count=37 label_ratio.val_budget=strict split=size",
        "method=roftmol train.interpolation_epochs=50 method.buffers=interpolate label_ratio=r10 split.seed=3",
        "method=roftmol method.search=true label_ratio.seed=5",
        " ".join([*FOREST, "method.class_weight=balanced", "dataset=bace", "train.epochs=9"]),
        "method=surgical_ft method.block=layer1 split.fractions=[0.7,0.1,0.2] dataset.duplicates=merge",
        "method=lp dataset.metric=mae train.loss=mae train.lr=1e-05 label_ratio=full label_ratio.fraction=0.3",
        "model=scratch method=surgical_ft method.search=true split=random_scaffold",
    ],
)
def test_the_command_of_a_record_runs_the_job_with_its_key(lab: Lab, words: str) -> None:
    job, _ = lab.job(*words.split())
    [command] = commands([overrides(job.identity())])
    assert keys_of(command) == [job.key]


def test_what_is_left_at_its_default_is_left_out() -> None:
    job, _, _ = parse(composed(["split=scaffold"], None))
    assert commands([overrides(job.identity())]) == [
        "roftbench run -m model=gin_masking method=roftmol dataset=esol split=scaffold label_ratio=full seed=0"
    ]


def test_commands_run_exactly_the_jobs_that_were_asked_for(lab: Lab) -> None:
    wanted = [
        *(("lp", "esol", "n50", seed) for seed in (2, 3, 4)),
        *product(("full_ft", "bss"), ("esol", "bbbp"), ("n50",), (3, 4)),
        *product(("full_ft", "bss"), ("bace",), ("n50", "full"), (4,)),
        ("bss", "esol", "full", 0),
    ]
    jobs = [
        lab.job(f"method={method}", f"dataset={dataset}", f"label_ratio={labels}", f"seed={seed}")[0]
        for method, dataset, labels, seed in wanted
    ]
    found = commands(overrides(job.identity()) for job in jobs)
    keys = [key for command in found for key in keys_of(command)]
    assert sorted(keys) == sorted(job.key for job in jobs)
    assert len(found) == 4


@pytest.fixture
def own_table(lab: Lab, tmp_path: Path) -> Job:
    path = write_csv(tmp_path / "mine.csv", {"smiles": ["C", "CC", "CCC"] * 20, "y": [0.1, 0.2, 0.3] * 20})
    return lab.job("dataset=csv", f"dataset.path={path}", "split=random", "label_ratio=full")[0]


def test_what_is_not_shipped_has_no_command(lab: Lab, own_table: Job) -> None:
    with pytest.raises(NotShippedError, match=r"dataset=\w+ is none of the shipped configs"):
        overrides(own_table.identity())
    identity = lab.job("model=gin_masking")[0].identity()
    with pytest.raises(NotShippedError, match="method=mine is none of the shipped configs"):
        overrides({**identity, "method": {**identity["method"], "name": "mine"}})
    for part, field in (("model", "sha256"), ("method", "target"), ("dataset", "sha256")):
        with pytest.raises(NotShippedError, match=f"{part}=.* is not the shipped one"):
            overrides({**identity, part: {**identity[part], field: "another"}})
