"""A user's own method and encoder: one file and one YAML, nothing of ours touched."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command, Terminal
from lab import Lab, merged, primary
from plugin_files import LINES_METHOD, LINES_YAML

import roftbench
from roftbench.errors import UsageError

ENCODER = '''
import torch
from torch import nn

from roftbench.models.encoder import Encoder, Nodes


class Counts(Encoder):
    """Atom types without bonds."""

    def __init__(self, dim: int = 8, slopes: int = 3) -> None:
        super().__init__()
        self.dim = dim
        self.slopes = [slope.item() for slope in torch.linspace(0, 1, slopes)]  # looks into a tensor while it is built
        self.atoms = nn.Embedding(120, dim)
        self.mixer = nn.Sequential(nn.Linear(dim, dim), nn.BatchNorm1d(dim))

    def blocks(self):
        return {"atoms": self.atoms, "mixer": self.mixer}

    def forward(self, batch):
        features = self.atoms(batch.x[:, 0])
        return Nodes(out=self.mixer(features).relu(), features=features)
'''
ENCODER_YAML = """\
name: counts
summary: atom types without bonds
_target_: {module}.Counts
dim: 8
pretraining: none
checkpoint: null
"""


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    """Forget the modules that a test imports."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("mine_", "broken_")):
            del sys.modules[name]


def write(folder: Path, module: str, code: str, group: str, yaml: str) -> tuple[str, str]:
    """Write a plug-in's two files and return the words of the command line that make them known."""
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    (folder / "conf" / group).mkdir(parents=True)
    (folder / "conf" / group / f"{module}.yaml").write_text(yaml.format(module=module), encoding="utf-8")
    return f"--config-dir={folder / 'conf'}", f"plugins=[{folder / f'{module}.py'}]"


@pytest.fixture
def lines(tmp_path: Path) -> tuple[str, str]:
    return write(tmp_path, "mine_lines", LINES_METHOD, "method", LINES_YAML)


def test_a_tenth_method_is_one_file_and_one_yaml(cli: Command, tmp_path: Path, lines: tuple[str, str]) -> None:
    """As a user has it: a sweep in a process of its own, a table."""
    assert len(LINES_METHOD.splitlines()) < 60
    lab = cli.lab
    ended = Terminal.of(lab, tmp_path).run("-m", *lines, "method=full_ft,mine_lines")
    assert ended.code == 0, ended
    assert "method=mine_lines\n  rmse: val " in ended.out
    assert any("ft (reused)" in record.seconds for record in lab.store.load())
    records = {record.name("method"): record for record in lab.store.load()}
    assert records.keys() == {"full_ft", "mine_lines"}
    assert records["mine_lines"].details["alpha"] == {"embed": 0.5, "layer0": 0.75, "layer1": 1.0}
    base = records["mine_lines"].base
    assert base is not None
    assert base.test == records["full_ft"].scores.test
    assert records["mine_lines"].scores.test != records["full_ft"].scores.test
    listed = cli("list", "methods", lines[0])
    assert "mine_lines      layer-scaled interpolation" in listed.out
    tables = cli("tables", "--json")
    assert [row["method"] for row in json.loads(tables.out)] == ["full_ft", "mine_lines"]
    assert "| mine_lines | " in (lab.results / "tables" / "leaderboard.md").read_text(encoding="utf-8")


