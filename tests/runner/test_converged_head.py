"""`method.head=converged`: the same as scikit-learn's own pipelines on the same representations, kept as a head."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import Command
from lab import Lab, molecules, numbers, primary, write_csv
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import roftbench
from roftbench.config.job import Job
from roftbench.runner.converged_head import NO_CHOICE, PENALTIES
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.stages import needed

CONVERGED = ("method=lp", "method.head=converged")


def parts_of(experiment: NetworkExperiment, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the representations and labels of a part."""
    index = getattr(experiment.objective, part)
    z = experiment.objective.outputs(experiment.model.eval().represent, index, 0).double().numpy()
    return z, experiment.objective.y[index.numpy()]


def pipeline(task: str, penalty: float) -> Any:
    exact = {"solver": "newton-cholesky", "tol": 1e-9, "max_iter": 1000}
    kind = Ridge(alpha=penalty) if task == "regression" else LogisticRegression(C=1 / penalty, **exact)
    return make_pipeline(StandardScaler(), kind)


def values(fitted: Any, z: NDArray[Any]) -> Any:
    """Return predictions, or logits."""
    return fitted.decision_function(z) if hasattr(fitted, "decision_function") else fitted.predict(z)


def outputs(experiment: NetworkExperiment, task: str) -> Any:
    """Return what the fitted head gives for the test part: [n, T] predictions, or logits."""
    found = experiment.predict(experiment.chosen, experiment.objective.test)
    return logit(found) if task == "classification" else found


@pytest.mark.parametrize(
    ("dataset", "metric"),
    [("esol", "rmse"), ("esol", "mae"), ("bbbp", "roc_auc")],
    ids=["regression", "another metric", "classification"],
)
def test_predictions_are_those_of_scikit_learn(lab: Lab, dataset: str, metric: str) -> None:
    experiment = lab.experiment(*CONVERGED, "model=gin_masking", f"dataset={dataset}", f"dataset.metric={metric}")
    record = experiment.work()
    task, found = experiment.objective.task, outputs(experiment, experiment.objective.task)
    (z, y), (z_val, y_val), (z_test, _) = (parts_of(experiment, part) for part in ("train", "val", "test"))
    for t, (name, penalty) in enumerate(record.details["penalty"].items()):
        assert name == experiment.dataset.targets[t]
        fits = [pipeline(task, one).fit(z, y[:, t]) for one in PENALTIES]
        better = roc_auc_score if task == "classification" else lambda a, b: -error(metric, a, b)
        scores = [better(y_val[:, t], values(one, z_val)) for one in fits]
        assert penalty == PENALTIES[int(np.argmax(scores))]  # the strongest of equal ones
        assert found[:, t] == pytest.approx(values(fits[PENALTIES.index(penalty)], z_test), abs=2e-6)
    assert (record.best_epoch, record.history) == (None, [])


def error(metric: str, y: NDArray[Any], predictions: NDArray[Any]) -> float:
    if metric == "mae":
        return float(mean_absolute_error(y, predictions))
    return float(np.sqrt(np.mean((y - predictions) ** 2)))


def test_a_converged_head_is_better_where_adam_is_far_from_its_end(lab: Lab) -> None:
    """Adam's 200 steps do not reach an intercept of -2.9 from a new head; the paper's training, real weights."""
    words = ("model=gin_masking", "method=lp", "train=paper", "dataset=freesolv")
    adam, converged = (lab.done(*words, f"method.head={head}") for head in ("adam", "converged"))
    assert primary(converged) < primary(adam)


def table(lab: Lab, folder: Path, columns: dict[str, Any], *more: str) -> tuple[str, ...]:
    """Write 40 molecules with labels and parts; returns the overrides of its job."""
    smiles = molecules("esol", lab.job()[0], 40)[0]
    parts = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
    path = write_csv(folder / "mine.csv", {"smiles": smiles, "part": parts, **columns})
    given = (f"dataset.path={path}", "dataset.split_column=part", f"dataset.targets=[{','.join(columns)}]")
    return ("dataset=csv", *given, "split=column", "label_ratio=full", *CONVERGED, *more)


