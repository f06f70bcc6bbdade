"""Hydra composes and launches: what is checked beforehand, with which values, and what a worker process tells."""

from pathlib import Path
from typing import Any

import pytest
from command import Command
from lab import ROOT, merged
from omegaconf import DictConfig

from roftbench import hydra_app
from roftbench.config import parse
from roftbench.errors import UsageError

SMOKE = {"method": 9, "dataset": 2}


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[DictConfig]:
    """The configs that `precheck` looks at."""
    seen: list[DictConfig] = []

    def remember(config: DictConfig) -> Any:
        seen.append(config)
        return parse(config)

    monkeypatch.setattr(hydra_app, "parse", remember)
    return seen


def test_each_swept_value_is_checked_once_not_every_combination(checked: list[DictConfig]) -> None:
    words = merged(["method=lp,full_ft", "seed=range(0,4)", "train.lr=0.1,0.01"])
    hydra_app.precheck(words, None, sweep=True)
    assert [(c.method.name, c.seed, c.train.lr) for c in checked] == [
        ("lp", 0, 0.1),
        ("full_ft", 0, 0.1),
        *[("lp", seed, 0.1) for seed in (1, 2, 3)],
        ("lp", 0, 0.01),
    ]


def test_the_sweep_of_an_experiment_is_checked_and_the_command_line_goes_before_it(checked: list[DictConfig]) -> None:
    hydra_app.precheck(["experiment=smoke", "model=tiny_gin"], None, sweep=True)
    assert len(checked) == 1 + sum(number - 1 for number in SMOKE.values())
    assert {c.dataset.name for c in checked} == {"esol", "bbbp"}
    checked.clear()
    hydra_app.precheck(["experiment=smoke", "model=tiny_gin", "dataset=freesolv"], None, sweep=True)
    assert len(checked) == SMOKE["method"]
    assert {c.dataset.name for c in checked} == {"freesolv"}


def test_a_wrong_value_in_the_sweep_of_an_experiment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = (ROOT / "conf" / "experiment" / "smoke.yaml").read_text().replace("lp_ft,", "lpft,")
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    with pytest.raises(UsageError, match="unknown method 'lpft'"):
        hydra_app.precheck(["experiment=mine", "model=tiny_gin"], tmp_path, sweep=True)


def test_ones_own_configs_are_found_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    text = (ROOT / "conf" / "train" / "smoke.yaml").read_text().replace("epochs: 3", "epochs: 7")
    (tmp_path / "train" / "week.yaml").write_text(text)
    config = hydra_app.composed(["train=week"], tmp_path)
    assert (config.train.epochs, config.method.name, config.split.name) == (7, "roftmol", "auto")


@pytest.mark.parametrize("wrong", ["method=full_ft train.lr=1e30", "label_ratio.count=903"])
def test_a_worker_process_raises_so_that_its_launcher_hears_of_it(
    cli: Command, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """A launcher runs jobs in other processes: what they return does not reach the one that counts them."""

    def elsewhere() -> int:
        monkeypatch.setenv("ROFTBENCH_PARENT", "1")
        return 2

    monkeypatch.setattr(hydra_app.os, "getpid", elsewhere)
    ended = cli.run("-m", *wrong.split())
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("roftbench: ")
    assert "diverged" in ended.err or "903" in ended.err


def test_a_key_of_another_method_is_unknown_and_gets_a_close_one(cli: Command) -> None:
    cli.run("method=lp", "method.alpha=0.5").refused("unknown key 'method.alpha'")
    cli.run("method=wise_ft", "method.alhpa=0.5").refused("Did you mean 'method.alpha'?")


def test_nothing_of_hydras_own_is_written(cli: Command) -> None:
    assert cli.run("method=lp", "train.epochs=1").code == 0
    assert sorted(name.split("/")[0] for name in cli.files()) == ["runs", "stages"]
    assert cli.run("-m", "method=lp", "train.epochs=1").code == 0
    assert sorted({name.split("/")[0] for name in cli.files()}) == ["multirun", "runs", "stages"]
    assert list(Path.cwd().iterdir()) == []
