"""What run.keep=true leaves behind: for every method, whether the job is new, done, or done long ago."""

import json
import re
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from command import Command
from lab import FOREST, METHODS, Lab, numbers
from refusals import raises_usage

import roftbench
from roftbench.predict.saved_model import read_saved, write_saved
from roftbench.store.checksums import digest
from roftbench.store.record_schema import plain

FILES = ["README.md", "model.json", "molecules.safetensors", "training.csv", "weights.safetensors"]


@pytest.mark.parametrize("method", METHODS)
def test_saved_network_predicts_the_values_of_its_record(lab: Lab, method: str) -> None:
    given = f"method={method}", "train.standardize_targets=true"
    record = lab.done(*given, "run.keep=true")
    folder = lab.store.model_path(record.key)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    experiment = lab.experiment(*given)
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    found = roftbench.load(folder, device="cpu").predict(smiles)
    expected = [row[0] for row in record.test_predictions.prediction]
    assert found.iloc[:, 1].to_numpy() == pytest.approx(expected, abs=1e-4)
    assert (found["reason"] == "").all()


@pytest.mark.parametrize("more", [("dataset=esol",), ("dataset=bbbp",), ("dataset=esol", "model.counts=true")])
def test_saved_forest_predicts_as_scikit_learn_bit_for_bit(lab: Lab, more: tuple[str, ...]) -> None:
    record = lab.done(*FOREST, *more, "run.keep=true")
    kept = read_saved(lab.store.model_path(record.key))
    model = roftbench.load(kept.folder)
    job, env = lab.job(*FOREST, *more)
    from roftbench.runner.estimators import EstimatorExperiment

    experiment = EstimatorExperiment.load(job, env)
    experiment.work()
    from roftbench.predict.featurize import featurized

    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    found = model.members[0].predict(featurized(smiles, []))
    assert np.array_equal(found, experiment.predict(experiment.chosen, experiment.objective.test))


def test_a_job_that_is_done_is_worked_again_for_its_model_and_keeps_its_record(lab: Lab) -> None:
    record = lab.done("method=roftmol")
    outcome = lab.run("method=roftmol", "run.keep=true")
    assert outcome.cached
    assert outcome.record == record
    folder = lab.store.model_path(record.key)
    first = read_saved(folder)
    assert first.facts["scores"] == plain(record.scores)
    shutil.rmtree(folder)
    for path in lab.stages():
        path.unlink()
    lab.run("method=roftmol", "run.keep=true")
    second = read_saved(folder)
    assert first.weights.keys() == second.weights.keys()
    assert all(torch.equal(tensor, second.weights[name]) for name, tensor in first.weights.items())
    assert lab.done("method=roftmol") == record


def test_keeping_changes_neither_key_nor_numbers(lab: Lab) -> None:
    kept = lab.done("method=l2_sp", "run.keep=true")
    plain = lab.elsewhere("plain").done("method=l2_sp")
    assert numbers(kept) == numbers(plain)


def test_the_card_says_what_the_intervals_rest_on(lab: Lab) -> None:
    learned = lab.store.model_path(lab.done("method=roftmol", "run.keep=true").key)
    forest = lab.store.model_path(lab.done(*FOREST, "dataset=bbbp", "run.keep=true").key)
    card = (learned / "README.md").read_text(encoding="utf-8")
    other = (forest / "README.md").read_text(encoding="utf-8")
    assert "at least 113 labels" in card
    limits = [text.partition("## Intended")[2] for text in (card, other)]
    assert ["coefficients" in text for text in limits] == [True, False]


def test_a_sweep_keeps_the_models_of_jobs_that_are_done(cli: Command) -> None:
    cli.run("-m", "method=lp,full_ft")
    ended = cli.run("-m", "method=lp,full_ft", "run.keep=true")
    assert ended.code == 0, ended
    assert len(list((cli.lab.results / "models").iterdir())) == 2
    assert "2 done, 0 failed before, 0 to run" in cli.run("-m", "method=lp,full_ft", "run.keep=true").out


