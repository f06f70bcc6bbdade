"""The command line: what is refused and how, what is printed, and what the other commands show."""

import json
import os
import re
from pathlib import Path

import pytest
import torch
from command import Command, Terminal
from golden import LONG, Golden
from lab import ESTIMATORS, METHODS, ROOT, Lab, merged, primary, write_csv
from refusals import raises_usage

from roftbench import __version__
from roftbench.models.checkpoints import read_checkpoint
from roftbench.store.tensors import read_tensors

BUNDLED = "bundled:gin_masking.safetensors"
DIVERGES = "train.lr=1e30"


@pytest.fixture
def terminal(lab: Lab, tmp_path: Path) -> Terminal:
    return Terminal.of(lab, tmp_path)


def table_of(path: Path) -> Path:
    """A small regression table with one row that has no graph."""
    smiles = ["C" * length for length in range(1, 40)] + ["no molecule"]
    return write_csv(path, {"smiles": smiles, "y": [0.5 * i for i in range(len(smiles))]})


# What is refused: one clear message, exit code 2, nothing written.

REFUSED = [
    ("method=roftmoll",), ("dataset=esoll",), ("label_ratio=r33",), ("experiment=smok",), ("modle=tiny_gin",),
    ("train.epocs=3",), ("method=l2_sp", "method.wieght=1"), ("+foo=1",), ("+train.foo=1",), ("+method=lp",),
    ("model=null",), ("train.lr=abc",), ("train.epochs=1.5",), ("train.lr=inf",), ("split.fractions=[nan,0.5,0.5]",),
    ("dataset.targets=abc",), ("seed=-1",), ("method=l2_sp", "method.weight=-1"),
    ("label_ratio=full", "label_ratio.fraction=1.5"), ("train.loss=bce",), ("label_ratio.count=903",),
    ("dataset=csv",), ("dataset=csv", "dataset.path=no.csv"), ("model=gin",), ("model=gin", "model.checkpoint=no.pt"),
    ("model._target_=os.system",), ("run.device=cuda:99",), ("--config-dir=no",), ("--config-dir",), ("--multi",),
    ("foo",), ("seed=0,1",), ("paths.results=",),
]  # fmt: skip


def test_what_cannot_be_meant_is_refused_with_one_message_and_nothing_is_written(cli: Command, golden: Golden) -> None:
    messages = []
    for overrides in REFUSED:
        ended = cli.run(*overrides)
        ended.refused()
        messages.append(f"$ roftbench run {' '.join(overrides)}\n{ended.err}")
        assert cli.files() == []
        assert list(Path.cwd().iterdir()) == []
    text = LONG.sub("Allowed: …", "".join(messages))
    golden("refusals_run.txt", re.sub(r"\d+ GPUs", "# GPUs", text))
    cli.run("method=roftmoll").refused(*METHODS)


def test_a_column_that_is_not_there_is_refused(cli: Command, tmp_path: Path) -> None:
    path = table_of(tmp_path / "my.csv")
    for key in ("targets=[yy]", "smiles_column=smile"):
        wrong = "yy" if "yy" in key else "smile"
        cli.run("dataset=csv", f"dataset.path={path}", f"dataset.{key}").refused(f"no column '{wrong}'", "Did you mean")
    assert cli.files() == []


def test_a_truncated_checkpoint_is_refused(cli: Command, tmp_path: Path) -> None:
    path = tmp_path / "short.safetensors"
    path.write_bytes(read_checkpoint(BUNDLED)[:100_000])
    cli.run("model=gin", f"model.checkpoint={path}").refused(str(path), "damaged")
    assert cli.files() == []


@pytest.mark.parametrize("sweep", [[], ["-m"]])
@pytest.mark.parametrize("key", ["paths.results", "paths.cache"])
def test_a_folder_that_is_a_file_is_refused(cli: Command, tmp_path: Path, sweep: list[str], key: str) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    ended = cli.run(*sweep, f"{key}={path}")
    if sweep and key == "paths.cache":  # found by the job
        assert ended.code == 1
        assert f"{path}" in ended.out.partition("1 failed")[2]
    else:
        ended.refused(str(path), key)
    assert path.read_text() == "mine"
    folders = {name.split("/")[0] for name in cli.files()}
    assert folders == ({"failures", "logs"} if sweep and key == "paths.cache" else set())


