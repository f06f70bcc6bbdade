"""Command lines of `run` and `plan`: options anywhere among overrides, and what is refused."""

from pathlib import Path

import pytest
from command import Command
from refusals import raises_usage

from roftbench.sweep.arguments import Arguments


def test_options_may_stand_among_overrides(tmp_path: Path) -> None:
    found = Arguments.parse(["method=lp", "-m", "--config-dir", str(tmp_path), "seed=0,1", "~experiment"])
    assert found == Arguments(("method=lp", "seed=0,1", "~experiment"), multirun=True, config_dir=tmp_path)
    assert found.command == ["roftbench", "run", f"--config-dir={tmp_path}"]
    assert Arguments.parse(["-cd", str(tmp_path)]) == Arguments.parse([f"--config-dir={tmp_path}"])
    assert Arguments.parse(["--json"], plan=True).json
    assert Arguments.parse([]).command == ["roftbench", "run"]


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (["--multi"], "--multi", "'--multirun'?"),
        (["-m", "--cfg", "job"], "--cfg", "-m"),
        (["-m", "--info", "defaults"], "--info", "-m"),
        (["--resolve"], "--resolve", "--cfg"),
        (["--cfg", "jobs"], None, "invalid choice"),
        (["--info"], None, "expected one argument"),
    ],
)
def test_impossible_options_are_refused(words: list[str], key: str | None, part: str) -> None:
    with raises_usage(part, key=key):
        Arguments.parse(words)


def test_config_is_shown_with_hydras_options(cli: Command) -> None:
    assert cli("run", "--cfg", "job", "-p", "train").out.startswith("# @package train\nname: paper\n")
    assert "${paths.results}" in cli("run", "-c", "all").out
    resolved = cli("run", "--cfg", "all", "--package", "hydra.sweep", "--resolve").out
    assert f"dir: {cli.lab.results}/multirun" in resolved
    shown = cli("run", "--info", "defaults").out
    assert shown.count("| method/roftmol ") == 1
    assert cli.files() == []
