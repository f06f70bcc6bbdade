"""`roftbench tables` as it is called: filters, gaps that its commands fill, scores.csv in the place of records."""

import json
import re
import shlex
from pathlib import Path

import pytest
from command import Command
from lab import Lab
from latex import compiled, complaints

from roftbench.config.registry import VARIABLE
from roftbench.report.molecules import TITLE
from roftbench.runner.run import put_failure

SHORT = ("train.epochs=1", "split=scaffold")


def commands_in(text: str) -> list[list[str]]:
    """The words of the commands that a text tells to run."""
    return [shlex.split(line) for line in text.splitlines() if line.startswith("roftbench run -m ")]


def jobs(lab: Lab) -> set[tuple[str, str, int]]:
    found = (record.job for record in lab.store.load())
    return {(job["method"]["name"], job["dataset"]["name"], job["seed"]) for job in found}


def test_the_commands_for_gaps_run_precisely_what_is_missing(cli: Command, lab: Lab) -> None:
    there = {("lp", "esol", 0), ("lp", "esol", 1), ("full_ft", "esol", 0), ("lp", "freesolv", 1), ("lp", "bbbp", 0)}
    for method, dataset, seed in there:
        lab.done(f"dataset={dataset}", f"method={method}", f"seed={seed}", *SHORT)
    put_failure(lab.store, lab.job("dataset=esol", "method=l2_sp", "method.weight=0.1", "seed=1", *SHORT)[0], "killed")
    before = {record.key for record in lab.store.load()}

    shown = cli("tables", "--no-figures")
    page = (lab.results / "tables" / "leaderboard.md").read_text(encoding="utf-8")
    for text in ("(2) | 1/2 | -- |\n", "| Full FT | 1/2 | -- | -- |\n", "| L²-SP | failed | -- | -- |\n"):
        assert text in page
    assert ": L²-SP on esol (seed 1): killed.\n" in page
    commands = commands_in(page)
    assert commands == commands_in(shown.out)
    for _, *words in commands:
        ended = cli(*words, "run.threads=1")
        assert (ended.code, " of them before" in ended.out) == (0, False), ended

    wanted = {(method, dataset, seed) for method in ("lp", "full_ft", "l2_sp") for dataset in ("esol", "freesolv")
              for seed in (0, 1)}  # fmt: skip
    assert jobs(lab) == wanted | there
    assert before < {record.key for record in lab.store.load()}
    assert len(lab.store.load()) == len(wanted | there)
    rows = json.loads(cli("tables", "--json", "--no-figures").out)
    assert {row["status"] for row in rows} == {"complete"}
    assert commands_in((lab.results / "tables" / "leaderboard.md").read_text(encoding="utf-8")) == []


@pytest.fixture
def several(lab: Lab) -> Lab:
    """Jobs of three methods, one of them searched, on two data sets, two label ratios; a failed one."""
    for dataset in ("esol", "freesolv"):
        for method in ("lp", "full_ft"):
            for seed in (0, 1):
                lab.done(f"dataset={dataset}", f"method={method}", f"seed={seed}", *SHORT)
    lab.done("dataset=esol", "method=lp", "label_ratio=n100", *SHORT)
    lab.done("dataset=esol", "method=wise_ft", "method.search=true", "method.grid.alpha=[0.1,1.0]", *SHORT)
    put_failure(lab.store, lab.job("dataset=freesolv", "method=wise_ft", *SHORT)[0], "killed, twice")
    return lab


@pytest.fixture
def scores_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables without what scores.csv does not hold: predictions and their figures."""
    monkeypatch.setattr("roftbench.cli.tables.FEW", 0)
    monkeypatch.setattr("roftbench.report.predictions.pictures.FEW", 0)


def files(folder: Path) -> dict[str, bytes]:
    """The files of a folder, without the comparison over molecules, whose predictions only records have."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    comparison = found.get("comparison.md", b"").decode()
    own = re.sub(rf"\n{re.escape(TITLE)}\n.*?(?=\n## )", "", comparison, flags=re.DOTALL)
    return {**found, "comparison.md": own.encode()} if comparison else found


