"""Models by name: run.keep=NAME, list kept, predict and embed model=NAME, roftbench.load(NAME)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import Command
from refusals import raises_usage

import roftbench
from roftbench.store.names import Names

RIDGE = ("model=ecfp", "method=ridge")
LP = ("method=lp",)


def test_a_named_model_is_listed_predicts_and_embeds(cli: Command, tmp_path: Path) -> None:
    ended = cli.run(*LP, "run.keep=first")
    assert ended.code == 0, ended
    [key] = (path.name for path in (cli.lab.results / "models").iterdir())
    (tmp_path / "in.csv").write_text("smiles\nCCO\n")
    given = (f"input={tmp_path / 'in.csv'}", "device=cpu")
    for output, model in (("a.csv", "model=first"), ("b.csv", f"model_dir={cli.lab.results / 'models' / key}")):
        assert cli("predict", model, *given, f"output={output}").code == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert cli("embed", "model=first", *given, "output=z.npz").code == 0
    z = np.load("z.npz")["embedding"]
    assert roftbench.embed(["CCO"], model="first", device="cpu") == pytest.approx(z)
    frame = roftbench.load("first", device="cpu").predict(["CCO"])
    assert roftbench.load("first", device="cpu", results=cli.lab.results).predict(["CCO"]).equals(frame)
    details = cli("list", "kept", "first").out
    assert f"models/{key}" in details
    assert "tiny_gin · lp" in details


def test_a_list_fits_100_characters_is_filtered_and_counts_what_has_no_name(cli: Command) -> None:
    cli.run(*LP, "run.keep=the-longest-name-that-is-allowed")
    cli.run(*RIDGE, "dataset=bbbp", "run.keep=barrier")
    cli.run(*RIDGE, "run.keep=true")
    ended = cli("list", "kept")
    assert ended.code == 0, ended
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split()[0] == "name"
    assert [line.split()[0] for line in lines[1:3]] == ["barrier", "the-longest-name-that-is-allowed"]
    assert "bbbp" in lines[1]
    assert "roc_auc 0." in lines[1]
    assert lines[3].startswith("1 more ")
    assert [line.split()[0] for line in cli("list", "kept", "dataset=bbbp").out.splitlines()] == ["name", "barrier"]
    [row] = json.loads(cli("list", "kept", "--json", "method=ridge").out)
    assert (row["name"], row["status"], row["task"]) == ("barrier", "whole", "classification")
    assert row["score"] == pytest.approx(next(
        one.scores.test["roc_auc"] for one in cli.lab.store.load() if one.name("dataset") == "bbbp"
    ))  # fmt: skip
    assert row["size"] == sum(path.stat().st_size for path in cli.lab.store.model_path(row["keys"][0]).iterdir())
    cli("list", "kept", "seed=1").refused("list kept cannot filter by 'seed=1'")
    cli("list", "kept", "barier").refused("Did you mean 'barrier'")


def test_a_model_that_is_gone_or_damaged_is_listed_as_such(cli: Command) -> None:
    cli.run(*LP, "run.keep=gone")
    cli.run(*RIDGE, "run.keep=damaged")
    names = Names(cli.lab.store)
    shutil.rmtree(names.folders("gone")[0])
    (names.folders("damaged")[0] / "model.json").write_text("{}")
    lines = cli("list", "kept").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["damaged", "damaged"], ["gone", "no"]]
    given = ("input=in.csv", "output=out.csv")
    cli("predict", "model=gone", *given).refused("no longer there")
    assert not Path("out.csv").exists()


def test_names_are_checked_before_any_job(cli: Command) -> None:
    cli.run(*LP, "run.keep=a/b").refused("run.keep=a/b is no name")
    cli.run(*LP, "run.keep=gin_masking").refused("is the name of a pretrained model")
    cli.run("-m", "method=lp,full_ft", "run.keep=x").refused("names one model", "2 configurations")
    assert cli.files() == []
    assert cli.run(*LP, "run.keep=x").code == 0
    before = cli.files()
    cli.run(*LP, "run.keep=x", "dataset=bbbp").refused("is the name of another model", "run.overwrite=true")
    cli("plan", *LP, "run.keep=x", "dataset=bbbp", "label_ratio=n50").refused("is the name of another model")
    assert cli.files() == before
    assert cli.run(*RIDGE, "run.keep=x", "run.overwrite=true").code == 0
    assert len(list((cli.lab.results / "models").iterdir())) == 2
    assert json.loads(cli("list", "kept", "--json").out)[0]["parts"]["model"] == "ecfp"


def test_a_name_is_given_to_a_model_that_is_saved_already_and_to_seeds_together(cli: Command) -> None:
    cli.run(*LP, "run.keep=true")
    again = cli.run(*LP, "run.keep=x")
    assert "already done" in again.out
    cli.run("-m", *LP, "seed=0,1", "run.keep=both")
    assert len(roftbench.load("both", device="cpu").saved) == 2
    [row] = [one for one in json.loads(cli("list", "kept", "--json").out) if one["name"] == "both"]
    assert len(row["keys"]) == 2
    assert ", test, each of 2 alone " in cli("list", "kept").out


def test_a_cross_validation_gives_its_name_to_the_model_of_all_labels(cli: Command) -> None:
    given = ("split=cv", "split.folds=3", "label_ratio=full", "run.keep=production")
    cli.run(*RIDGE, *given, "split.fold=0").refused("run.keep=production needs the scores of every fold", "Add -m")
    ended = cli.run("-m", *RIDGE, *given)
    assert ended.code == 0, ended
    card = (Names(cli.lab.store).folders("production")[0] / "README.md").read_text(encoding="utf-8")
    scores = [one.scores.test["rmse"] for one in cli.lab.store.load()]
    verdict = f"rmse {np.mean(scores):.3f} ± {np.std(scores):.3f}"
    judged = next(line for line in ended.out.splitlines() if line.strip().startswith("judged"))
    assert verdict in judged
    assert f"{np.mean(scores):.4f} ± {np.std(scores):.4f}" in card
    line = cli("list", "kept").out.splitlines()[1]
    assert f"{verdict}, 3 folds" in line


def test_a_name_of_several_seeds_has_the_score_of_all_their_folds(cli: Command) -> None:
    given = ("split=cv", "split.folds=3", "label_ratio=full", "seed=0,1", "run.keep=both")
    assert cli.run("-m", *LP, *given).code == 0
    scores = [one.scores.test["rmse"] for one in cli.lab.store.load()]
    assert len(set(scores)) == 6
    line = cli("list", "kept").out.splitlines()[1]
    assert f"rmse {np.mean(scores):.3f} ± {np.std(scores):.3f}, 3 folds × 2 seeds" in line
    runs = cli("list", "runs").out.splitlines()
    assert "fold" in runs[0].split()
    assert len({tuple(run.split()[2:-2]) for run in runs}) == 7
    assert {row["fold"] for row in json.loads(cli("list", "runs", "--json").out)} == {0, 1, 2}


def test_commands_and_calls_need_one_known_model(cli: Command, tmp_path: Path) -> None:
    given = ("input=in.csv", "output=out.csv")
    cli("predict", *given).refused("no model is given", "model=NAME")
    cli("predict", "model=a", "model_dir=b", *given).refused("both model and model_dir are given")
    cli("predict", "model=a", *given).refused("no kept model is named 'a'")
    cli.run(*LP, "run.keep=solubility")
    cli("predict", "model=solubilty", *given).refused("Did you mean 'solubility'")
    cli("predict", "model=solubility,", *given).refused("a name is missing between commas")
    cli("embed", "model=solubilty", "input=in.csv", "output=z.npz").refused(
        "unknown model", "Did you mean 'solubility'"
    )
    cli("predict", "model=solubility", f"paths.results={tmp_path}", *given).refused("no kept model is named")
    with raises_usage("neither a kept model", key="model_dirs", got="solubilty"):
        roftbench.load("solubilty")
