"""What names a job, and what does not."""

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from lab import FOREST, METHODS, Lab, molecules, write_csv
from refusals import raises_usage

from roftbench.config.job import Component, Job, MethodSpec, ModelSpec, TrainSettings, derive_seed
from roftbench.data.config import DatasetSpec
from roftbench.data.label_ratio import LabelRatio
from roftbench.metrics import REGRESSION_LOSSES
from roftbench.store.checksums import digest

SAME = {
    "whole and decimal weight": (("method=l2_sp", "method.weight=1"), ("method=l2_sp", "method.weight=1.0")),
    "whole and decimal fraction": (("label_ratio=full", "label_ratio.fraction=1"),
                                   ("label_ratio=full", "label_ratio.fraction=1.0")),
    "two ways to write a rate": (("train.lr=0.001",), ("train.lr=1e-3",)),
    "two ways to write no decay": (("train.weight_decay=0",), ("train.weight_decay=0.0",)),
    "fractions of the split": (("split.fractions=[1,0,0]",), ("split.fractions=[1.0,0.0,0.0]",)),
    "a default said aloud": ((), ("seed=0", "split.seed=42", "train.epochs=3", "method=roftmol")),
    "searched values": (
        ("method=l2_sp", "method.search=true", "method.grid.weight=[1,0.1]"),
        ("method=l2_sp", "method.search=true", "method.grid.weight=[1.0,0.1]"),
    ),
    "a grid that is not searched": ((), ("method.grid.alpha=[0.3]",)),
    "threads": ((), ("run.threads=2",)),
    "device": ((), ("run.device=auto",)),
    "precision said aloud": ((), ("train.precision=float32",)),
    "no clipping said aloud": ((), ("train.clip_value=null",)),
    "whole and decimal clipping": (("train.clip_value=1",), ("train.clip_value=1.0",)),
    "Adam's head said aloud": (("method=lp",), ("method=lp", "method.head=adam")),
    "random weights left as they are": ((), ("model.rescale=false",)),
    "rerun": ((), ("run.rerun=true",)),
    "stage cap": ((), ("run.stage_cap_gb=1",)),
    "results": ((), ("paths.results=/elsewhere",)),
    "cache": ((), ("paths.cache=/elsewhere",)),
    "plug-ins that are not used": ((), ("plugins=[json]",)),
    "words about it": ((), ("model.summary=x", "dataset.units=mol", "method.summary=y")),
    "a note on the weights": (("model=gin_masking",), ("model=gin_masking", "model.note=x")),
    "how all labels are counted": (
        ("label_ratio=full",), ("label_ratio=full", "label_ratio.val_budget=strict", "label_ratio.stratified=true")
    ),
    "a scale of classes": (("dataset=bbbp",), ("dataset=bbbp", "train.standardize_targets=true")),
    "epochs of an interpolation that is not done": (("method=lp",), ("method=lp", "train.interpolation_epochs=9")),
}  # fmt: skip

DIFFERENT = {
    "seed": ("seed=1",),
    "split seed": ("split.seed=43",),
    "split": ("split=random",),
    "fractions": ("split.fractions=[0.7,0.2,0.1]",),
    "labels": ("label_ratio=n100",),
    "fraction": ("label_ratio=r10",),
    "label seed": ("label_ratio.seed=7",),
    "budget": ("label_ratio.val_budget=strict",),
    "data set": ("dataset=freesolv",),
    "metric": ("dataset.metric=mae",),
    "model": ("model=scratch",),
    "width": ("model.dim=17",),
    "dropout": ("model.dropout=0.2",),
    "method": ("method=wise_ft",),
    "hyperparameter": ("method.alpha=0.91",),
    "epochs of the interpolation": ("train.interpolation_epochs=6",),
    "search": ("method.search=true",),
    "clipping": ("train.clip_value=10",),
    "rescaled weights": ("model.rescale=true",),
    "searched grid": ("method.search=true", "method.grid.alpha=[0.3]"),
}

OTHER_TRAINING = {
    "name": "mine",
    "epochs": 4,
    "batch_size": 33,
    "lr": 0.002,
    "weight_decay": 0.1,
    "loss": "mae",
    "standardize_targets": True,
    "frozen_mode": "train",
    "precision": "bf16",
    "clip_value": 10.0,
}


@pytest.mark.parametrize("case", SAME)
def test_what_changes_no_number_keeps_the_key(lab: Lab, case: str) -> None:
    one, other = (lab.job(*overrides)[0] for overrides in SAME[case])
    assert one.key == other.key


def test_what_changes_a_number_changes_the_key(lab: Lab) -> None:
    keys = {case: lab.job(*overrides)[0].key for case, overrides in {"default": (), **DIFFERENT}.items()}
    assert len(set(keys.values())) == len(keys), keys