@pytest.mark.usefixtures("scores_only")
def test_scores_in_the_place_of_records_give_the_same_files(cli: Command, several: Lab, tmp_path: Path) -> None:
    words = ("select=test", "metric=mae")
    shown = cli("tables", *words, "--out", str(tmp_path / "first"))
    assert shown.code == 0, shown
    made = files(tmp_path / "first")
    assert {"leaderboard.md", "leaderboard.csv", "leaderboard.tex", "comparison.md", "comparison.csv", "scores.csv",
            "settings.json", "curves_tiny_gin_scaffold.svg"} < made.keys()  # fmt: skip
    for folder in ("runs", "failures"):
        (several.results / folder).rename(tmp_path / folder)
    source = str(tmp_path / "first" / "scores.csv")
    assert "113 test molecules" in (tmp_path / "first" / "comparison.md").read_text(encoding="utf-8")
    again = cli("tables", "--from", source, *words, "--out", str(tmp_path / "second"))
    assert "113 test molecules" not in (tmp_path / "second" / "comparison.md").read_text(encoding="utf-8")
    assert files(tmp_path / "second") == made
    assert again.out == shown.out.replace(str(tmp_path / "first"), str(tmp_path / "second"))

    for name in ("leaderboard.md", "comparison.md"):
        assert b"Scores by MAE; made by `roftbench tables metric=mae select=test`." in made[name]
    assert b"\n## Provenance\n" in made["comparison.md"]
    assert "Scores by MAE; made by `roftbench tables metric=mae select=test`. protocol " in shown.out

    for word in ("method=lp", "metric=mae", "group=model", "pool=split_seed", "select=test"):
        cli("tables", "--from", source, word).refused(f"--from with {word}: ", "would be replaced", "--out DIR")
    assert files(tmp_path / "first") == made
    beside = ("--out", str(tmp_path / "first"))  # the scores stay whole
    some = cli("tables", "--from", source, "method=lp", "--no-figures", *beside)
    assert (some.code, "5 records; written to " in some.out) == (0, True)
    now = files(tmp_path / "first")
    assert now["scores.csv"] == made["scores.csv"]
    assert b"own metric (RMSE); made by `roftbench tables method=lp`." in now["leaderboard.md"]


@pytest.mark.usefixtures("scores_only")
@pytest.mark.whole
def test_scores_of_several_machines_make_the_tables_of_all_records(cli: Command, several: Lab, tmp_path: Path) -> None:
    cli("tables", "--out", str(tmp_path / "all"))
    for dataset in ("esol", "freesolv"):
        cli("tables", f"dataset={dataset}", "--no-figures", "--out", str(tmp_path / dataset))
    sources = [str(tmp_path / name / "scores.csv") for name in ("esol", "freesolv")]
    both = ("tables", "--from", sources[0], "--from", sources[1])
    before = cli.files()
    cli(*both).refused("--from is given several times", "--out DIR")
    cli(*both, "dataset=esol", "--out", str(tmp_path / "freesolv")).refused(
        "scores.csv would lose", "give another --out"
    )
    assert cli.files() == before
    joined = cli(*both, "--out", str(tmp_path / "freesolv"))  # grows by what the other has
    assert (joined.code, joined.err) == (0, ""), joined
    assert files(tmp_path / "freesolv") == files(tmp_path / "all")


def test_filters_choose_and_refuse(cli: Command, several: Lab) -> None:
    rows = json.loads(cli("tables", "--json", "--no-figures", "dataset=esol", "label_ratio=n50", "seed=1").out)
    assert [(row["method"], row["dataset"], row["label_ratio"], row["n"]) for row in rows] == [
        ("full_ft", "esol", "n50", 1),
        ("lp", "esol", "n50", 1),
    ]
    before = cli.files()
    cli("tables", "dataset=esoll").refused("no record has dataset=esoll", "Did you mean 'esol'?", "freesolv")
    cli("tables", "metod=lp").refused("unknown key 'metod'", "Did you mean 'method'?")
    cli("tables", "dataset=freesolv", "label_ratio=n100").refused(
        "no finished jobs of dataset=freesolv label_ratio=n100"
    )
    for word in ("select=test", "reference=lp", "delta=0.1", "group=model"):
        cli("tables", "--by", "model", word).refused(f"--by model cannot be combined with {word}")
    cli("tables", "reference=roftmol2").refused("no record has method=roftmol2", "full_ft, lp")
    cli("tables", "delta=less").refused("delta=less", "delta=rmse:0.1")
    cli("report", "delta=less").refused("delta=less")
    cli("report", "metric=mae").refused("unknown key 'metric'")
    cli("tables", "--from", "nothing.csv").refused("--from nothing.csv", "No such file")
    assert cli.files() == before


