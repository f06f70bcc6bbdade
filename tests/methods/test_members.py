"""Methods of several fits: soups, ensembles, and coefficients of ROFT-MOL on labels of their own."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from encoders import SMALL
from lab import Lab, equal, fitted_between, numbers
from refusals import raises_usage
from torch import Tensor

import roftbench
from roftbench.config.components import build
from roftbench.methods.base import Fitted, Fold, Member, Method
from roftbench.methods.ensemble import DeepEnsemble
from roftbench.methods.interpolate import mix
from roftbench.methods.lora import LoRA
from roftbench.methods.roftmol import ROFTMol
from roftbench.methods.soup_greedy import GreedySoup
from roftbench.methods.soup_uniform import UniformSoup, mean_state
from roftbench.models.encoder import Predictor, State, copy_state
from roftbench.predict.featurize import featurized
from roftbench.runner.members import divided
from roftbench.runner.stages import needed

WEIGHTS = ["1.0", "0.1", "0.01", "0.001", "0.0001"]
FAST = ("train.lr=0.01", "train.epochs=3")
CROSS = ("method=roftmol", "method.labels=cross_fitted", "method.folds=3", *FAST)


def states_of(lab: Lab, *jobs: tuple[str, ...]) -> list[State]:
    found = []
    for words in jobs:
        experiment = lab.experiment(*words)
        experiment.work()
        found.append(experiment.chosen.state)
    return found


def test_a_uniform_soup_is_the_mean_of_the_jobs_with_its_weights(lab: Lab) -> None:
    [soup] = states_of(lab, ("method=soup_uniform", *FAST))
    fits = states_of(lab, *(("method=l2_sp", f"method.weight={weight}", *FAST) for weight in WEIGHTS))
    assert len(lab.stages()) == len(WEIGHTS)  # each job has found its stage in the store
    for key, tensor in soup.items():
        tensors = torch.stack([one[key].double() for one in fits])
        expected = tensors.mean(dim=0) if tensor.is_floating_point() else tensors[0]
        torch.testing.assert_close(tensor.double(), expected, rtol=1e-5, atol=1e-6)


def test_soups_of_equal_fits_are_that_fit_and_keep_integers() -> None:
    state = {"a": torch.tensor([0.5, 3.0]), "count": torch.tensor(7)}
    assert equal(mean_state([state, state]), state)


@pytest.mark.parametrize("of", ["l2_sp", "feature_map", "bss", "lr"])
@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_a_greedy_soup_is_never_worse_on_validation_than_its_best_ingredient(lab: Lab, of: str, dataset: str) -> None:
    record = lab.done("method=soup_greedy", f"method.of={of}", f"dataset={dataset}", *FAST)
    metric, sign = record.metric, 1 if dataset == "esol" else -1
    scores = record.details["val_scores"]
    assert len(scores) == (3 if of == "lr" else 5)
    assert record.base.method == "best member"
    assert record.base.val[metric] == pytest.approx(sign * min(sign * one for one in scores), rel=1e-6)
    assert sign * record.scores.val[metric] <= sign * record.base.val[metric] + 1e-9
    first = record.details["ingredients"][0]
    assert scores[first - 1] == pytest.approx(record.base.val[metric], rel=1e-6)


def toy(values: list[float], target: float) -> list[Fitted]:
    """Return fits whose state is one number, scored by the distance to a target."""
    model = Predictor(SMALL["gin"](), 1)
    state = copy_state(model)

    def loss(given: State, number: int) -> Tensor:
        return (given["x"] - target).abs().sum()

    return [
        replace(fitted_between(model, (state, state), loss), tuned={"x": torch.tensor([value])}) for value in values
    ]


@pytest.mark.parametrize(
    ("values", "target", "chosen", "soup"),
    [
        ([4.0, 0.0, 9.0], 1.0, [2], 0.0),  # with 4 the mean is 2, as far as 0 is: not strictly better
        ([4.0, 0.0, 9.0], 1.5, [2, 1], 2.0),
        ([5.0, 1.0, 1.0], 1.0, [2], 1.0),
        ([0.5, 2.0, 1.25], 1.0, [3, 1], 0.875),
    ],
)
def test_the_greedy_rule_on_numbers(values: list[float], target: float, chosen: list[int], soup: float) -> None:
    found = GreedySoup().combine(toy(values, target))
    assert found.info["ingredients"] == chosen
    assert found.state["x"].item() == pytest.approx(soup)


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
def test_an_ensemble_predicts_the_mean_of_the_jobs_of_its_seeds(lab: Lab, dataset: str) -> None:
    words = (f"dataset={dataset}", *FAST)
    record = lab.done("method=ensemble", "method.size=3", "seed=1", *words, "run.keep=true")
    alone = [lab.done("method=full_ft", f"seed={seed}", *words) for seed in (1, 2, 3)]
    assert all("ft (reused)" in one.seconds for one in alone)
    predictions = [np.array(one.test_predictions.prediction) for one in alone]
    assert np.array(record.test_predictions.prediction) == pytest.approx(np.mean(predictions, axis=0), abs=1e-7)
    assert record.trained_parameters == 3 * alone[0].trained_parameters
    assert [stage.name for stage in record.stages] == ["ft 1", "ft 2", "ft 3"]
    model = roftbench.load(lab.store.model_path(record.key), device="cpu")
    experiment = lab.experiment(*words)
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test[:20]]
    molecules = featurized(smiles, [model.members[0].featurizer])
    found = model.members[0].predict(molecules)
    assert found == pytest.approx(np.array(record.test_predictions.prediction[:20]), abs=1e-4)
    with raises_usage(key="model_dir"):
        model.embed(smiles)


def test_a_job_whose_fits_are_partly_stored_resumes_with_the_same_numbers(lab: Lab) -> None:
    whole = lab.done("method=soup_uniform", *FAST)
    other = lab.elsewhere("interrupted")
    for weight in WEIGHTS[:2]:  # as after a kill: two members are stored
        other.done("method=l2_sp", f"method.weight={weight}", *FAST)
    resumed = other.done("method=soup_uniform", *FAST)
    assert {"ft", "ft (reused)"} <= resumed.seconds.keys()
    assert numbers(resumed) == numbers(whole)


def test_members_need_the_stages_of_their_own_jobs(lab: Lab) -> None:
    job, _ = lab.job("method=ensemble", "method.size=2", "seed=4")
    alone = [lab.job("method=full_ft", f"seed={seed}")[0] for seed in (4, 5)]
    keys = [need.key for one in alone for need in needed(one, build(one.method), "cpu")]
    assert [need.key for need in needed(job, build(job.method), "cpu")] == keys


@dataclass(frozen=True)
class OfMembers(Method):
    """A method whose members have members, or modules, of their own."""

    inner: Any = None

    def members(self) -> list[Member]:
        return [Member(self.inner)]


@pytest.mark.parametrize("inner", [LoRA(), DeepEnsemble(), UniformSoup()])
def test_a_member_has_no_members_or_modules(lab: Lab, inner: Method) -> None:
    job, _ = lab.job("method=full_ft")
    with raises_usage(key="method", got=type(inner).__name__):
        needed(job, OfMembers(inner), "cpu")


@pytest.mark.parametrize("training", [True, False])
def test_folds_are_disjoint_and_complete_and_keep_their_labels_from_the_fit(lab: Lab, training: bool) -> None:
    objective = lab.experiment("method=full_ft").objective
    parts = [divided(objective, Fold(number, 3, training), 0) for number in range(3)]
    held_out = torch.cat([fold for _, fold in parts]).tolist()
    pool = [*objective.train.tolist(), *objective.val.tolist()] if training else objective.val.tolist()
    assert sorted(held_out) == sorted(pool)
    for rest, fold in parts:
        used = {*rest.train.tolist(), *rest.val.tolist()}
        assert not used & set(fold.tolist())
        assert used | set(fold.tolist()) == {*objective.train.tolist(), *objective.val.tolist()}
        assert len(rest.val) == 0 if training else rest.train.equal(objective.train)


def test_cross_fitted_coefficients_are_the_mean_over_folds_applied_to_full_fine_tuning(lab: Lab) -> None:
    experiment = lab.experiment(*CROSS)
    record = experiment.work()
    folds = record.details["alpha_of_folds"]
    assert len(folds) == 3
    mean = {block: np.mean([one[block] for one in folds]) for block in folds[0]}
    assert record.details["alpha"] == pytest.approx(mean)
    shares = {block: torch.tensor(alpha) for block, alpha in record.details["alpha"].items()}
    fitted = lab.fitted(*FAST)
    expected = mix(fitted, shares, "finetuned")
    for key, tensor in experiment.chosen.state.items():
        torch.testing.assert_close(tensor, expected[key])
    labels = record.count.labels
    assert labels.interpolation == labels.weights + labels.selection
    assert record.base.method == "best member"


def test_labels_of_a_fold_change_nothing_in_its_fit(lab: Lab) -> None:
    """The fold's labels reach the coefficients alone; its molecules are in no other part of the fit."""
    experiment = lab.experiment(*CROSS)
    member = experiment.member(experiment.method.members()[1])
    before = member.fit(experiment.method.members()[1].method).fitted.state
    other = lab.elsewhere("other").experiment(*CROSS)
    changed = other.member(other.method.members()[1])
    changed.objective.targets[changed.held_out] += 100
    assert equal(before, changed.fit(other.method.members()[1].method).fitted.state)


