"""Blends of candidates, on real molecules: who is taken in, and what the mean's scores are."""

from typing import Any

import numpy as np
import pytest
from lab import Lab
from made_records import whole

from roftbench.advise.candidates import Candidate
from roftbench.advise.ensembling import MOST, Blender
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.predict.held_out import from_record
from roftbench.store.record_schema import Predictions

FOLDS = 3


@pytest.fixture
def dataset(lab: Lab) -> MoleculeDataset:
    job, env = lab.job("dataset=freesolv")[:2]
    return load_dataset(job.dataset, env.cache / "data", env.places)


def runner(dataset: MoleculeDataset, model: str, errors: np.ndarray[Any, Any], seconds: float = 1.0) -> Candidate:
    """Return a candidate that was judged on 20 molecules a fold, and wrong by `errors` [20], or [20 a fold]."""
    one = Candidate(model, "lp", seconds=seconds)
    for fold, error in enumerate(np.resize(errors, (FOLDS, 20))):
        index = np.arange(20 * fold, 20 * (fold + 1))
        prediction = dataset.y[index] + error[:, None]
        found = Predictions(dataset.rows[index].tolist(), prediction.tolist())
        one.records[fold] = whole(test_predictions=found)
        one.scores[fold] = float(np.sqrt(np.mean(error**2)))
    return one


def blender(dataset: MoleculeDataset) -> Blender:
    return Blender(dataset, FOLDS, "rmse", 1)


def test_the_best_is_averaged_with_those_that_folds_do_not_set_apart_from_it(dataset: MoleculeDataset) -> None:
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(FOLDS, 20)), rng.normal(size=(FOLDS, 20))
    good, other, bad = (
        runner(dataset, name, error)
        for name, error in (("a", shared + own), ("b", shared - own), ("c", shared + 9 * own))
    )
    best, second = sorted((good, other), key=lambda one: one.loss(1, range(FOLDS)))
    found = blender(dataset).blend([bad, other, good], lambda _: True)
    assert found is not None
    assert found.parts == (best, second)
    assert found.name == f"{best.model} · lp + {second.model} · lp"
    assert found.seconds == 2
    assert list(found.scores.values()) == pytest.approx(np.sqrt((shared**2).mean(axis=1)).tolist())


def test_close_is_one_corrected_standard_error_of_the_difference(dataset: MoleculeDataset) -> None:
    """On three folds, each tested on as many molecules as train: the variance of the mean is (1/3 + 1) times that."""
    best = runner(dataset, "best", np.ones(20))
    apart = np.array([0.1, 0.2, 0.3])
    error = np.sqrt(4 / 3) * np.std(apart, ddof=1)
    for factor, close in ((0.99, True), (1.01, False)):
        other = runner(dataset, "other", np.repeat(1 + apart - apart.mean() + factor * error, 20).reshape(FOLDS, 20))
        assert (blender(dataset).blend([best, other], lambda _: True) is not None) == close


def test_no_more_parts_than_are_allowed_affordable_and_judged(dataset: MoleculeDataset) -> None:
    rng = np.random.default_rng(1)
    many = [runner(dataset, str(number), rng.normal(size=(FOLDS, 20))) for number in range(9)]
    found = blender(dataset).blend(many, lambda _: True)
    assert found is not None
    assert len(found.parts) == MOST
    ranked = sorted(many, key=lambda one: one.loss(1, range(FOLDS)))
    second = blender(dataset).blend(many, lambda parts: ranked[1] not in parts)
    assert second is not None
    assert second.parts[:2] == (ranked[0], ranked[2])
    assert blender(dataset).blend(many, lambda parts: len(parts) < 2) is None
    assert blender(dataset).blend(many[:1], lambda _: True) is None
    del ranked[1].records[1]
    ranked[2].failure = "failed"
    assert blender(dataset).blend(ranked[:3], lambda _: True) is None


def test_folds_without_a_score_are_left_out_where_nobody_has_one(dataset: MoleculeDataset) -> None:
    rng = np.random.default_rng(2)
    one, other = (runner(dataset, name, rng.normal(size=(FOLDS, 20))) for name in "ab")
    one.scores[0] = other.scores[0] = None
    assert blender(dataset).blend([one, other], lambda _: True, {1, 2}) is not None
    other.scores[1] = None
    assert blender(dataset).blend([one, other], lambda _: True, {1, 2}) is None


def test_a_recommendation_is_close_to_the_best_in_hindsight(dataset: MoleculeDataset) -> None:
    """Candidates of two networks and a forest, whose errors are alike within a family: the best of many is luck."""
    rng = np.random.default_rng(4)
    families = np.repeat([0, 1, 2], [1, 5, 5])
    known = FOLDS * 20
    regrets, alone, behind = [], [], []
    for _ in range(25):
        common, own = rng.normal(size=known + 300), rng.normal(size=(3, known + 300))
        noise = rng.normal(size=(len(families), known + 300))
        scale = np.exp(rng.normal(0, 0.1, 3)[families] + rng.normal(0, 0.05, len(families)))
        errors = scale[:, None] * (0.7 * common + 0.55 * own[families] + 0.45 * noise)
        candidates = [runner(dataset, str(number), error[:known]) for number, error in enumerate(errors)]
        candidates[0].baseline = True  # the forest
        found = blender(dataset).blend(candidates, lambda _: True)
        chosen = min(candidates, key=lambda one: one.loss(1, range(FOLDS))) if found is None else found
        test = np.sqrt((errors[:, known:] ** 2).mean(axis=1))
        mean = errors[[int(one.model) for one in chosen.parts], known:].mean(axis=0)
        score = float(np.sqrt((mean**2).mean()))
        regrets.append(score / test.min() - 1)
        behind.append(score / test[0] - 1)
        single = min(candidates, key=lambda one: one.loss(1, range(FOLDS)))
        alone.append(test[int(single.model)] / test.min() - 1)
    assert np.mean(regrets) < 0.03
    assert np.mean(regrets) < np.mean(alone) - 0.03  # what choosing the best of them costs
    assert np.quantile(regrets, 0.9) < 0.1
    assert np.quantile(behind, 0.9) < 0.02


def test_only_folds_that_all_have_decide(dataset: MoleculeDataset) -> None:
    error = np.random.default_rng(3).normal(size=20)
    good, opposite = runner(dataset, "a", error), runner(dataset, "b", -error)
    assert blender(dataset).blend([good, opposite], lambda _: True, {0, 2}) is not None
    del opposite.records[1]
    assert blender(dataset).blend([good, opposite], lambda _: True, {0, 2}) is not None
    assert blender(dataset).blend([good, opposite], lambda _: True, {0, 1, 2}) is None


def test_labels_come_by_row_of_the_file(dataset: MoleculeDataset) -> None:
    one = runner(dataset, "a", np.zeros(20))
    found = from_record(dataset, one.records[1])
    assert np.array_equal(found.y, found.prediction)
    assert blender(dataset).score([one.records[1]]) == 0