def test_each_task_is_fitted_to_the_molecules_that_have_its_label(lab: Lab, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {name: [None if i % 5 == k else float(x) for i, x in enumerate(rng.normal(k, 1 + k, 40))]
               for k, name in enumerate(("a", "b"))}  # fmt: skip
    experiment = lab.experiment(*table(lab, tmp_path, columns, "dataset.task=regression"))
    penalties = experiment.work().details["penalty"]
    (z, y), (z_test, _) = (parts_of(experiment, part) for part in ("train", "test"))
    scaler = StandardScaler().fit(z)  # of all training molecules
    found = outputs(experiment, "regression")
    for t, name in enumerate(columns):
        known = ~np.isnan(y[:, t])
        ridge = Ridge(alpha=penalties[name]).fit(scaler.transform(z[known]), y[known, t])
        assert found[:, t] == pytest.approx(ridge.predict(scaler.transform(z_test)), abs=1e-5)


def test_tasks_that_teach_nothing_get_a_constant(lab: Lab, tmp_path: Path) -> None:
    """Of classes: none among the labels, one, both but no validation score; of numbers: none, all equal."""
    one, both = [1] * 24 + [0, 1] * 8, [i % 2 for i in range(32)] + [1] * 8
    both[24:32] = [1] * 8
    columns = {"none": [None] * 24 + [0, 1] * 8, "one": one, "both": both}
    words = table(lab, tmp_path, columns, "dataset.task=classification")
    experiment = lab.experiment(*words)
    assert experiment.work().details["penalty"] == {"none": None, "one": None, "both": NO_CHOICE}
    none, single, two = experiment.predict(experiment.chosen, experiment.objective.test).T
    assert none == pytest.approx(0.5)
    assert single == pytest.approx(1.0, abs=1e-8)
    assert 0.01 < two.min() < two.max() < 0.99
    numbers_ = {"none": [None] * 24 + [3.0] * 16, "equal": [-2.5] * 40}
    experiment = lab.experiment(*table(lab, tmp_path, numbers_, "dataset.task=regression"))
    assert experiment.work().details["penalty"]["none"] is None
    none, equal = experiment.predict(experiment.chosen, experiment.objective.test).T
    assert none == pytest.approx(0.0)
    assert equal == pytest.approx(-2.5, abs=1e-5)


def test_neither_seed_nor_training_settings_matter(lab: Lab) -> None:
    words = (*CONVERGED, "model=gin_masking")
    scores = lab.done(*words).scores
    assert lab.done(*words, "seed=1", "train.epochs=5", "train.lr=0.1", "train.loss=mse").scores == scores
    assert lab.done(*words, "train.standardize_targets=true").scores.test["rmse"] == pytest.approx(
        scores.test["rmse"], abs=1e-5
    )


def test_adam_stays_the_default_under_the_same_keys(lab: Lab) -> None:
    plain, said, other = (lab.job("method=lp", *more)[0] for more in ((), ("method.head=adam",), CONVERGED))
    assert plain.identity() == said.identity()
    assert plain.identity()["method"]["params"] == {}
    assert other.identity()["method"]["params"] == {"head": "converged"}

    def key(job: Job, words: tuple[str, ...]) -> str:
        return needed(job, lab.experiment(*words).method, "cpu")[0].key

    probe, converged, first = key(plain, ("method=lp",)), key(other, CONVERGED), key(plain, ("method=lp_ft",))
    assert probe == first != converged


def test_each_head_has_its_own_stage_and_record(lab: Lab) -> None:
    adam, converged = lab.done("method=lp"), lab.done(*CONVERGED)
    assert adam.candidates[0].params == {}
    assert converged.candidates[0].params == converged.chosen == {"head": "converged"}
    assert adam.scores != converged.scores
    assert len(lab.stages()) == 2
    assert numbers(lab.done("method=lp", "run.rerun=true")) == numbers(adam)
    assert "lp (reused)" in lab.done("method=lp_ft").seconds
    again = lab.done(*CONVERGED, "run.keep=true")  # from the kept stage
    assert numbers(again) == numbers(converged)


def test_the_head_can_be_chosen_by_a_grid(lab: Lab) -> None:
    record = lab.done("method=lp", "method.search=true", "+method.grid.head=[adam,converged]", "model=gin_masking")
    assert [one.params for one in record.candidates] == [{"head": "adam"}, {"head": "converged"}]
    assert record.chosen == {"head": "converged"}


def test_a_kept_converged_head_predicts_and_embeds(lab: Lab) -> None:
    record = lab.done(*CONVERGED, "model=gin_masking", "run.keep=true")
    experiment = lab.experiment(*CONVERGED, "model=gin_masking")
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    found = roftbench.load(lab.store.model_path(record.key), device="cpu").predict(smiles)
    expected = [row[0] for row in record.test_predictions.prediction]
    assert found.iloc[:, 1].to_numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("train.frozen_mode=train",), "train.frozen_mode=eval"),
        (("train.loss=mae",), "train.loss=rmse or mse"),
        (("method.head=ridge",), "adam, converged"),
    ],
)
def test_what_does_not_fit_is_refused(cli: Command, words: tuple[str, ...], advice: str) -> None:
    ended = cli(
        "run", "model=tiny_gin", "dataset=esol", *dict.fromkeys((*CONVERGED[: 2 - ("head" in words[0])], *words))
    )
    assert ended.code != 0
    assert advice in ended.err
    assert "Traceback" not in ended.err + ended.out
    assert not list(cli.lab.results.rglob("*.json"))


def test_only_linear_heads_converge(lab: Lab) -> None:
    outcome = lab.run(*CONVERGED, "model=graphgps", "model.checkpoint=null", "model.num_layers=1")
    assert outcome.status == "skipped"
    assert "linear" in outcome.record.error


def test_a_stage_that_converges_is_of_the_head_alone() -> None:
    from roftbench.methods.base import Stage

    for more in ({"blocks": None}, {"blocks": ("layer0", "head")}, {"blocks": ("head",), "epochs": 3}):
        with pytest.raises(ValueError, match="head alone"):
            Stage("lp", converged=True, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("deviation", [1e-9, 1e-5], ids=["rounding", "tiny"])
def test_a_feature_that_hardly_varies_cannot_explode(lab: Lab, deviation: float) -> None:
    """It is standardized by the median deviation: a molecule in which it is 100 larger moves by about nothing."""
    experiment = lab.experiment(*CONVERGED, "model=gin_masking")
    norm = experiment.model.encoder.batch_norms[-1]  # type: ignore[union-attr,index]
    with torch.no_grad():
        norm.weight[7], norm.bias[7] = deviation, 1.0
    experiment.start.encoder.load_state_dict(experiment.model.encoder.state_dict())
    experiment.start.state.update(
        {f"encoder.{key}": one.clone() for key, one in experiment.model.encoder.state_dict().items()}
    )
    experiment.work()
    weight = experiment.chosen.state["head.weight"][0]
    assert abs(float(weight[7])) * 100 < 0.01
    assert bool(weight[:7].all())