def test_held_out_coefficients_use_half_of_the_validation_labels(lab: Lab) -> None:
    record = lab.done("method=roftmol", "method.labels=held_out", *FAST)
    labels, plain = record.count.labels, lab.done("method=roftmol", *FAST)
    assert labels.selection + labels.interpolation == plain.count.labels.selection
    assert abs(labels.selection - labels.interpolation) <= 1
    experiment = lab.experiment("method=roftmol", "method.labels=held_out")
    [member] = experiment.method.members()
    own = experiment.member(member)
    given = own.given(own.start.state)
    assert given.num_val_batches == -(-labels.interpolation // 32)
    assert record.details["alpha"] != plain.details["alpha"]


def test_options_at_their_default_are_in_no_key_and_bad_ones_are_refused(lab: Lab) -> None:
    plain = lab.job("method=roftmol")[0]
    assert lab.job("method=roftmol", "method.labels=validation", "method.folds=5")[0].key == plain.key
    assert not {"labels", "folds"} & plain.identity()["method"]["params"].keys()
    with raises_usage(key="include_finetuned"):
        ROFTMol(labels="cross_fitted", include_finetuned=True)
    with raises_usage(key="labels"):
        ROFTMol(labels="test")
    with raises_usage(key="of"):
        GreedySoup(of="seeds")
    with raises_usage(key="size"):
        DeepEnsemble(size=1)
