"""`roftbench advise` as it is called."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import Command, Ended
from golden import LONG, Golden
from lab import write_csv
from rdkit import Chem

import roftbench
from roftbench.cli import splits
from roftbench.methods.random_forest import RandomForest

SMALL = (
    "dataset=esol", "split=random", "train=smoke", "label_ratio.count=40", "label_ratio.val_budget=strict",
    "advise.features=ecfp", "advise.estimators=random_forest", "advise.models=tiny_gin", "advise.methods=lp,full_ft",
    "advise.folds=3", "advise.members=2", "advise.budget=12jobs",
    "run.device=cpu", "run.threads=1",
)  # fmt: skip
# Of a table of one's own: its molecules, and the settings that are not ESOL's.
SMILES = ["C" * length + end for length in range(1, 16) for end in ("O", "N", "F")]
OWN = tuple(word for word in SMALL if not word.startswith(("dataset", "label_ratio")))


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit forests of 20 trees, whatever the config says: those of 500 would take most of the time."""
    fit = RandomForest.fit

    def fit_a_few(self: RandomForest, *given: Any, **named: Any) -> Any:
        return fit(replace(self, n_estimators=20), *given, **named)

    monkeypatch.setattr(RandomForest, "fit", fit_a_few)


def advise(cli: Command, *more: str) -> tuple[Ended, dict[str, Any]]:
    return advise_with(cli, *SMALL, *more)


def advise_with(cli: Command, *words: str) -> tuple[Ended, dict[str, Any]]:
    ended = cli("advise", *words)
    [path] = (cli.lab.results / "advise").glob("*/advice.json")
    return ended, json.loads(path.read_text(encoding="utf-8"))


def test_a_race_ends_with_a_leaderboard_a_winner_and_reasons_and_goes_on_where_it_was(cli: Command) -> None:
    ended, advice = advise(cli)
    assert ended.code == 0, ended
    records = {record.key: record for record in cli.lab.store.load()}
    best, *others = advice["candidates"]
    assert {one["model"] for one in others} | {best["model"]} == {"tiny_gin", "ecfp"}
    for one in advice["candidates"]:
        assert [records[key].scores.test["rmse"] for key in one["jobs"]] == one["scores"]
    whole = [one["mean"] for one in advice["candidates"] if len(one["scores"]) >= 3]
    assert whole == sorted(whole)
    # The winner with two seeds, and each baseline, on the parts that the command line names.
    outer = [key for one in advice["candidates"] for key in one["test_jobs"]]
    assert {records[key].job["split"]["name"] for key in outer} == {"random"}
    seeds = 1 if "random_forest" in best["method"] else 2  # an estimator hardly depends on its seed
    assert len(best["test_jobs"]) == seeds
    assert ended.out.count("fold 1 ") == 3
    markdown = next((cli.lab.results / "advise").glob("*/advice.md")).read_text(encoding="utf-8")
    assert all(reason in markdown for reason in advice["reasons"])
    # What is kept predicts, with intervals from the folds' errors.
    models = roftbench.load(*advice["models"])
    said = models.predict(["CCO", "no molecule"])
    assert said["measured log solubility in mols per litre_predicted"].notna().tolist() == [True, False]
    assert len(advice["models"]) == seeds
    assert [one.folder for one in roftbench.load("esol").saved] == [Path(folder) for folder in advice["models"]]
    [written] = (cli.lab.results / "advise").glob("*/advice.json")
    kept = written.read_bytes()
    assert cli("advise", *SMALL, "advise.members=1", "seed=3", "advise.budget=6jobs").code == 0
    assert written.read_bytes() == kept  # another race has another folder
    others = set((cli.lab.results / "advise").glob("*/advice.json")) - {written}
    assert len(others) == 1
    others.pop().unlink()
    before = {path: path.stat().st_mtime_ns for path in (cli.lab.results / "runs").glob("*.json")}
    _, repeated = advise(cli)
    assert repeated["candidates"][0]["jobs"][: len(best["jobs"])] == best["jobs"]
    after = {path: path.stat().st_mtime_ns for path in (cli.lab.results / "runs").glob("*.json")}
    assert {path: after[path] for path in before} == before


def test_the_command_that_it_ends_with_finds_the_winner_done(cli: Command) -> None:
    _, advice = advise(cli)
    words = shlex.split(advice["commands"][0])
    assert words[0] == "roftbench"
    repeated = cli(*words[1:])
    assert (repeated.code, "already done" in repeated.out) == (0, True)