def test_the_traceback_is_there_for_those_who_ask(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROFTBENCH_DEBUG", "1")
    with raises_usage(key="method", got="nope"):
        cli.run("method=nope")


@pytest.mark.parametrize(
    "arguments", [["nope"], [], ["list"], ["list", "nope"], ["tables", "nope"], ["list", "runs", "--x"]]
)
def test_unknown_commands_and_arguments_are_usage_errors(cli: Command, arguments: list[str]) -> None:
    ended = cli(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "roftbench" in ended.err
    assert "Traceback" not in ended.err


def test_exit_codes_and_streams_of_a_real_process(terminal: Terminal) -> None:
    ended = terminal.run("method=roftmoll")
    ended.refused("unknown method 'roftmoll'")
    assert ended.out == ""


# What is printed.


def test_the_last_lines_are_the_result_and_that_of_the_full_fine_tuning_beneath(cli: Command) -> None:
    lines = cli.run("method=roftmol").out.splitlines()
    record = cli.record()
    path = cli.lab.store.record_path(record.key)
    start = next(i for i, line in enumerate(lines) if "best epoch" in line)
    assert lines[start].split() == ["val", "rmse", "test", "rmse", "best", "epoch"]
    base, scores = record.base, record.scores
    rows = [["full_ft", base.val, base.test, base.best_epoch],
            ["roftmol", scores.val, scores.test, record.best_epoch]]  # fmt: skip
    for line, (name, val, test, epoch) in zip(lines[start + 1 :], rows, strict=False):
        assert line.split() == [name, f"{val['rmse']:.4f}", f"{test['rmse']:.4f}", str(epoch)]
    assert str(path) in lines[-1]


def test_no_progress_bar_without_a_terminal(cli: Command) -> None:
    ended = cli.run("method=lp")
    assert ended.err == ""
    assert "\r" not in ended.out


def test_a_progress_bar_on_a_terminal(cli: Command) -> None:
    """The lines on standard output stay whole."""
    ended, text = cli.on_terminal("run", *merged(["method=full_ft"]))
    assert ended.code == 0
    assert "ft:" in text
    assert "\r" in text
    assert "/3 " in text
    assert "val rmse " in text
    assert "\r" not in ended.out


def test_a_public_checkpoint_is_taken_from_a_mirror(
    cli: Command, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROFTBENCH_OFFLINE", "1")
    words = ["model=gcn_contextpred", "method=lp", "train.epochs=1", f"paths.cache={tmp_path / 'own'}"]
    refused = cli.run(*words)
    assert refused.code == 2
    assert "`roftbench fetch model=gcn_contextpred`" in refused.err
    ended = cli.run(*words, f"paths.mirror={shared / 'checkpoints'}")
    assert ended.code == 0, ended
    assert "301 of 505,201" in ended.header["model"]
    assert "warning" not in ended.header
    file = shared / "checkpoints" / "graphsage_contextpred.pth"
    for model in ("gcn_contextpred", "gcn"):
        cli.run(f"model={model}", f"model.checkpoint={file}").refused(str(file))


# Again, and again.


def test_a_finished_job_returns_at_once_and_rerun_repeats_it_bit_for_bit(cli: Command) -> None:
    assert cli.run("method=full_ft").code == 0
    [record] = cli.lab.store.load()
    path = cli.lab.store.record_path(record.key)
    before = path.stat().st_mtime_ns

    again = cli.run("method=full_ft")
    assert again.code == 0
    assert record.key in again.out.splitlines()[0]
    assert again.header == {}
    assert f"{primary(record):.4f}" in again.out
    assert path.stat().st_mtime_ns == before

    repeated = cli.run("method=full_ft", "run.rerun=true")
    assert "already done" not in repeated.out
    assert path.stat().st_mtime_ns > before
    [new] = cli.lab.store.load()
    assert [getattr(new, key) for key in ("scores", "history", "test_predictions")] == [
        getattr(record, key) for key in ("scores", "history", "test_predictions")
    ]


@pytest.mark.parametrize("place", [0, 2, 99])
def test_the_flag_of_a_sweep_may_stand_anywhere(cli: Command, place: int) -> None:
    words = ["method=lp", "seed=0,1", "train.epochs=1"]
    words.insert(place, "-m" if place else "--multirun")
    ended = cli.run(*words)
    assert ended.code == 0, ended
    assert [record.job["seed"] for record in cli.lab.store.load()] in ([0, 1], [1, 0])


def test_a_sweep_goes_on_after_a_failure_names_it_and_can_be_repeated(cli: Command, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "train").mkdir(parents=True)
    ended = cli.run("-m", f"--config-dir={own}", "method=full_ft", "train.lr=1e30,0.001", "dataset=esol,freesolv",
                    "label_ratio.count=600")  # fmt: skip
    assert ended.code == 1
    summary = ended.out.partition("\n4 jobs: ")[2]
    assert summary.startswith("1 done, 0 skipped, 3 failed\n")
    commands = re.findall(r"^  failed: (.*)$", summary, re.MULTILINE)
    assert len(commands) == 3
    assert all(command.startswith(f"roftbench run --config-dir={own} ") for command in commands)
    assert "600" in summary
    assert "513" in summary
    assert "diverged" in summary
    [record] = cli.lab.store.load()
    failures = cli.lab.store.load_failures()
    [failure] = [one for one in failures if "diverged" in one.error]
    assert (record.job["train"]["lr"], failure.job["train"]["lr"]) == (0.001, 1e30)
    assert {one.job["dataset"]["name"] for one in failures if "513" in one.error} == {"freesolv"}
    logs = re.findall(r"^          log: (.*)$", summary, re.MULTILINE)
    assert sorted(logs) == sorted(str(cli.lab.store.log_path(one.key)) for one in failures)
    assert all(one.error in cli.lab.store.log_path(one.key).read_text() for one in failures)

    repeated = cli(*commands[0].split()[1:])  # as it was printed
    assert repeated.code == 1
    assert str(cli.lab.store.failure_path(failure.key)) in repeated.out
    again = cli.run("-m", "method=full_ft", "train.lr=1e30,0.001", "label_ratio.count=600")
    assert again.code == 1
    assert again.out.startswith("2 jobs: 1 done, 1 failed before, 1 to run\n")


@pytest.mark.parametrize("sweep", [["method=full_ft,lpp"], ["train.lr=0.1,-1"], ["seed=0,1,x"], ["method=l2_sp,lp",
                                   "method.weight=1"], ["seed=0,1", "train.epochs=1,1.5"]])  # fmt: skip
def test_a_sweep_is_checked_whole_before_its_first_job(cli: Command, sweep: list[str]) -> None:
    cli.run("-m", *sweep).refused()
    assert cli.files() == []


def test_a_skipped_job_is_no_failure_of_a_sweep_but_a_single_one_says_why(cli: Command) -> None:
    ended = cli.run("-m", "method=surgical_ft", "method.block=layer0,layer4")
    assert ended.code == 0
    [skipped] = cli.lab.store.load_failures()
    assert (skipped.status, len(cli.lab.store.load())) == ("skipped", 1)
    single = cli.run("method=surgical_ft", "method.block=layer4")
    assert single.code == 1
    assert skipped.error in single.out


def test_an_experiment_without_the_flag_of_a_sweep_says_so(cli: Command) -> None:
    given = ["experiment=smoke", "model=tiny_gin", "method=lp", "run.threads=1"]
    ended = cli("run", *given)
    assert ended.code == 0
    assert "add -m" in ended.out
    assert "add -m" not in cli("run", *given, "dataset=esol").out  # the command of one of its jobs
    assert len(cli.lab.store.load()) == 1


def test_the_composed_config_is_shown_and_nothing_is_run(cli: Command) -> None:
    ended = cli.run("--cfg", "job", "method=wise_ft")
    assert ended.code == 0
    assert "alpha: 0.5" in ended.out
    assert "seed: ${oc.select:split.fold,0}" in ended.out
    assert cli.files() == []


# Folders.


def test_results_are_here_by_default_and_paths_are_shown_from_here(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROFTBENCH_RESULTS")
    ended = cli.run("method=lp")
    [path] = Path.cwd().glob("results/runs/*.json")
    assert ended.header["record"] == f"results/runs/{path.name}"
    assert sorted(item.name for item in Path.cwd().iterdir()) == ["results"]
    assert path.stem in cli("list", "runs").out


def test_the_cache_and_results_of_the_environment_are_used_and_paths_go_before_it(cli: Command) -> None:
    cli.run("method=lp")
    assert list(cli.lab.cache.glob("data/graphs-esol-*.safetensors"))
    other = cli.lab.elsewhere("other")
    cli.run("method=lp", f"paths.results={other.results}", "seed=3")
    assert [record.job["seed"] for record in other.store.load()] == [3]
    assert [record.job["seed"] for record in cli.lab.store.load()] == [0]
    assert cli("list", "runs", f"paths.results={other.results}", "--json").out.count('"key"') == 1


def test_a_damaged_cache_is_named_and_rebuilt_and_the_job_done(
    cli: Command, terminal: Terminal, tmp_path: Path
) -> None:
    """In a process of its own: logging is set up there as a user gets it."""
    own = Terminal.of(Lab(tmp_path / "results", tmp_path / "own_cache"), tmp_path)
    path = table_of(tmp_path / "my.csv")
    words = ["dataset=csv", f"dataset.path={path}", "label_ratio=full", "split=random", "method=lp",
             f"paths.cache={tmp_path / 'own_cache'}"]  # fmt: skip
    assert cli.run(*words).code == 0
    [graphs] = (tmp_path / "own_cache" / "data").glob("graphs-my-*")
    mapped, description = read_tensors(graphs)
    tensors = {name: tensor.clone() for name, tensor in mapped.items()}
    good = graphs.read_bytes()
    graphs.write_bytes(good[: len(good) // 2])
    ended = own.run(*words, "seed=1")
    assert ended.code == 0, ended
    assert str(graphs) in ended.err
    assert ended.err.count("\n") == 1
    again, described = read_tensors(graphs)  # not its bytes: the format keeps metadata in no fixed order
    assert described == description
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
    assert len(Lab(tmp_path / "results", tmp_path).store.load()) == 2


# The other commands.

DATASETS = (
    "bace", "bbbp", "cep", "clintox", "esol", "freesolv", "hiv", "lipo", "malaria", "muv", "sider", "tox21", "toxcast",
)  # fmt: skip
LISTS = {
    "models": {path.stem for path in (ROOT / "conf" / "model").glob("*.yaml")},
    "methods": {*METHODS, *ESTIMATORS},
    "datasets": {*DATASETS, "csv", "pyg"},
    "splits": {"random", "scaffold", "size", "random_scaffold", "column", "file", "auto"},
}


@pytest.mark.parametrize("kind", LISTS)
def test_list_shows_what_there_is(cli: Command, kind: str) -> None:
    plain, encoded = cli("list", kind), cli("list", kind, "--json")
    assert (plain.code, plain.err, encoded.code, encoded.err) == (0, "", 0, "")
    lines = plain.out.partition("\n\n")[0].splitlines()
    names = {line.split()[0] for line in lines if not line.startswith(" ")}
    assert LISTS[kind] <= names
    rows = json.loads(encoded.out)
    assert {row["name"] for row in rows} == names
    assert all(row["summary"] in plain.out and row["summary"] for row in rows)


def test_models_have_one_line_each_and_details_by_name(cli: Command) -> None:
    lines = cli("list", "models").out.partition("\n\n")[0].splitlines()
    assert len(lines) == len(LISTS["models"])
    assert next(line for line in lines if line.startswith("tiny_gin ")).split()[1:3] == ["4,464", "random"]
    assert len(cli("list", "models", "gin").out.splitlines()) == 1  # only the user can describe the file
    assert [row["name"] for row in json.loads(cli("list", "models", "gin", "--json").out)] == ["gin"]
    cli("list", "models", "ginn").refused("unknown model 'ginn'", "'gin'?")


def test_other_lists_take_names_too(cli: Command) -> None:
    assert cli("list", "methods", "lp").out.startswith("lp  ")
    assert cli("list", "datasets", "esol", "paths.cache=a").out.startswith("esol  ")
    cli("list", "splits", "sise").refused("unknown split 'sise'", "'size'?")
    cli("list", "methods", "lp", "--last", "3").refused("--last belongs to list runs")


def test_list_shows_ones_own_configs_too(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text("name: mine\nsummary: my own\n_target_: mine.Mine\n")
    assert "mine            my own\n" in cli("list", "methods", "--config-dir", str(tmp_path)).out
    assert "my own" not in cli("list", "methods").out
    cli("list", "methods", "--config-dir", "nowhere").refused("--config-dir nowhere")


@pytest.mark.parametrize("content", ["name: [x", "- a\n- b\n"])
def test_a_config_of_ones_own_that_is_no_yaml_is_named(cli: Command, tmp_path: Path, content: str) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text(content)
    cli("list", "methods", "--config-dir", str(tmp_path)).refused("mine.yaml")
    cli.run("method=mine", f"--config-dir={tmp_path}").refused()


def test_list_runs_shows_finished_and_failed_jobs(cli: Command) -> None:
    assert json.loads(cli("list", "runs", "--json").out) == []
    cli.run("-m", "method=lp", f"{DIVERGES},0.001", "dataset=esol")
    rows = json.loads(cli("list", "runs", "--json").out)
    assert [(row["method"], row["status"], row["test"] is None) for row in rows] == [
        ("lp", "failed", True),
        ("lp", "done", False),
    ]
    lines = cli("list", "runs").out.splitlines()
    assert lines[0].split() == [name for name in rows[0] if name != "fold"]  # which no job here has
    assert [line.split()[1] for line in lines[1:]] == [row["key"] for row in rows]


def test_runs_are_sorted_by_date_and_filtered(cli: Command) -> None:
    keys = []
    for number, method in enumerate(("lp", "full_ft", "lp")):
        record = cli.lab.done(f"method={method}", f"seed={number}", "train.epochs=1")
        os.utime(cli.lab.store.record_path(record.key), (1e9 - number, 1e9 - number))
        keys.append(record.key)

    def shown(*words: str) -> list[str]:
        return [row["key"] for row in json.loads(cli("list", "runs", "--json", *words).out)]

    assert shown() == keys[::-1]  # the newest last
    assert shown("--last", "2") == keys[1::-1]
    assert shown("method=lp") == [keys[2], keys[0]]
    assert shown("method=lp", "seed=1,2") == [keys[2]]
    cli("list", "runs", "metric=mae").refused("cannot filter by 'metric=mae'", "dataset")
    cli("list", "runs", "--last", "0").refused("--last must be ≥ 1, got 0")


def test_lists_and_help_are_quick_because_they_import_little(terminal: Terminal) -> None:
    code = """
import sys
from roftbench.cli.main import main
for kind in ("methods", "splits"):
    assert main(["list", kind]) == 0
assert main(["run", "--help"]) == 0
print("loaded:", [name for name in ("torch", "hydra", "omegaconf", "rdkit", "numpy", "pandas") if name in sys.modules])
"""
    ended = terminal.python("-c", code)
    assert ended.code == 0, ended.err
    assert ended.out.endswith("loaded: []\n")
    for kind in ("datasets", "models"):
        code = (
            f"import sys; from roftbench.cli.main import main; main(['list', '{kind}']); print('torch' in sys.modules)"
        )
        assert terminal.python("-c", code).out.endswith("False\n")


def test_help_names_every_command_and_every_option(cli: Command) -> None:
    top = cli("--help")
    assert top.code == 0
    assert all(f"    {command} " in top.out for command in ("run", "list", "tables", "splits"))
    text = cli("run", "--help").out
    for group in ("model", "method", "dataset", "split", "label_ratio", "train", "experiment"):
        options = sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))
        assert f"  {group:<13}{', '.join(options)}\n" in text + "\n"
    assert cli("run", "method=lp", "-h").out == text
    for command in ("list", "tables", "splits"):
        assert cli(command, "--help").code == 0


def test_version(cli: Command) -> None:
    ended = cli("--version")
    assert (ended.code, ended.out) == (0, f"roftbench {__version__}\n")


def test_a_reader_that_leaves_early_is_no_error(terminal: Terminal, tmp_path: Path) -> None:
    """As in `roftbench list datasets --json | true`."""
    code = (
        "import os, subprocess, sys; r, w = os.pipe(); os.close(r);"
        "sys.exit(subprocess.call([sys.executable, '-m', 'roftbench', 'list', 'datasets', '--json'], stdout=w))"
    )
    ended = terminal.python("-c", code)
    assert (ended.code, ended.err) == (0, "")


def test_tables_are_printed_written_and_given_as_json(cli: Command, tmp_path: Path) -> None:
    for arguments in (["tables"], ["tables", "--json"], ["tables", "--by", "model"]):
        cli(*arguments).refused(f"no finished jobs under {cli.lab.results}", "roftbench run")
    assert cli.files() == []
    cli.run("-m", "method=lp,full_ft", "seed=0,1", "train.epochs=1")
    plain = cli("tables")
    assert plain.code == 0
    assert "n50 labels" in plain.out
    assert re.search(r"│ Full FT +│ +\d\.\d{3} ± \d\.\d{3} \(2\)", plain.out)
    names = [*(f"leaderboard.{kind}" for kind in ("md", "csv", "tex")), "comparison.md", "comparison.csv", "within.csv"]
    names += ["scores.csv", "settings.json", "predictions.parquet", "predictions.md", "4 figures (.svg, .pdf)"]
    assert plain.out.endswith(f" {cli.lab.results}/tables: {', '.join(names)}\n")
    texts = [name for name in cli.files() if name.startswith("tables/leaderboard")]
    files = {name: (cli.lab.results / name).read_text() for name in texts}
    assert "| Full FT | " in files["tables/leaderboard.md"]
    rows = json.loads(cli("tables", "--json", "--out", str(tmp_path / "out")).out)
    assert [(row["method"], row["n"]) for row in rows] == [("full_ft", 2), ("lp", 2)]
    assert (tmp_path / "out" / "leaderboard.csv").read_text() == files["tables/leaderboard.csv"]
    assert files["tables/leaderboard.csv"].count("\n") == 3
    models = cli("tables", "--by", "model")
    assert "## Full FT · " in models.out
    assert re.search(r"^\| tiny_gin \| \d\.\d{3} ± \d\.\d{3} \(2\) \|$", models.out, re.MULTILINE)
    page = (cli.lab.results / "tables" / "models.md").read_text()
    assert page[page.index("\n## Full FT") : page.index("\n## Provenance")] in models.out
    rows = json.loads(cli("tables", "--by", "model", "--json").out)
    assert [(row["method"], row["model"], row["n"]) for row in rows] == [
        (name, "tiny_gin", 2) for name in ("full_ft", "lp")
    ]


def test_tables_that_cannot_be_written_are_a_usage_error(cli: Command, tmp_path: Path) -> None:
    cli.run("method=lp", "train.epochs=1")
    (tmp_path / "file").write_text("mine")
    cli("tables", "--out", str(tmp_path / "file")).refused("cannot be written", str(tmp_path / "file"))


def test_splits_equal_the_reference_in_a_file_and_on_standard_output(
    cli: Command, shared: Path, tmp_path: Path
) -> None:
    words = ["splits", "dataset=esol", "split=scaffold", "label_ratio=n50"]
    assert cli(*words, "--out", str(tmp_path / "new" / "split.json")).out == ""
    written = json.loads((tmp_path / "new" / "split.json").read_text())
    golden = json.loads((shared / "golden" / "splits_esol.json").read_text())["splits"]["scaffold"]["50"]
    assert written == {"train": golden["train"], "val": golden["valid"], "test": golden["test"]}
    assert json.loads(cli(*words).out) == written


def test_splits_refuse_what_run_refuses(cli: Command) -> None:
    for word in ("foo=1", "split=scafold", "label_ratio.count=9999", "seed=0,1", "--config-dir=no"):
        refused = cli("run", "model=tiny_gin", word)
        refused.refused()
        assert cli("splits", "model=tiny_gin", word, "--out", "split.json").err == refused.err
    assert list(Path.cwd().iterdir()) == []