def test_folder_and_plug_ins_of_the_environment(
    cli: Command, tmp_path: Path, lines: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.run("method=mine_lines").refused("unknown method 'mine_lines'")
    monkeypatch.setenv("ROFTBENCH_CONFIG_DIR", lines[0].partition("=")[2])
    cli.run("method=mine_lines").refused("plugins=[PATH/mine_lines.py]")
    monkeypatch.setenv("ROFTBENCH_PLUGINS", f"{tmp_path / 'mine_lines.py'},json")
    assert cli.run("method=mine_lines").code == 0
    key = cli.record().key
    assert "1 job: 1 done" in cli.run("-m", "method=mine_lines").out
    assert roftbench.run(*merged(["method=mine_lines"]), results=cli.lab.results).key == key
    assert "mine_lines" in cli("list", "methods").out
    assert "mine_lines" in cli("--complete", "bash", "roftbench run method=mine").out
    cli.run("method=mine_lines", "plugins=[]").refused("now: none")  # the command line goes before it
    monkeypatch.setenv("ROFTBENCH_PLUGINS", "")
    cli.run("method=mine_lines").refused("now: none")
    monkeypatch.setenv("ROFTBENCH_CONFIG_DIR", "nowhere")
    for command in (("run",), ("list", "methods"), ("plan",)):
        cli(*command).refused("ROFTBENCH_CONFIG_DIR=nowhere: the folder does not exist")


def test_a_folder_of_the_environment_runs_no_code(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    preset = tmp_path / "conf" / "experiment" / "a.yaml"
    preset.write_text("# @package _global_\nplugins: [evil.py]\n", encoding="utf-8")
    monkeypatch.setenv("ROFTBENCH_CONFIG_DIR", str(preset.parents[1]))
    for command in (("run", "experiment=a"), ("list", "methods")):
        cli(*command).refused("sets plugins", "only the command line may do so")


@pytest.mark.whole
def test_a_plug_in_that_is_changed_is_another_job(lab: Lab, tmp_path: Path) -> None:
    penalty = "\n    def penalty(self, step):\n        return {} * step.model.head.weight.square().sum()\n"
    words = write(tmp_path, "mine_lines", LINES_METHOD + penalty.format(0), "method", LINES_YAML)
    terminal = Terminal.of(lab, tmp_path)
    command = (*words, "method=mine_lines")
    for weight, jobs, stages in ((0, 1, 1), (0, 1, 1), (9, 2, 2)):
        (tmp_path / "mine_lines.py").write_text(LINES_METHOD + penalty.format(weight), encoding="utf-8")
        assert terminal.run(*command).code == 0
        assert (len(lab.store.load()), len(lab.stages())) == (jobs, stages)
    first, second = lab.store.load()
    assert first.scores != second.scores
    rows = json.loads(terminal("tables", "--json").out)
    codes = sorted(f"mine_lines (code={one.job['method']['code']})" for one in (first, second))
    assert sorted(row["method"] for row in rows) == codes


WRONG_STAGES = {
    '[Stage("ft", blocks=("head",)), Stage("ft")]': "stages() of LiNeS gives ft, ft: there must be one at least, each",
    '[Stage("finish")]': "stages() of LiNeS gives finish: ",
    "[]": "stages() of LiNeS gives none: ",
    '[Stage("ft", epochs=0)]': "epochs must be ≥ 1, got 0",
    '[Stage("ft", lr=0.0)]': "lr must be > 0, got 0",
}


@pytest.mark.parametrize("stages", WRONG_STAGES)
def test_stages_that_cannot_be_told_apart_are_refused(cli: Command, tmp_path: Path, stages: str) -> None:
    code = LINES_METHOD.replace("import Finished, Fitted, Method", "import Finished, Fitted, Method, Stage")
    words = write(
        tmp_path, "mine_stages", f"{code}\n    def stages(self):\n        return {stages}\n", "method", LINES_YAML
    )
    cli.run(*words, "method=mine_stages").refused(WRONG_STAGES[stages])
    assert cli.lab.store.load() == []


SPLIT = '''
from dataclasses import dataclass

import numpy as np

from roftbench.data.split import Split, Splitter


@dataclass(frozen=True)
class Mine(Splitter):
    """Parts as they are written here."""

    def __call__(self, molecules):
        order = np.arange(len(molecules.sizes))
        return Split({parts})
'''
SPLIT_YAML = "name: {module}\n_target_: {module}.Mine\nseed: 42\n"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ("order[20:], order[:10], order[10:20]", ""),
        ("order[20:], order[:10], order[5:20]", "Mine gives 5 molecules more than once"),
        ("order[20:], order[:10], order[10:20] - 11", "Mine gives indices from -1 to "),
        ("order[20:] + 1, order[:10], order[10:20]", "molecules"),
    ],
)
def test_the_parts_of_a_way_of_cutting_are_checked(cli: Command, tmp_path: Path, parts: str, said: str) -> None:
    words = write(tmp_path, "mine_split", SPLIT.format(parts=parts), "split", SPLIT_YAML)
    ended = cli.run(*words, "split=mine_split", "label_ratio=n50")
    if said:
        ended.refused(said)
    else:
        assert ended.code == 0, ended