def test_a_damaged_or_missing_model_is_told_in_one_message(cli: Command) -> None:
    cli.lab.done("method=lp", "run.keep=true")
    [folder] = (cli.lab.results / "models").iterdir()
    (cli.lab.results / "in.csv").write_text("smiles\nCCO\n")
    given = (f"input={cli.lab.results / 'in.csv'}", "output=out.csv")
    cli("predict", "model_dir=nowhere", *given).refused("nowhere", "run.keep=true")
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    cli("predict", f"model_dir={folder}", *given).refused("damaged")
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts["job"]["seed"] = 7
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    cli("predict", f"model_dir={folder}", *given).refused("damaged", "key")
    facts["job"]["seed"], facts["kind"] = 0, "oracle"
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    cli("predict", f"model_dir={folder}", *given).refused("damaged", "its kind is 'oracle'")
    facts["schema"] = 1
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    cli("predict", f"model_dir={folder}", *given).refused("has schema 1", "run.keep=true run.rerun=true")
    cli.lab.done("method=lp", "run.keep=true", "run.rerun=true")
    assert cli("predict", f"model_dir={folder}", *given).code == 0
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_files_of_a_model_belong_together(lab: Lab, tmp_path: Path) -> None:
    """Of two models with the same network, the weights of one in the folder of the other would predict something."""
    for seed in (0, 1):
        lab.done("method=lp", f"seed={seed}", "run.keep=true")
    one, other = sorted((lab.results / "models").iterdir())
    for name in ("weights.safetensors", "molecules.safetensors", "model.json"):
        mixed = tmp_path / name
        shutil.copytree(one, mixed)
        shutil.copy(other / name, mixed / name)
        with raises_usage("do not belong together", key="model_dir", got=str(mixed)):
            read_saved(mixed)
    edited = tmp_path / "edited"
    shutil.copytree(one, edited)
    text = (one / "model.json").read_text(encoding="utf-8")
    (edited / "model.json").write_text(text.replace('"coverage": 0.9', '"coverage": 0.5'), encoding="utf-8")
    with raises_usage("do not belong together", key="model_dir", got=str(edited)):
        read_saved(edited)


@pytest.mark.parametrize("group", ["model", "method"])
@pytest.mark.parametrize("given", [("method=lp",), FOREST])
def test_a_stranger_s_model_calls_nothing_but_models_and_methods(
    lab: Lab, tmp_path: Path, group: str, given: tuple[str, ...]
) -> None:
    """What the description names is built: a function of ours that runs a file would do so for whoever sent it."""
    lab.done(*given, "run.keep=true")
    [folder] = (lab.results / "models").iterdir()
    note, trace = tmp_path / "note.py", tmp_path / "trace"
    note.write_text(f"open({str(trace)!r}, 'w')\n", encoding="utf-8")
    found = read_saved(folder)
    found.facts["job"][group] |= {"target": "roftbench.config.plugins.load_plugin", "params": {"plugin": str(note)}}
    found.facts["key"] = digest(found.facts["job"])
    write_saved(found, "no card")
    if given != FOREST and group == "method":
        roftbench.load(folder)  # a network's method plays no part in its predictions
    else:
        with raises_usage(r"roftbench\.config\.plugins\.load_plugin is no subclass of roftbench\."):
            roftbench.load(folder)
    assert not trace.exists()


def test_a_model_that_finds_no_room_is_a_failure_in_words_and_loses_no_earlier_one(lab: Lab) -> None:
    job = "method=lp", "model.dim=128", "run.keep=true"
    record = lab.done(*job)
    folder = lab.store.model_path(record.key)
    (folder / "notes.txt").write_text("mine")
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, before[1]))  # enough for a record
    try:
        failed = lab.run(*job, "run.rerun=true")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert failed.status == "failed"
    assert re.fullmatch(r"its model cannot be kept: /\S+safetensors: File too large", failed.record.error)
    assert failed.record.traceback is None
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_model_that_is_written_again_keeps_the_users_files(lab: Lab) -> None:
    record = lab.done("method=lp", "run.keep=true")
    folder = lab.store.model_path(record.key)
    (folder / "notes.txt").write_text("mine")
    (folder / "plots").mkdir()
    (folder / "plots" / "a.svg").write_text("mine, too")
    before = (folder / "model.json").stat().st_ino
    lab.done("method=lp", "run.keep=true", "run.rerun=true")
    assert (folder / "model.json").stat().st_ino != before
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "plots" / "a.svg").read_text() == "mine, too"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
