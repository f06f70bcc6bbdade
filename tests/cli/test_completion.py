"""Shell completion: candidates, what each shell receives, and the installed scripts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import Command, Terminal
from lab import ESTIMATORS, METHODS, ROOT, Lab

from roftbench.cli.completion import candidates, complete
from roftbench.cli.main import COMMANDS


def test_commands_and_options_of_commands_are_completed() -> None:
    assert {*COMMANDS, "run", "plan", "--version"} <= set(candidates([""]))
    assert candidates(["ru"]) == ["run"]
    assert candidates(["run", "--c"]) == ["--cfg", "--config-dir"]
    assert candidates(["tables", "--f"]) == ["--figures", "--from"]
    assert candidates(["nope", "x"]) == []


def test_keys_and_their_values_are_completed() -> None:
    assert {"model=", "method=", "seed=", "hydra/launcher="} <= set(candidates(["run", ""]))
    names = sorted(name for name in METHODS if name.startswith("l"))
    assert candidates(["plan", "method=l"]) == [f"method={name}" for name in names]
    assert candidates(["run", "hydra/launcher=j"]) == ["hydra/launcher=joblib"]
    assert candidates(["fetch", "dataset=t"]) == ["dataset=tox21", "dataset=toxcast"]
    assert candidates(["tables", "metr"]) == ["metric="]
    assert candidates(["advise", "advise.b"]) == ["advise.budget=", "advise.by="]
    assert candidates(["run", "method.search="]) == ["method.search=true", "method.search=false"]


def test_values_after_a_comma_leave_out_those_before_it() -> None:
    found = candidates(["run", "-m", "method=lp,l"])
    assert found == sorted(f"method=lp,{name}" for name in METHODS if name.startswith("l") and name != "lp")
    others = [*METHODS[1:], *ESTIMATORS]
    assert candidates(["run", f"method={METHODS[0]},"]) == sorted(f"method={METHODS[0]},{name}" for name in others)


def test_keys_inside_a_group_are_those_of_the_chosen_option() -> None:
    assert "method.weight=" in candidates(["run", "method=l2_sp", "method."])
    assert "method.weight=" not in candidates(["run", "method=lp", "method."])
    assert "train.epochs=" in candidates(["run", "train.e"])
    assert "method.grid.alpha=" in candidates(["run", "method=wise_ft", "method.g"])


def test_lists_complete_their_kinds_names_and_filters() -> None:
    assert candidates(["list", "mo"]) == ["model=", "models"]
    assert candidates(["list", "models", "gin_m"]) == ["gin_masking"]
    assert candidates(["list", "runs", "dataset=e"]) == ["dataset=esol"]
    assert candidates(["cache", "c"]) == ["clean"]


def test_names_of_saved_models_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROFTBENCH_RESULTS", str(tmp_path))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "solubility.json").touch()
    assert candidates(["predict", "model=s"]) == ["model=solubility"]
    assert candidates(["serve", "so"]) == candidates(["list", "kept", "so"]) == ["solubility"]
    assert {"model=solubility", "model=scratch"} <= set(candidates(["embed", "model=s"]))
    assert candidates(["predict", f"paths.results={tmp_path / 'none'}", "model=s"]) == []


def test_own_configs_are_completed(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text("name: mine\nown_key: 1\n")
    for option in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"]):
        assert candidates(["run", *option, "method=min"]) == ["method=mine"]
        assert candidates(["run", *option, "method=mine", "method."]) == ["method.own_key="]


def test_bash_receives_what_follows_the_last_word_break() -> None:
    assert complete("bash", ["roftbench run method=lp_"]) == ["lp_ft"]
    assert complete("bash", ["roftbench ru"]) == ["run"]
    assert complete("zsh", ["run", "method=lp_"]) == ["method=lp_ft"]
    assert complete("fish", []) == candidates([""])


def test_completion_imports_little(lab: Lab, tmp_path: Path) -> None:
    code = (
        "import sys; from roftbench.cli.main import main; main(['--complete', 'zsh', 'run', 'method.']);"
        "print([name for name in ('torch', 'hydra', 'numpy', 'rdkit') if name in sys.modules])"
    )
    ended = Terminal.of(lab, tmp_path).python("-c", code)
    assert ended.out.splitlines()[-1] == "[]", ended


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_installed_script_completes_in_bash(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ended = cli("--install-completion", "bash")
    script = tmp_path / "bash-completion" / "completions" / "roftbench"
    assert ended.out.startswith(f"wrote {script}\n")
    assert cli("--show-completion", "bash").out == script.read_text()
    code = f"""
source {script}
roftbench() {{ PYTHONPATH={ROOT}/src {sys.executable} -m roftbench "$@"; }}
compopt() {{ true; }}
COMP_LINE="roftbench run method=wise" COMP_POINT=25
_roftbench
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "wise_ft\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_parse_their_script(cli: Command, shell: str) -> None:
    script = cli("--show-completion", shell).out
    assert "roftbench --complete" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "--no-execute", "-c", script], check=True)


def test_unknown_shell_is_refused(cli: Command) -> None:
    cli("--install-completion", "csh").refused("unknown shell 'csh'", "bash, fish, zsh")
    cli("--install-completion").refused("unknown shell ''")