def test_results_of_another_folder_are_named_in_the_commands_on_the_terminal_only(cli: Command, several: Lab) -> None:
    word = f"paths.results={several.results}"
    shown = cli("tables", word, "--no-figures")
    assert commands_in(shown.out)
    assert all(words[-1] == word for words in commands_in(shown.out))
    assert str(several.results) not in (several.results / "tables" / "leaderboard.md").read_text(encoding="utf-8")


def test_models_have_tables_with_the_same_filters(cli: Command, several: Lab) -> None:
    shown = cli("tables", "--by", "model", "method=lp", "dataset=esol")
    assert "## LP · scaffold split" in shown.out
    assert "Full FT" not in shown.out
    made_by = "made by `roftbench tables --by model method=lp dataset=esol`."
    assert f"{made_by} protocol " in shown.out
    page = (several.results / "tables" / "models.md").read_text(encoding="utf-8")
    assert page.count(made_by) == 2
    assert "\n## Provenance\n" in page
    names = {"models.md", "models.csv", "scores.csv", "settings.json", "predictions.parquet"}
    assert set(files(several.results / "tables")) == names


def test_the_layout_of_a_paper_is_one_file_that_latex_sets(cli: Command, several: Lab, tmp_path: Path) -> None:
    shown = cli("tables", "--layout", "paper", "--decimals", "2", "--out", str(tmp_path / "paper"))
    assert shown.code == 0, shown
    assert "\\input{paper.tex}" in shown.out
    assert set(files(tmp_path / "paper")) == {"paper.tex", "scores.csv", "settings.json"}
    text = (tmp_path / "paper" / "paper.tex").read_text(encoding="utf-8")
    assert "\\multicolumn{2}{c}{ESOL} & \\multicolumn{1}{c}{FreeSolv}" in text
    assert complaints(compiled(tmp_path / "paper")) == []


def test_the_layout_of_a_paper_refuses_what_it_cannot_show(cli: Command, several: Lab) -> None:
    before = cli.files()
    paper = ("tables", "--layout", "paper")
    for words in (("--json",), ("--by", "model"), ("select=test",), ("delta=0.1",), ("--figures",), ("--predictions",)):
        cli(*paper, *words).refused("--layout paper cannot be combined with")
    cli(*paper, "group=model,split").refused("keep split and label_ratio in group=")
    cli(*paper, "--decimals", "9").refused("--decimals must be ≥ 0 and ≤ 6")
    cli("tables", "--percent").refused("--decimals and --percent belong to --layout paper")
    cli("tables", "--by", "model", "metric=all").refused("metric=all")
    cli("tables", "--by", "model", "--figures").refused("--by model cannot be combined with --figures")
    assert cli.files() == before


def test_all_metrics_of_real_jobs_are_shown_and_the_own_one_is_compared(cli: Command, several: Lab) -> None:
    shown = cli("tables", "metric=all", "label_ratio=n50", "--no-figures")
    assert (shown.code, shown.err) == (0, "")
    titles = [line.rpartition(" · ")[2] for line in shown.out.splitlines() if " training · " in line]
    assert titles == ["RMSE ↓", "MAE ↓", "R² ↑", "Spearman ↑", "Pearson ↑", "Kendall ↑"]
    assert "Assay noise" in shown.out
    comparison = (several.results / "tables" / "comparison.md").read_text(encoding="utf-8")
    assert "comparisons by each data set's own (RMSE)" in comparison
    assert "Kendall" not in comparison


def test_own_method_has_the_title_of_its_config(
    cli: Command, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")  # what the command sets ends with the test
    own = tmp_path / "own" / "method" / "my_lp.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("name: my_lp\n_target_: roftbench.methods.lp.LinearProbing\nhead: adam\ntitle: My LP\norder: 0\n")
    folder = str(own.parents[1])
    lab.done("method=full_ft", *SHORT)
    ended = cli("run", f"--config-dir={folder}", "method=my_lp", "dataset=esol", "run.threads=1", *SHORT)
    assert ended.code == 0, ended
    for options, names in (((), {"Full FT", "my_lp"}), (("--config-dir", folder), {"My LP", "Full FT"})):
        cli("tables", "--no-figures", *options)
        page = (lab.results / "tables" / "leaderboard.md").read_text(encoding="utf-8")
        assert {*re.findall(r"^\| (My LP|my_lp|Full FT) \|", page, re.MULTILINE)} == names
    ended = cli("tables", "--no-figures", "--config-dir", str(tmp_path / "none"))
    assert (ended.code, "--config-dir" in ended.err, VARIABLE in ended.err) == (2, True, False)
