"""run.keep=all: a model on all labels once a configuration has been judged, from the command to its predictions."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import Command, Terminal
from lab import Lab, merged, molecules, write_csv
from refusals import raises_usage
from sklearn.linear_model import Ridge

import roftbench
from roftbench.data.descriptors import fingerprints
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.predict.calibration import calibration_error, cross_calibrated, platt
from roftbench.predict.held_out import from_record, joined
from roftbench.predict.neighbors import packed_bits, surroundings
from roftbench.predict.saved_model import SavedModel, read_saved
from roftbench.runner.run import load_experiment
from roftbench.store.record_schema import Record
from roftbench.sweep.refits import refits_of

ALL = ("split=cv", "split.folds=3", "label_ratio=full", "run.keep=all")
RIDGE = ("model=ecfp", "method=ridge")
KEEP_ALL = "run.keep=all"


def sorted_records(lab: Lab) -> list[Record]:
    return sorted(lab.store.load(), key=lambda one: one.job["split"]["params"]["fold"])


def saved(lab: Lab) -> SavedModel:
    [folder] = (lab.results / "models").iterdir()
    return read_saved(folder)


def test_one_command_judges_a_configuration_and_saves_a_model_of_all_labels(cli: Command) -> None:
    ended = cli.run("-m", *ALL, *RIDGE)
    assert ended.code == 0, ended
    records, model = sorted_records(cli.lab), saved(cli.lab)
    assert f"model_dir={model.folder}" in ended.out
    evaluation = model.facts["evaluation"]
    assert evaluation["jobs"] == [record.key for record in records]
    for name, found in evaluation["scores"].items():
        scores = [record.scores.test[name] for record in records]
        assert found == {
            "folds": 3,
            "mean": pytest.approx(np.mean(scores)),
            "std": pytest.approx(np.std(scores)),
        }
    # Every molecule trains; intervals come from the error of each in the fold that left it out.
    smiles, y = molecules("esol", cli.lab.job()[0], 1128)
    assert model.facts["count"]["labels"]["weights"] == len(model.train) == 1128
    assert sorted(model.val.rows.tolist()) == list(range(1128))
    errors = np.sort(np.concatenate([
        np.abs(np.array(y)[one.test_predictions.row] - np.array(one.test_predictions.prediction)[:, 0])
        for one in records if one.test_predictions
    ]))  # fmt: skip
    assert model.facts["calibration"]["half_width"] == pytest.approx([errors[int(np.ceil(1129 * 0.9)) - 1]])
    assert model.facts["calibration"]["test_coverage"][0] == pytest.approx(0.9, abs=0.03)
    bits = np.unpackbits(fingerprints([parse_smiles(text) for text in smiles]), 1, bitorder="little").astype(float)
    expected = Ridge(model.facts["method"]["penalty"]).fit(bits, y).predict(bits[:20])
    table = roftbench.load(model.folder).predict(smiles[:20])
    assert table.iloc[:, 1].to_numpy() == pytest.approx(expected, abs=1e-6)
    card = (model.folder / "README.md").read_text(encoding="utf-8")
    assert "cross-validation over 3 folds" in card
    assert all(record.key in card for record in records)


def test_folds_are_those_of_a_run_without_it_and_nothing_is_done_twice(cli: Command) -> None:
    cli.run("-m", *ALL[:-1], *RIDGE)
    before = {path.name: path.read_bytes() for path in (cli.lab.results / "runs").glob("*.json")}
    assert "3 done, 0 failed before, 0 to run" in cli.run("-m", *ALL, *RIDGE).out
    assert {path.name: path.read_bytes() for path in (cli.lab.results / "runs").glob("*.json")} == before
    description = saved(cli.lab).folder / "model.json"
    first = description.stat().st_ino
    again = cli.run("-m", *ALL, *RIDGE)
    assert (again.code, description.stat().st_ino) == (0, first)
    assert f"model_dir={description.parent}" in again.out
    cli.run("-m", *ALL, "split.repeats=2", *RIDGE)  # the same model, judged by more folds
    assert len(saved(cli.lab).facts["evaluation"]["jobs"]) == 6
    assert len(saved(cli.lab).val.rows) == 1128
    tables = cli("tables", "--no-figures")
    assert tables.code == 0
    assert "6 records" in tables.out  # the refit has no score, and no record


def test_a_refit_that_fails_is_named_and_the_same_command_makes_it_up(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights.safetensors")

    with monkeypatch.context() as patch:
        patch.setattr("roftbench.sweep.refits.save", full)
        failed = cli.run("-m", *ALL, *RIDGE)
    assert failed.code == 1
    assert "cannot be kept: weights.safetensors: No space left on device" in failed.out
    assert "1 of 1 models could not be fitted" in failed.err
    assert len(cli.lab.store.load()) == 3
    assert cli.lab.store.load_failures() == []
    assert cli.run("-m", *ALL, *RIDGE).code == 0
    assert saved(cli.lab).task == "regression"


@pytest.mark.whole
def test_a_refit_that_is_killed_is_made_up_by_the_same_command(lab: Lab, tmp_path: Path) -> None:
    given = (*ALL, "method=lp_ft", "train.epochs=60")
    [refit] = refits_of((one.job, one.context) for one in lab.plan(*given).jobs)
    terminal, running = Terminal.of(lab, tmp_path), lab.store.running_path(refit.job.key)
    with terminal.killed("run", "-m", *merged(given), when=running.exists):
        pass
    assert len(lab.store.load()) == 3
    assert not lab.store.has_model(refit.job.key)
    again = terminal.run("-m", *given)
    assert again.code == 0, again
    assert "3 done, 0 failed before, 0 to run" in again.out
    assert saved(lab).facts["evaluation"]["jobs"] == [job.key for job in refit.judges]


def test_a_skipped_configuration_has_no_model_and_the_others_have_one(cli: Command) -> None:
    ended = cli.run("-m", *ALL, "model=ecfp", "method=gp,ridge", "+method.max_molecules=50")
    assert ended.code == 2  # ridge has no such key
    ended = cli.run("-m", *ALL, "model=ecfp", "method=gp", "method.max_molecules=50")
    assert ended.code == 0
    assert "gp, all labels of esol: not fitted, as 3 of 3 jobs have no scores" in ended.out
    assert not (cli.lab.results / "models").exists()


def test_a_network_validates_on_the_part_that_it_was_judged_with(cli: Command) -> None:
    given = ("method=roftmol", "split=scaffold", "label_ratio=full")
    record = cli.lab.done(*given)
    ended = cli.run(*given, KEEP_ALL)
    assert ended.code == 0, ended
    model = saved(cli.lab)
    labels = model.facts["count"]["labels"]
    assert (labels["weights"], labels["selection"], labels["interpolation"], labels["test"]) == (1015, 113, 113, 0)
    assert not any("part has no label" in text for text in model.facts["warnings"])
    assert model.facts["evaluation"]["jobs"] == [record.key]
    assert model.facts["evaluation"]["scores"]["rmse"] == {"folds": 1, "mean": record.scores.test["rmse"], "std": None}
    assert record.test_predictions is not None
    assert model.val.rows.tolist() == record.test_predictions.row
    parts = cli.lab.experiment(*given).parts
    assert len(model.train) == len(parts.train) + len(parts.test)
    Path("in.csv").write_text("smiles\nCCO\nC1CC\n")
    predicted = cli("predict", f"model_dir={model.folder}", "input=in.csv", "output=out.csv", "device=cpu")
    assert predicted.code == 0, predicted
    assert "an unknown share of labels in left-out folds" in predicted.out
    assert pd.read_csv("out.csv").iloc[:, 1].notna().tolist() == [True, False]


def test_probabilities_are_calibrated_on_left_out_folds(cli: Command) -> None:
    assert cli.run("-m", *ALL, "model=ecfp", "method=knn", "dataset=bbbp").code == 0
    model, records = saved(cli.lab), sorted_records(cli.lab)
    job, env = cli.lab.job("dataset=bbbp")
    from roftbench.data.dataset import load_dataset

    parts = [from_record(load_dataset(job.dataset, env.cache / "data", env.places), record) for record in records]
    numbers = model.facts["calibration"]
    assert numbers["slope_and_offset"] == platt(joined(parts)).tolist()
    assert numbers["test_error"] == calibration_error(cross_calibrated(parts))
    assert numbers["test_error_before"] == calibration_error(joined(parts))


def test_each_seed_has_a_model_and_they_predict_together(cli: Command) -> None:
    assert cli.run("-m", *ALL, "method=lp", "seed=0,1").code == 0
    folders = sorted((cli.lab.results / "models").iterdir())
    assert len(folders) == 2
    seeds = {read_saved(folder).facts["job"]["seed"] for folder in folders}
    assert seeds == {0, 1}
    table = roftbench.load(*folders, device="cpu").predict(["CCO"])
    assert table.filter(like="_std").iloc[0, 0] > 0
    Path("in.csv").write_text("smiles\nCCO\n")
    files = "input=in.csv", "output=out.csv", "device=cpu"
    predicted = cli("predict", f"model_dir={','.join(map(str, folders))}", *files)
    shares = [read_saved(folder).facts["calibration"]["test_coverage"][0] for folder in folders]
    assert f"held for {100 * np.mean(shares):.0f} % of labels in left-out folds by each model alone" in predicted.out


def test_molecules_in_no_part_are_not_learned_from_and_are_no_neighbors(cli: Command, tmp_path: Path) -> None:
    smiles = ["C" * length + end for length in range(2, 22) for end in ("O", "N", "F")]
    columns = {
        "smiles": smiles,
        "y": [0.1 * len(one) for one in smiles],
        "part": ["train", "test", "", "val", "train", ""] * 10,
    }
    own = f"dataset.path={write_csv(tmp_path / 'own.csv', columns)}", "dataset.split_column=part", "dataset.targets=[y]"
    given = ("dataset=csv", *own, "split=column", "label_ratio=full", *RIDGE)
    ended = cli.run(*given, KEEP_ALL)
    assert ended.code == 0, ended
    model = saved(cli.lab)
    assert len(model.train) == 40
    card = (model.folder / "README.md").read_text(encoding="utf-8")
    for text in (ended.out, card):
        assert "all labeled molecules but 20 that are in no part of the split" in " ".join(text.split())
    experiment = load_experiment(*cli.lab.job(*given))
    train = packed_bits([experiment.dataset.smiles[i] for i in experiment.parts.train])
    test = packed_bits([experiment.dataset.smiles[i] for i in experiment.parts.test])
    assert model.val.similarity is not None
    assert model.val.similarity.tolist() == surroundings(test, train, None).similarity.tolist()


def test_what_cannot_be_kept_is_refused_before_any_job(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.run("-m", *ALL, *RIDGE, "split.fold=0,1").refused("run.keep=all needs the scores of every fold", "-m")
    cli.run(*ALL, *RIDGE, "split.fold=0").refused("every fold", "Add -m")
    cli.run(*ALL, *RIDGE).refused("every fold", "Add -m")
    cli.run("-m", *ALL, *RIDGE, "label_ratio=n50").refused("label_ratio=full")
    cli.run("-m", *ALL, *RIDGE, "run.keep=../x").refused("run.keep=../x is no name for a model")
    from roftbench.methods.linear import LinearEstimator
    from roftbench.models.ecfp import ECFP

    with monkeypatch.context() as patch:
        patch.delattr(LinearEstimator, "arrays")
        cli.run("-m", *ALL, *RIDGE).refused("run.keep: method ridge")
    with monkeypatch.context() as patch:
        patch.delattr(ECFP, "of_smiles")
        cli.run("-m", *ALL, *RIDGE).refused("run.keep: model ecfp")
    assert not (cli.lab.results / "runs").exists()


def test_folds_of_one_repeat_are_enough(lab: Lab) -> None:
    plan = lab.plan(*ALL, *RIDGE, "split.repeats=2")
    jobs = [(one.job, one.context) for one in plan.jobs]
    [whole] = refits_of(jobs)
    [second] = refits_of(jobs[3:])
    assert [len(one.judges) for one in (whole, second)] == [6, 3]
    assert whole.job.refit
    assert whole.job.key not in {job.key for job, _ in jobs}
    assert json.loads(json.dumps(whole.job.identity()))["refit"] is True
    with raises_usage(key="split.fold"):
        refits_of(jobs[:4])
