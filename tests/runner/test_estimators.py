"""A job without a network, from the command line to its record."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Command, Terminal
from lab import FOREST, Lab, molecules, numbers, write_csv
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from refusals import raises_usage
from sklearn.ensemble import RandomForestRegressor

from roftbench.cli.splits import rows
from roftbench.methods.random_forest import RandomForest
from roftbench.store.record_schema import LabelCount


def test_one_command_leaves_one_ordinary_record_and_is_not_done_twice(cli: Command, lab: Lab) -> None:
    ended = cli.run(*FOREST, "split=scaffold")
    assert (ended.code, ended.err) == (0, "")
    assert ended.header["model"] == "ecfp: 2,048 features per molecule"
    assert ended.header["labels"] == "n50: 50 for weights, 0 for selection"
    assert ended.header["training"] == "one fit per candidate and task, without epochs: 1 task"
    (record,) = lab.store.load()
    network = lab.elsewhere("network").done("method=lp")
    for part in ("train", "val", "test"):
        assert getattr(record.scores, part).keys() == getattr(network.scores, part).keys()
    assert record.count.labels == LabelCount(weights=50, selection=0, interpolation=0, test=113)
    assert record.count.graphs == network.count.graphs
    assert record.data == network.data
    assert record.test_predictions.row == network.test_predictions.row
    assert record.env["scikit-learn"]
    assert (record.best_epoch, record.history, record.base) == (None, [], None)
    assert lab.stages() == []
    again = cli.run(*FOREST, "split=scaffold", "train=paper")
    assert f"already done (key {record.key})" in again.out
    assert cli("tables").code == 0
    assert "random_forest" in cli("list", "runs").out


def test_the_numbers_are_those_of_scikit_learn_on_rdkits_fingerprints(lab: Lab) -> None:
    record = lab.done(*FOREST, "seed=3")
    job, _ = lab.job()
    smiles, labels = molecules("esol", job, 1128)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    x = np.stack([generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in smiles])
    parts = rows(["label_ratio=n50", f"paths.cache={lab.cache}"], None)
    forest = RandomForestRegressor(20, max_features=1 / 3, random_state=3)
    forest.fit(x[parts["train"]], np.array(labels)[parts["train"]])
    for part in ("train", "val", "test"):
        error = forest.predict(x[parts[part]]) - np.array(labels)[parts[part]]
        assert getattr(record.scores, part)["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    found = np.array(record.test_predictions.prediction)[:, 0]
    assert np.abs(found - forest.predict(x[parts["test"]])).max() < 1e-6


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_threads_and_repetition_change_no_bit(lab: Lab, dataset: str) -> None:
    first = numbers(lab.done(*FOREST, f"dataset={dataset}"))
    again = numbers(lab.done(*FOREST, f"dataset={dataset}", "run.rerun=true"))
    threads = [numbers(lab.elsewhere(n).done(*FOREST, f"dataset={dataset}", f"run.threads={n}")) for n in "24"]
    assert [again, *threads] == [first] * 3


def test_a_grid_is_searched_on_validation_scores(lab: Lab) -> None:
    grid = ("method.search=true", "method.grid.max_features=[sqrt,1]", "method.grid.min_samples_leaf=[1,9]")
    record = lab.done(*FOREST, *grid)
    tried = [(one.params["max_features"], one.params["min_samples_leaf"]) for one in record.candidates]
    assert tried == [("sqrt", 1), ("sqrt", 9), (1.0, 1), (1.0, 9)]
    best = min(record.candidates, key=lambda one: one.val["rmse"])
    assert (record.chosen, record.scores.test) == (best.params, best.test)
    assert record.count.labels.selection == 113


def many_tasks(lab: Lab, folder: Path, task: str) -> tuple[str, ...]:
    """Tasks: whole, with gaps, of one class or value in the train part, without label in the train part."""
    smiles, labels = molecules("esol", lab.job()[0], 40)
    y = np.array(labels)
    whole = (y > np.median(y)).astype(float) if task == "classification" else y
    rows = np.arange(40)
    parts = np.where(rows < 24, "train", np.where(rows < 32, "val", "test"))
    columns = {
        "whole": whole,
        "gaps": np.where(rows % 3 == 0, np.nan, whole),
        "same": np.where(parts == "train", 1.0, whole),
        "unknown": np.where(parts == "train", np.nan, whole),
    }
    path = write_csv(folder / "many.csv", {"smiles": smiles, "split": parts.tolist(), **columns})
    targets = f"dataset.targets=[{','.join(columns)}]"
    return "dataset=csv", f"dataset.path={path}", targets, f"dataset.task={task}", "label_ratio=full", "split=auto"


@pytest.mark.parametrize(("task", "constants"), [("classification", {"same": 1.0, "unknown": 0.5}),
                                                 ("regression", {"unknown": 0.0})])  # fmt: skip
def test_each_task_is_fitted_to_its_own_labels(
    lab: Lab, tmp_path: Path, task: str, constants: dict[str, float]
) -> None:
    overrides = many_tasks(lab, tmp_path, task)
    record = lab.done(*FOREST, *overrides)
    assert record.details["constants"] == constants
    predictions = dict(zip(("whole", "gaps", "same", "unknown"),
                           np.array(record.test_predictions.prediction).T, strict=True))  # fmt: skip
    for name, value in constants.items():
        assert (predictions[name] == value).all()
    assert (predictions["same"] == 1).all()  # one value of a regression is learned
    assert len(set(predictions["whole"])) > 2
    assert not (predictions["whole"] == predictions["gaps"]).all()
    warned = "no label in 1 of 4 tasks: 0 is predicted" if task == "regression" else "one class only in 1 of 4 tasks"
    assert any(warned in text for text in record.warnings)
    alone = lab.done(*FOREST, *overrides, "dataset.targets=[whole]")
    assert [row[0] for row in alone.test_predictions.prediction] == predictions["whole"].tolist()


def test_without_validation_or_test_part_scores_are_undefined(lab: Lab) -> None:
    record = lab.done(*FOREST, "split=random", "split.fractions=[1,0,0]")
    assert record.scores.test["rmse"] is None
    assert record.test_predictions.prediction == []


def test_a_failure_is_recorded_and_a_skip_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped = lab.run(*FOREST, "method.class_weight=balanced")
    assert (skipped.status, lab.store.failure_path(skipped.record.key).exists()) == ("skipped", True)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no trees")

    with monkeypatch.context() as patch:
        patch.setattr("roftbench.methods.random_forest.RandomForest.fit", broken)
        failed = lab.run(*FOREST)
    assert (failed.status, failed.record.error) == ("failed", "RuntimeError: no trees")
    assert lab.run(*FOREST).status == "done"
    assert not lab.store.failure_path(failed.record.key).exists()


def test_a_sweep_runs_and_only_a_forest_imports_scikit_learn(lab: Lab, tmp_path: Path) -> None:
    terminal = Terminal.of(lab, tmp_path)
    code = (
        "import sys; from roftbench.cli.main import main; code = main({}); "
        "print('sklearn' in sys.modules); sys.exit(code)"
    )
    lp = terminal.python("-c", code.format(["run", "model=tiny_gin", "method=lp", "train=smoke", "label_ratio=n50"]))
    assert (lp.code, lp.out.splitlines()[-1]) == (0, "False"), lp
    sweep = [
        "run",
        "-m",
        *FOREST,
        "method.n_estimators=20",
        "dataset=esol,bbbp",
        "label_ratio.count=50,60",
        "seed=0,1",
        "run.threads=1",
    ]
    forests = terminal.python("-c", code.format(sweep))
    assert (forests.code, forests.out.splitlines()[-1]) == (0, "True"), forests
    assert "8 jobs: 8 done" in forests.out


@pytest.mark.parametrize("hook", ["arrays", "restored"])
def test_an_estimator_without_a_hook_works_and_is_not_kept(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    monkeypatch.delattr(RandomForest, hook)
    with raises_usage(key="run.keep"):
        lab.run(*FOREST, "method.n_estimators=3", "run.keep=true")
    assert lab.done(*FOREST).status == "done"