def test_every_training_setting_is_in_the_key(lab: Lab) -> None:
    job = lab.job()[0]
    assert {field.name for field in fields(TrainSettings)} == OTHER_TRAINING.keys()
    others = [replace(job, train=replace(job.train, **{name: value})) for name, value in OTHER_TRAINING.items()]
    assert len({one.key for one in (job, *others)}) == 1 + len(OTHER_TRAINING)


def test_the_default_precision_is_not_in_the_identity(lab: Lab) -> None:
    """Keys and records from before there was a choice stay as they are."""
    assert "precision" not in lab.job()[0].identity()["train"]
    assert lab.job("train.precision=bf16")[0].identity()["train"]["precision"] == "bf16"


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_of_method_model_and_split_is_in_the_key(lab: Lab, method: str) -> None:
    job = lab.job(f"method={method}")[0]
    keys = {job.key}
    changed = 0
    for part in ("method", "model", "split"):
        component = getattr(job, part)
        for name in component.params:
            other = replace(component, params={**component.params, name: "something else"})
            keys.add(replace(job, **{part: other}).key)
            changed += 1
    assert changed >= 5
    assert len(keys) == 1 + changed


@pytest.mark.parametrize("field", [field.name for field in fields(LabelRatio)])
def test_every_field_of_the_label_ratio_is_in_the_key(lab: Lab, field: str) -> None:
    job = lab.job("label_ratio=full")[0]
    other = {"fraction": 0.5, "count": 9, "seed": 1, "val_budget": "strict", "stratified": True}[field]
    assert replace(job, label_ratio=replace(job.label_ratio, **{field: other})).key != job.key


@pytest.mark.parametrize(
    ("field", "value"), [("classes", ["no", "yes"]), ("split_column", "part"), ("duplicates", "merge")]
)
def test_what_a_table_is_read_as_is_in_the_key(lab: Lab, field: str, value: Any) -> None:
    job = lab.job()[0]
    assert replace(job, dataset=replace(job.dataset, **{field: value})).key != job.key


@pytest.mark.parametrize("sources", [["bundled"], ["mirror"], ["https://example.org/delaney.csv", "cache"]])
def test_where_a_published_file_comes_from_is_not_in_the_key(lab: Lab, sources: list[str]) -> None:
    job = lab.job()[0]
    assert replace(job, dataset=replace(job.dataset, sources=sources)).key == job.key


