"""Estimators on the embeddings of a frozen encoder."""

import numpy as np
import pytest
from lab import Lab, write_csv

import roftbench
from roftbench.errors import UsageError
from roftbench.predict.featurize import featurized
from roftbench.runner.estimators import EstimatorExperiment
from roftbench.store.record_schema import plain

RIDGE = ("model=tiny_gin", "method=ridge")


def loaded(lab: Lab, *overrides: str) -> EstimatorExperiment:
    return EstimatorExperiment.load(*lab.job(*overrides))


def test_embeddings_are_those_of_embed(lab: Lab) -> None:
    experiment = loaded(lab, "model=gin_masking", "method=ridge")
    smiles = experiment.dataset.smiles[:40]
    found = roftbench.embed(smiles, model="gin_masking", device="cpu")
    assert experiment.features[:40] == pytest.approx(np.asarray(found)[:, -300:].astype(np.float64), abs=1e-5)


def test_embeddings_are_computed_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    first = loaded(lab, *RIDGE).features
    monkeypatch.setattr("roftbench.runner.embeddings.load_encoder", None)
    assert loaded(lab, *RIDGE, "label_ratio=n100").features.tolist() == first.tolist()


def test_random_encoder_has_embeddings_per_seed(lab: Lab) -> None:
    given = ("model=scratch", "method=ridge")
    assert (loaded(lab, *given, "seed=0").features != loaded(lab, *given, "seed=1").features).any()


def test_duplicate_policy_selects_embeddings(lab: Lab) -> None:
    whole, merged = loaded(lab, *RIDGE), loaded(lab, *RIDGE, "dataset.duplicates=merge")
    position = merged.dataset.position
    assert position is not None
    assert (merged.features == whole.features[position]).all()


@pytest.mark.parametrize("dataset", ["esol", "clintox"])
@pytest.mark.parametrize("method", ["ridge", "gp", "random_forest"])
def test_saved_model_predicts_what_its_record_holds(lab: Lab, method: str, dataset: str) -> None:
    given = ("model=tiny_gin", f"method={method}", f"dataset={dataset}", "label_ratio=n100")
    record = lab.done(*given, "run.keep=true")
    assert record.test_predictions is not None
    experiment = loaded(lab, *given)
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    model = roftbench.load(lab.store.model_path(record.key), device="cpu")
    found = model.members[0].predict(featurized(smiles, [None]))
    assert found == pytest.approx(np.array(record.test_predictions.prediction, np.float64), abs=1e-4)


def test_training_settings_are_no_part_of_the_key(lab: Lab) -> None:
    keys = {lab.job(*RIDGE, more)[0].key for more in ("train.epochs=3", "train.lr=0.01")}
    assert len(keys) == 1
    assert lab.job("model=tiny_gin", "method=lp")[0].key not in keys
    assert lab.job("model=ecfp", "method=ridge")[0].key not in keys


def test_record_names_encoder_and_no_training(lab: Lab) -> None:
    record = lab.done(*RIDGE)
    assert record.job["model"]["name"] == "tiny_gin"
    assert record.job["train"] == {"name": "none"}
    assert plain(record.scores)["test"]["rmse"] < 3


def test_missing_weights_are_one_message(lab: Lab) -> None:
    path = write_csv(lab.results.parent / "no.csv", {"smiles": ["C", "CC"], "y": [1.0, 2.0]})
    with pytest.raises(UsageError, match=r"no\.csv"):
        lab.run("model=gin", "method=ridge", f"model.checkpoint={path}")