def test_a_table_of_ones_own_is_guessed_and_json_is_all_that_is_printed(cli: Command, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "my.csv", {"smiles": SMILES, "y": [len(one) * 0.5 for one in SMILES]})
    ended = cli("advise", "--json", *OWN, "dataset=csv", f"dataset.path={path}", "advise.by=random")
    assert ended.code == 0, ended
    advice = json.loads(ended.out)
    assert advice["metric"] == "rmse"
    assert advice["labels"] == 45 - 5


def test_the_winner_takes_the_name_that_is_asked_for_and_none_that_another_model_has(cli: Command) -> None:
    assert cli.run("method=lp", "run.keep=esol").code == 0
    assert advise(cli)[1]["name"] == "esol-2"
    before = cli.files()
    cli("advise", *SMALL, "advise.keep=esol").refused("advise.keep=esol is the name of another model")
    cli("advise", *SMALL, "advise.keep=a/b").refused("advise.keep=a/b is no name")
    cli("advise", *SMALL, "advise.keep=minimol").refused("is the name of a pretrained model")
    cli("advise", *SMALL, "run.keep=mine").refused("advise.keep=mine")
    assert cli.files() == before
    assert advise(cli, "advise.keep=esol", "run.overwrite=true")[1]["name"] == "esol"
    last = advise(cli, "advise.keep=esol")[1]
    assert last["name"] == "esol"  # its own name stays its own
    assert len(roftbench.load("esol").saved) == len(roftbench.load("esol-2").saved) == len(last["models"])


def test_mistakes_are_told_before_any_job(cli: Command, golden: Golden) -> None:
    words = ("advise.methods=lpp", "advise.budget=soon", "model=scratch", "label_ratio.count=8", "advise.budget=.5jobs")
    messages = []
    for ended in (*(cli("advise", *SMALL, word) for word in words), cli("advise", "train=smoke")):
        ended.refused()
        messages.append(LONG.sub("Allowed: …", ended.err))
    golden("refusals_advise.txt", "".join(messages))
    assert cli.files() == []


