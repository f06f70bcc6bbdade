"""Config folders of strangers: what they may set, and what only the command line may."""

import os
from pathlib import Path

import pytest
from command import Command
from refusals import raises_usage

from roftbench.config.compose import composed
from roftbench.config.trust import check_folder

GLOBAL = "# @package _global_\n"
RUNS_CODE = {
    "plugins": ("experiment/a.yaml", f"{GLOBAL}plugins: [evil.py]\n"),
    "callbacks": ("experiment/a.yaml", f"{GLOBAL}hydra: {{callbacks: {{x: {{_target_: evil.X}}}}}}\n"),
    "logging": ("experiment/a.yaml", f"{GLOBAL}hydra: {{job_logging: {{version: 1}}}}\n"),
    "swept plugins": ("experiment/a.yaml", f"{GLOBAL}hydra: {{sweeper: {{params: {{plugins: '[evil.py]'}}}}}}\n"),
    "swept hydra": ("experiment/a.yaml", f"{GLOBAL}hydra: {{sweeper: {{params: {{+hydra.callbacks.x: y}}}}}}\n"),
    "another sweeper": ("experiment/a.yaml", f"{GLOBAL}hydra: {{sweeper: {{_target_: evil.X}}}}\n"),
    "defaults": ("experiment/a.yaml", f"{GLOBAL}defaults:\n  - override /hydra/job_logging: evil\n"),
    "package": ("method/a.yaml", "# @package hydra\ncallbacks: {x: {_target_: evil.X}}\n"),
    "package below": ("method/a.yaml", "#  @package hydra.callbacks.x\n_target_: evil.X\n"),
    "package in defaults": ("method/a.yaml", "defaults:\n  - b@hydra.callbacks\n"),
    "base of another": ("method/deep/er/b.yaml", "hydra: {callbacks: {x: {_target_: evil.X}}}\n"),
    "group of its own": ("mine/b.yaml", "plugins: [evil.py]\n"),
    "callback group": ("hydra/callbacks/a.yaml", "x: {_target_: evil.X}\n"),
    "launcher": ("hydra/launcher/joblib.yaml", "_target_: evil.X\n"),
}
DOUBLING = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
MERGING = "a0: &a0 {x: y}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
IMPOSSIBLE = {
    "doubling": (DOUBLING, "expand"),
    "merging": (MERGING, "expand"),
    "endless": ("a: &a [*a]\n", "expand"),
    "deep": ("[" * 20_000, "valid YAML"),
    "date": ("a: 2001-99-99\n", "valid YAML"),
    "no yaml": ("a: [\n", "valid YAML"),
    "huge": ("#" * (2 << 20), "bytes"),
}


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "text"), RUNS_CODE.values(), ids=RUNS_CODE)
def test_what_runs_code_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = written(tmp_path, name, text)
    with raises_usage("can run code", key=str(path)):
        composed([], tmp_path)
    path.unlink()
    check_folder(tmp_path)


@pytest.mark.parametrize(("text", "reason"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize("command", [("list", "methods"), ("plan", "method=a")])
def test_an_impossible_file_is_one_message(
    cli: Command, tmp_path: Path, text: str, reason: str, command: tuple[str, ...]
) -> None:
    path = written(tmp_path / "conf", "method/a.yaml", text)
    cli(*command, "--config-dir", str(tmp_path / "conf")).refused(str(path), reason)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_may_never_end_is_not_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "experiment").mkdir()
    path = tmp_path / "experiment" / "a.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with raises_usage("no regular file", key=str(path)):
        check_folder(tmp_path)


def test_a_file_that_is_no_text_is_one_message(tmp_path: Path) -> None:
    path = written(tmp_path, "method/a.yaml", "")
    path.write_bytes(b"name: \xff\xfe")
    with raises_usage("UTF-8", key=str(path)):
        check_folder(tmp_path)


def test_a_sweep_a_launcher_and_groups_of_its_own_are_allowed(tmp_path: Path) -> None:
    written(tmp_path, "experiment/a.yaml", f"{GLOBAL}hydra: {{sweeper: {{params: {{seed: '0,1'}}}}}}\n")
    launcher = "_target_: hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher\nn_jobs: 2\n"
    written(tmp_path, "hydra/launcher/mine.yaml", launcher)
    config = composed(["experiment=a"], tmp_path, with_hydra=True)
    assert config.hydra.sweeper.params == {"seed": "0,1"}
    assert composed(["hydra/launcher=mine"], tmp_path, with_hydra=True).hydra.launcher.n_jobs == 2


@pytest.mark.parametrize("sources", ['["http://127.0.0.1:9/${dataset.summary}"]', "${dataset.absent_rows}"])
def test_no_reference_is_followed_in_an_address(cli: Command, tmp_path: Path, sources: str) -> None:
    text = (
        f"name: a\nsummary: ${{oc.env:HOME}}\ntask: regression\ntargets: [y]\nmetric: rmse\nsmiles_column: smiles\n"
        f"file: a.csv\nsha256: {'a' * 64}\nsources: {sources}\n"
    )
    written(tmp_path / "conf", "dataset/a.yaml", text)
    for command in ("run", "plan"):
        cli(command, "--config-dir", str(tmp_path / "conf"), "dataset=a").refused("sources", "reference")