def test_a_file_of_parts_is_in_the_key_by_its_content_and_not_by_its_path(lab: Lab, tmp_path: Path) -> None:
    keys = []
    for number, content in enumerate(
        ['{"train": "0-9", "val": [10]}', '{"train": "0-9", "val": [10]}', '{"train": [0], "val": [1]}']
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(content)
        keys.append(lab.job("split=file", f"split.path={path}")[0].key)
    assert keys[0] == keys[1] != keys[2]


def test_the_content_of_a_table_is_in_the_key_and_its_folder_is_not(lab: Lab, tmp_path: Path) -> None:
    smiles, labels = molecules("esol", lab.job()[0], 12)
    path = write_csv(tmp_path / "mine.csv", {"smiles": smiles, "y": labels})
    (tmp_path / "moved").mkdir()
    moved = shutil.copy(path, tmp_path / "moved" / "mine.csv")
    changed = write_csv(tmp_path / "moved" / "changed.csv", {"smiles": smiles, "y": [*labels[:-1], labels[-1] + 0.01]})
    here, there, other = (
        lab.job("dataset=csv", f"dataset.path={file}", "dataset.name=mine")[0] for file in (path, moved, changed)
    )
    assert here.key == there.key
    assert here.key != other.key


def test_a_checkpoint_enters_by_its_content(lab: Lab) -> None:
    job = lab.job()[0]
    with_file = replace(job, model=replace(job.model, checkpoint="a.safetensors", sha256="1" * 64))
    moved = replace(job, model=replace(job.model, checkpoint="/b/a.safetensors", sha256="1" * 64))
    changed = replace(job, model=replace(job.model, checkpoint="a.safetensors", sha256="2" * 64))
    assert with_file.key == moved.key
    assert len({job.key, with_file.key, changed.key}) == 3


def test_methods_share_what_decides_a_fit(lab: Lab) -> None:
    jobs = [lab.job(f"method={method}")[0] for method in METHODS]
    assert len({digest(job.fit_identity()) for job in jobs}) == 1
    assert len({job.key for job in jobs}) == len(METHODS)


def test_settings_of_training_do_not_name_a_job_without_training(lab: Lab) -> None:
    job = lab.job(*FOREST)[0]
    assert job.identity()["train"] == {"name": "none"}
    assert job.identity()["fingerprint"] == {"version": 1}
    same = ("train=paper", "train.lr=0.1", "train.epochs=7", "run.threads=2", "run.device=auto", "model.summary=x")
    assert {lab.job(*FOREST, one)[0].key for one in same} == {job.key}
    other = ("seed=1", "model.counts=true", "method.n_estimators=21", "method.max_features=sqrt", "label_ratio=full")
    others = {lab.job(*FOREST, *more)[0].key for more in ((), *((one,) for one in other))}
    assert len(others) == 1 + len(other)
    assert replace(job, model=replace(job.model, version=2)).key not in others


def test_a_share_of_one_is_all_features_however_it_is_written(lab: Lab) -> None:
    """An integer would be a number of features to scikit-learn."""
    whole, decimal = (lab.job(*FOREST, f"method.max_features={value}")[0] for value in ("1", "1.0"))
    assert whole.key == decimal.key
    assert type(whole.method.params["max_features"]) is float


def test_the_identity_is_plain_json_and_the_key_short(lab: Lab) -> None:
    job = lab.job("method=surgical_ft", "method.search=true")[0]
    assert json.loads(json.dumps(job.identity())) == job.identity()
    assert len(job.key) == 16
    assert set(job.key) <= set("0123456789abcdef")


def test_keys_stay_what_they_were() -> None:
    """Recorded jobs are found by their key: whoever changes it on purpose raises PROTOCOL and this number."""
    job = Job(
        model=ModelSpec("tiny", "roftbench.models.gin.GIN", {"dim": 16, "dropout": 0.1}),
        method=MethodSpec("l2_sp", "roftbench.methods.l2_sp.L2SP", {"weight": 0.01}, False, {"weight": [1.0]}),
        dataset=DatasetSpec(
            name="d", task="regression", targets=["y"], metric="rmse", smiles_column="s", path="d.csv", sha256="0" * 64
        ),
        split=Component("random", "roftbench.data.split.RandomSplit", {"fractions": [0.8, 0.1, 0.1], "seed": 42}),
        label_ratio=LabelRatio(count=50),
        train=TrainSettings(loss="rmse"),
        seed=0,
    )
    assert job.key == "ee233ae2ce0f10ee"


def test_a_method_names_the_protocol_of_its_definition_only_where_it_has_changed(lab: Lab) -> None:
    """So that the keys of the others stay what they are."""
    named = {method: lab.job(f"method={method}")[0].identity()["method"].get("protocol") for method in METHODS}
    assert {method: protocol for method, protocol in named.items() if protocol is not None} == {"roftmol": 4}


def test_an_encoder_names_its_protocol_in_the_keys_of_jobs_that_train_it(lab: Lab) -> None:
    """Of the paper's methods linear probing alone leaves it as it is."""
    for method in (*METHODS, "ensemble", "adapter"):
        job, _ = lab.job(f"method={method}")
        corrected = replace(job, model=replace(job.model, protocol=2))
        assert (corrected.key == job.key) == (method == "lp"), method
    ridge, _ = lab.job("method=ridge")
    assert replace(ridge, model=replace(ridge.model, protocol=2)).key == ridge.key


def test_the_corrected_gradient_of_max_pooling_has_a_protocol(lab: Lab) -> None:
    graphium = ("model=graphium", "model.checkpoint=null")
    expected: dict[tuple[str, ...], int | None] = {
        ("model=minimol",): 2,
        (*graphium, "model.pooling=max"): 2,
        (*graphium, "model.pooling=mean"): None,
        ("model=gin_masking",): None,
    }
    assert {words: lab.job(*words)[0].model.protocol for words in expected} == expected


def test_digest_does_not_depend_on_the_order_and_refuses_what_json_cannot_hold() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("nan")})


def test_derived_seeds_are_fixed_and_apart() -> None:
    assert derive_seed(0, "head") == 150407411010443877
    labels: list[tuple[Any, ...]] = [("head",), ("encoder",), ("stage", 0), ("stage", 1), ("stage", 10)]
    seeds = [derive_seed(seed, *label) for seed in range(20) for label in labels]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"batch_size": 1}, {"lr": 0.0}, {"lr": -1.0}, {"lr": float("nan")}, {"weight_decay": -0.1},
        {"frozen_mode": "off"}, {"loss": "cosine"}, {"precision": "fp8"},
    ],
)  # fmt: skip
def test_impossible_training_settings_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with raises_usage(key=next(iter(wrong))):
        TrainSettings(**wrong)


def test_the_loss_follows_the_task_and_must_fit_it() -> None:
    assert TrainSettings().for_task("regression").loss == "rmse"
    assert TrainSettings().for_task("classification").loss == "bce"
    assert TrainSettings(loss="mae").for_task("regression").loss == "mae"
    with raises_usage(key="loss", got="bce", allowed=REGRESSION_LOSSES):
        TrainSettings(loss="bce").for_task("regression")
    with raises_usage(key="loss", got="mse", allowed=("bce",)):
        TrainSettings(loss="mse").for_task("classification")


def test_a_digest_is_that_of_what_json_makes_of_a_value() -> None:
    """A record's key is worked out again from its file, where numbers in the place of names have become texts."""
    value = {"rates": {2: 0.1, 10: 0.2, True: (1, 2.5)}}
    assert digest(value) == digest(json.loads(json.dumps(value)))