def test_a_blend_that_wins_is_judged_kept_and_said_part_by_part(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roftbench.advise.ensembling.standard_error", lambda *_: 100.0)  # any part is welcome
    ended, advice = advise(cli, "advise.budget=20jobs")
    assert ended.code == 0, ended
    best = advice["candidates"][0]
    assert " + " in best["model"]
    parts = list(zip(best["model"].split(" + "), best["method"].split(" + "), strict=True))
    assert len(parts) > 1
    for command, (model, method) in zip(advice["commands"], parts, strict=True):
        assert f"model={model} method={method} dataset=esol" in command
    seeds = 1 if "random_forest" in best["method"] else 2
    assert len(best["test"]) == seeds
    assert len(best["test_jobs"]) == len(advice["models"]) == seeds * len(parts)
    models = roftbench.load(*advice["models"])
    found = models.test
    rmse = float(((found.y - found.prediction) ** 2).mean() ** 0.5)
    assert f" {rmse:.3f}" in ended.out
    assert advice["test"] == pytest.approx(rmse)
    assert advice["run_to_its_end"]  # all were judged on all folds
    for one in advice["candidates"]:
        assert set(one["folds"][:3]) == {1, 2, 3}


@pytest.mark.parametrize("tasks", [1, 2])
def test_classes_are_advised_on_to_the_end(cli: Command, tmp_path: Path, tasks: int) -> None:
    columns = {f"y{task}": [(number + task) % 3 % 2 for number in range(len(SMILES))] for task in range(tasks)}
    path = write_csv(tmp_path / "my.csv", {"smiles": SMILES, **columns})
    ended, advice = advise_with(cli, *OWN, "dataset=csv", f"dataset.path={path}", "advise.by=random")
    assert ended.code == 0, ended
    assert advice["metric"] == "roc_auc"
    said = roftbench.load(*advice["models"]).predict(["CCO"])
    assert [f"y{task}_probability" in said for task in range(tasks)] == [True] * tasks


def test_folds_that_lack_a_class_count_for_nobody(cli: Command, tmp_path: Path) -> None:
    """Three of 45 are of the rarer class: on most folds there is no ROC-AUC to be had."""
    path = write_csv(tmp_path / "my.csv", {"smiles": SMILES, "y": [int(n in (4, 20, 31)) for n in range(len(SMILES))]})
    words = [word for word in OWN if not word.startswith("advise.budget")]
    ended = cli("advise", *words, "advise.budget=40jobs", "advise.by=random", "advise.folds=5",
                "dataset=csv", f"dataset.path={path}")  # fmt: skip
    assert ended.code == 0, ended
    [path] = (cli.lab.results / "advise").glob("*/advice.json")
    scores = [one["scores"] for one in json.loads(path.read_text(encoding="utf-8"))["candidates"]]
    assert any(score is not None for score in scores[0])
    assert None in scores[0]


def test_a_metric_that_is_defined_on_no_fold_is_told_before_the_test_part_is_used(cli: Command, tmp_path: Path) -> None:
    rows = 3 * 15
    varied = [0.5 * row for row in range(rows)]
    one = splits.rows([*own(tmp_path, varied), "split=random", f"paths.cache={cli.lab.cache}"], None)["test"][0]
    ended = cli("advise", *OWN, *own(tmp_path, [int(row == one) for row in range(rows)]), "dataset.task=classification",
                "advise.by=random")  # fmt: skip
    ended.refused("roc_auc is defined on no fold", "now 3")
    assert not any(one.job["split"]["name"] == "random" for one in cli.lab.store.load())


def own(folder: Path, labels: Sequence[float]) -> list[str]:
    """Return the settings of a table of one's own with these labels."""
    path = write_csv(folder / "own.csv", {"smiles": SMILES, "y": labels})
    return ["dataset=csv", f"dataset.path={path}", "dataset.targets=[y]"]


def test_no_claim_is_made_of_networks_that_were_not_judged_and_what_is_open_comes_first(
    cli: Command, golden: Golden
) -> None:
    """A budget for the forest alone."""
    ended = cli("advise", *SMALL[:-3], "advise.budget=4jobs", *SMALL[-2:], "advise.members=1")
    assert ended.code == 0, ended
    [path] = (cli.lab.results / "advise").glob("*/advice.json")
    advice = json.loads(path.read_text(encoding="utf-8"))
    golden("advice_open.txt", "\n".join(advice["reasons"]), trained=True)
    assert (advice["decided"], advice["run_to_its_end"]) == (False, False)
    # The budget that it names last is enough.
    jobs = re.search(r".*\b(\d+) jobs", advice["reasons"][0])
    assert jobs is not None
    again = cli("advise", *SMALL[:-3], f"advise.budget={jobs[1]}jobs", *SMALL[-2:], "advise.members=1")
    assert again.code == 0
    assert json.loads(path.read_text(encoding="utf-8"))["run_to_its_end"]


def test_a_budget_for_nothing_says_what_would_be_enough(cli: Command) -> None:
    cli("advise", *SMALL, "advise.budget=1jobs").refused(
        "advise.budget=1jobs is too small", "about", "jobs all of them"
    )
    assert list((cli.lab.results / "runs").glob("*.json")) == []


def test_the_test_figure_comes_first_and_the_mean_of_the_best_is_called_optimistic(cli: Command) -> None:
    ended, advice = advise(cli)
    [choice] = [line for line in advice["reasons"] if line.startswith("Use ")]
    best = advice["candidates"][0]
    assert choice.index(f" {advice['test']:.3f}") < choice.index(f" {best['mean']:.3f}")
    mean = advice["baseline"]
    assert mean["name"] == "training mean"
    assert len(mean["scores"]) == len(advice["candidates"][0]["scores"])
    assert "training mean" in ended.out


def test_replicates_are_told_kept_apart_and_can_be_merged(cli: Command, shared: Path) -> None:
    """Each molecule three times: 7 of the 9 test molecules of the random split are labeled, too."""
    words = [*OWN, "dataset=csv", f"dataset.path={shared / 'cases' / '06_replicates.csv'}"]
    ended, advice = advise_with(cli, *words)
    assert ended.code == 0, ended
    told = "7 of 9 test molecules also occur in train (same canonical SMILES)"
    [markdown] = (cli.lab.results / "advise").glob("*/advice.md")
    assert all(told in text for text in (ended.out, markdown.read_text(encoding="utf-8"), *advice["warnings"][1:2]))
    table = (shared / "cases" / "06_replicates.csv").read_text(encoding="utf-8").splitlines()[1:]
    smiles = [Chem.CanonSmiles(line.partition(",")[0]) for line in table]
    records = {record.key: record for record in cli.lab.store.load()}
    [parts] = (cli.lab.results / "advise").glob("*/parts.json")
    outer = {name: {smiles[row] for row in rows} for name, rows in json.loads(parts.read_text()).items()}
    assert not outer["test"] & (outer["train"] | outer["val"])
    for key in advice["candidates"][0]["test_jobs"]:
        assert {smiles[row] for row in records[key].test_predictions.row} == outer["test"]
    repeated = cli(*shlex.split(advice["commands"][0])[1:])
    assert (repeated.code, "already done" in repeated.out) == (0, True)
    merged = cli("advise", "--json", *words, "dataset.duplicates=merge", "advise.by=random")
    assert merged.code == 0, merged
    found = json.loads(merged.out)
    assert (found["labels"], found["warnings"]) == (27, [])
    repeated = cli(*shlex.split(found["commands"][0])[1:])
    assert (repeated.code, "already done" in repeated.out) == (0, True)


def test_the_bar_names_candidate_fold_and_what_was_used(cli: Command) -> None:
    words = (*SMALL, "advise.methods=lp", "advise.budget=8jobs", "advise.members=1")
    ended, text = cli.on_terminal("advise", *words, width=120)
    assert ended.code == 0, ended
    assert "tiny_gin · lp · fold 1 · 3 of 8 jobs used · lp" in text


def test_a_model_that_cannot_be_loaded_stops_nobody_else(cli: Command) -> None:
    ended, advice = advise(cli, "advise.models=tiny_gin,gat_contextpred", "advise.methods=lp,bss",
                            "advise.budget=14jobs", "paths.offline=true")  # fmt: skip
    assert ended.code == 0, ended
    assert ended.out.count("roftbench fetch model=gat_contextpred") == 1
    assert advice["candidates"][-1]["failure"]
    assert advice["run_to_its_end"]
    assert any("gat_contextpred · lp, gat_contextpred · bss" in line for line in advice["reasons"])


def test_a_budget_of_jobs_is_kept(cli: Command) -> None:
    advise(cli, "advise.budget=12jobs")
    assert len(list((cli.lab.results / "runs").glob("*.json"))) <= 12


def test_the_printed_command_repeats_a_searched_winner_of_a_file_with_blanks(cli: Command, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "my data (2).csv", {"smiles": SMILES, "y": [len(one) * 0.5 for one in SMILES]})
    more = ("dataset=csv", f"dataset.path='{path}'", "advise.by=random", "advise.search=true")
    ended, advice = advise_with(cli, *OWN, *more, "run.overwrite=true")
    assert ended.code == 0, ended
    assert "run.overwrite" not in " ".join([*advice["commands"], *advice["production"]])
    repeated = cli(*shlex.split(advice["commands"][0])[1:])
    assert (repeated.code, "already done" in repeated.out) == (0, True)
    words = shlex.split(advice["production"][0])
    assert {"split=cv5x5", "split.by=random"} < set(words)
    refitted = cli(*words[1:], "split.repeats=1")
    assert refitted.code == 0, refitted
    assert roftbench.load(f"{advice['name']}-all").refitted


def test_folders_that_cannot_be_had_are_told(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    cli("advise", *SMALL, f"paths.cache={tmp_path / 'file'}").refused("Set paths.results and paths.cache to folders")
    cli("plan", "dataset=esol", f"paths.cache={tmp_path / 'file'}").refused("paths.results and paths.cache to folders")


def test_the_page_holds_data_board_predictions_curve_and_what_to_measure_next(cli: Command, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "my.csv", {"smiles": SMILES, "y": [len(one) * 0.5 for one in SMILES]})
    pool = write_csv(tmp_path / "more.csv", {"id": [1, 2, 3], "smiles": ["c1ccccc1O", "CC(=O)OC", SMILES[0]]})
    words = [word for word in OWN if not word.startswith(("advise.budget", "advise.estimators"))]
    words += ["advise.budget=50jobs", "advise.estimators=gp,ridge", "dataset=csv", f"dataset.path={path}"]
    ended, advice = advise_with(cli, *words, "advise.methods=lp", "advise.by=random", f"advise.pool={pool}")
    assert ended.code == 0, ended
    [page] = (cli.lab.results / "advise").glob("*/advice.html")
    html, markdown = page.read_text(encoding="utf-8"), page.with_suffix(".md").read_text(encoding="utf-8")
    titles = ["Data", "Leaderboard", "Recommendation", "Predictions", "More labels", "What to measure next", "Commands"]
    assert re.findall(r"^## (.*)", markdown, re.MULTILINE) == titles
    assert re.findall(r"<h2 [^>]*>(.*)</h2>", html) == titles
    assert html.count("<img ") == 3  # predicted against measured, error against similarity, learning curve
    assert all((page.parent / name).is_file() for name in re.findall(r"\]\((.*\.svg)\)", markdown))
    assert [subject for _, subject, _ in advice["quality"]] == ["molecules", "replicates", "leaks", "labels", "range"]
    curve = advice["learning_curve"]
    assert curve["molecules"] == sorted(curve["molecules"])
    assert len(curve["molecules"]) == 5
    assert f"{curve['more_labels']} more labels" in ended.out
    assert f" {curve['change'][0]:+.2g} rmse" in ended.out
    chosen = (page.parent / "next.csv").read_text(encoding="utf-8").splitlines()
    assert chosen[0].startswith("rank,why,uncertainty,similarity,y_predicted,")
    assert {line.split(",")[-2] for line in chosen[1:]} == {"1", "2"}