def test_a_fault_of_a_plug_in_names_its_line(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = LINES_METHOD + "\n    def penalty(self, step):\n        return step.weights * 2\n"
    words = write(tmp_path, "mine_fault", code, "method", LINES_YAML)
    ended = cli.run(*words, "method=mine_fault")
    assert ended.code == 1
    line = len(code.splitlines())
    assert f"AttributeError: 'Step' object has no attribute 'weights' (mine_fault.py, line {line})" in ended.out
    assert "Traceback" not in ended.out
    monkeypatch.setenv("ROFTBENCH_DEBUG", "1")
    assert "return step.weights * 2" in cli.run(*words, "method=mine_fault").out


def test_scores_before_a_finish_are_full_fine_tunings_only_where_they_are(lab: Lab, tmp_path: Path) -> None:
    code = LINES_METHOD + "\n    def penalty(self, step):\n        return step.model.head.weight.square().sum()\n"
    folder, plugins = write(tmp_path, "mine_pulled", code, "method", LINES_YAML)
    bases = [lab.done(*words).base for words in ((folder, plugins, "method=mine_pulled"), ("method=wise_ft",))]
    assert [base.method for base in bases if base] == ["before finish", "full_ft"]


def test_an_encoder_that_does_not_say_its_width_is_told_so(cli: Command, tmp_path: Path) -> None:
    words = write(tmp_path, "mine_wide", ENCODER.replace("self.dim = dim", "pass"), "model", ENCODER_YAML)
    cli.run(*words, "model=mine_wide").refused("Counts sets no self.dim")


def test_its_hyperparameters_are_checked_and_its_grid_searched(cli: Command, lines: tuple[str, str]) -> None:
    cli.run(*lines, "method=mine_lines", "method.alpha=1.5").refused("method.alpha must be ≥ 0 and ≤ 1, got 1.5")
    cli.run(*lines, "method=mine_lines", "method.alhpa=1").refused("Did you mean 'method.alpha'?")
    ended = cli.run(*lines, "method=mine_lines", "method.search=true", "train.lr=0.05")
    assert ended.code == 0, ended
    [record] = cli.lab.store.load()
    assert [one.params["alpha"] for one in record.candidates] == [0.1, 1.0]
    assert record.base is not None
    assert record.candidates[1].val == record.base.val  # all shares 1: full fine-tuning
    assert primary(record) == min(one.val["rmse"] for one in record.candidates)


def test_a_plug_in_may_be_a_module_that_python_finds(
    cli: Command, lines: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.run(lines[0], "method=mine_lines").refused("mine_lines.LiNeS", "plugins=[mine_lines]")
    cli.run(lines[0], "method=mine_lines", "plugins=[mine_lines]").refused("cannot be imported", "No module named")
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.run(lines[0], "method=mine_lines", "plugins=[mine_lines]").code == 0
    assert [record.job["method"]["target"] for record in cli.lab.store.load()] == ["mine_lines.LiNeS"]


def test_an_encoder_of_ones_own_works_with_methods_that_need_its_blocks(cli: Command, tmp_path: Path) -> None:
    words = write(tmp_path, "mine_encoder", ENCODER, "model", ENCODER_YAML)
    ended = cli.run(*words, "model=mine_encoder", "method=roftmol")
    assert ended.code == 0, ended
    assert "  model  counts (pretraining: none), ft trains 1,057 of 1,057 parameters" in ended.out
    ended = cli.run(*words, "model=mine_encoder", "method=surgical_ft", "method.search=true")
    assert ended.code == 0, ended
    roftmol, surgical = sorted(cli.lab.store.load(), key=lambda record: record.name("method"))
    assert list(roftmol.details["alpha"]) == ["atoms", "mixer"]
    assert [one.params["block"] for one in surgical.candidates] == ["atoms", "mixer"]
    cli.run(*words, "model=mine_encoder", "model.dim=x").refused("model.dim")


BROKEN = {
    "a syntax error": ("def f(:\n", "SyntaxError"),
    "an error while it is imported": ("raise RuntimeError('boom')\n", "RuntimeError: boom"),
    "a missing package": ("import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'"),
    "no such class": ("x = 1\n", "has no attribute 'LiNeS'"),
    "a class that is no method": ("class LiNeS:\n    def __init__(self, alpha: float = 1): ...\n", "no subclass"),
    "a forgotten decorator": (LINES_METHOD.replace("@dataclass(frozen=True)\n", ""), "put @dataclass(frozen=True)"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plug_in_is_named_with_its_reason(cli: Command, tmp_path: Path, case: str) -> None:
    code, reason = BROKEN[case]
    words = write(tmp_path, "broken_plugin", code, "method", LINES_YAML)
    cli.run(*words, "method=broken_plugin").refused("broken_plugin", reason)
    assert cli.files() == []


def test_a_broken_plug_in_can_be_mended_and_its_traceback_seen(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = write(tmp_path, "broken_once", "raise RuntimeError('boom')\n", "method", LINES_YAML)
    monkeypatch.setenv("ROFTBENCH_DEBUG", "1")
    with pytest.raises(UsageError) as caught:
        cli.run(*words, "method=broken_once")
    assert isinstance(caught.value.__cause__, RuntimeError)
    (tmp_path / "broken_once.py").write_text(LINES_METHOD)
    assert cli.run(*words, "method=broken_once").code == 0


def test_a_failure_keeps_its_traceback_until_the_same_command_succeeds(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = LINES_METHOD.replace("        blocks =", "        int(__import__('os').environ['MOOD'])\n        blocks =")
    words = (*write(tmp_path, "mine_moody", code, "method", LINES_YAML), "method=mine_moody")
    monkeypatch.setenv("MOOD", "bad")
    ended = cli.run(*words)
    assert ended.code == 1
    [failure] = cli.lab.store.load_failures()
    assert "failed: ValueError: invalid literal for int() with base 10: 'bad'" in ended.out
    assert f"recorded in {cli.lab.store.failure_path(failure.key)}; the same command tries again" in ended.out
    assert "mine_moody.py" in str(failure.traceback)
    monkeypatch.setenv("MOOD", "1")
    ended = cli.run(*words)
    assert ended.code == 0, ended
    assert "seconds  ft (reused) " in ended.out
    assert [record.key for record in cli.lab.store.load()] == [failure.key]
    assert cli.lab.store.load_failures() == []


def test_a_plug_in_called_like_another_module_is_refused(cli: Command, tmp_path: Path) -> None:
    words = write(tmp_path, "json", LINES_METHOD, "method", LINES_YAML)
    cli.run(*words, "method=json").refused("a module 'json' exists already", "rename the file")


def test_a_plug_in_that_is_not_there_is_refused(cli: Command) -> None:
    cli.run("plugins=[nowhere.py]").refused("nowhere.py does not exist", "empty/nowhere.py")
