"""Splits, models and methods: code that is imported by name, its parameters, grids and weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from parsing import Parse, refused, with_model
from refusals import raises_usage

from roftbench.config.components import build
from roftbench.config.parse import parse
from roftbench.config.registry import options
from roftbench.models.gin import GIN

# Grids.


@pytest.mark.parametrize(
    ("key", "value", "got"),
    [
        ("method.grid.weigth", [1], "weigth"),
        ("method.grid.weight", 1, 1),
        ("method.grid.weight", [], []),
        ("method.grid.weight", [1, -1], -1),
        ("method.grid.weight", ["x"], "x"),
        ("method.search", "perhaps", "perhaps"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_runs(parsed: Parse, key: str, value: Any, got: Any) -> None:
    error = refused(parsed, "l2_sp", **{key: value})
    assert (error.key, error.got) == (key, got)


# Code: `_target_` is imported, so that only names of ours and of named plug-ins are.


@pytest.mark.parametrize(
    "target", ["os.system", "subprocess.Popen", "roftbenchmark.Thing", "roftbench", "torch.nn.Linear"]
)
@pytest.mark.parametrize("group", ["model", "method", "split"])
def test_foreign_code_is_not_imported(parsed: Parse, group: str, target: str) -> None:
    error = refused(parsed, **{f"{group}._target_": target})
    assert (error.key, error.got) == (f"{group}._target_", target)
    assert f"plugins=[{target.split('.')[0]}]" in error.hint


@pytest.mark.parametrize(
    "target", ["roftbench.methods.nope.Nope", "roftbench.methods.lp.Nope", "roftbench.models.gin.GIN"]
)
def test_a_target_that_is_no_method_is_refused(parsed: Parse, target: str) -> None:
    error = refused(parsed, "l2_sp", **{"method._target_": target})
    assert (error.key, error.got) == ("method._target_", target)


@pytest.mark.parametrize(
    ("group", "target", "base"),
    [("method", "models.gin.GIN", "Method"), ("model", "methods.lp.LinearProbing", "Encoder")],
)
def test_class_of_another_group_is_refused_with_the_base_class(
    plain: DictConfig, group: str, target: str, base: str
) -> None:
    config = plain.copy()
    OmegaConf.set_struct(config, False)
    config[group] = {"name": "x", "_target_": f"roftbench.{target}"}
    with raises_usage(base, key=f"{group}._target_", got=f"roftbench.{target}"):
        parse(config)


@pytest.mark.parametrize("group", ["model", "method", "split"])
@pytest.mark.parametrize(
    "target", ["roftbench.config.plugins.load_plugin", "roftbench.methods.lp.HEAD", "roftbench.config.job.Job"]
)
def test_what_is_no_class_of_the_group_is_never_called(
    plain: DictConfig, tmp_path: Path, group: str, target: str
) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "note.py").write_text(f"open({str(trace)!r}, 'w')\n", encoding="utf-8")
    config = plain.copy()
    OmegaConf.set_struct(config, False)
    config[group] = {"name": "x", "_target_": target, "plugin": str(tmp_path / "note.py"), "seed": 42}
    with raises_usage(key=f"{group}._target_", got=target):
        parse(config)
    assert not trace.exists()


# Checkpoints.


def test_a_published_checkpoint_is_named_by_its_checksum_without_being_read(plain: DictConfig, tmp_path: Path) -> None:
    job = parse(with_model(plain, "gcn_contextpred"))[0]
    card = options("model")["gcn_contextpred"]
    assert job.identity()["model"]["sha256"] == card["sha256"]
    assert "git_blob" not in job.identity()["model"]
    assert job.model.source is not None
    assert job.model.source.places == tuple(card["sources"])
    elsewhere = parse(with_model(plain, "gcn_contextpred", sources=["mirror"], license="mine", verified=False))[0]
    assert elsewhere.key == job.key
    assert parse(with_model(plain, "gcn_contextpred", sha256="0" * 64))[0].key != job.key


def test_where_only_the_git_blob_id_is_known_it_takes_the_place_of_the_checksum(plain: DictConfig) -> None:
    job = parse(with_model(plain, "gin_infomax"))[0]
    named = {key: job.identity()["model"][key] for key in ("sha256", "git_blob")}
    assert named == {"sha256": None, "git_blob": options("model")["gin_infomax"]["git_blob"]}
    assert parse(with_model(plain, "gin_infomax", git_blob="0" * 40))[0].key != job.key


def test_the_key_of_a_bundled_model_knows_no_git_blob_id(plain: DictConfig) -> None:
    model = parse(with_model(plain, "gin_masking"))[0].identity()["model"]
    assert model.keys() == {"name", "target", "params", "sha256"}
    assert parse(with_model(plain, "scratch"))[0].identity()["model"]["sha256"] is None


def test_a_published_file_given_by_its_path_is_the_same_job(plain: DictConfig, shared: Path) -> None:
    path = str(shared / "checkpoints" / "gcn_contextpred.pth")
    job = parse(with_model(plain, "gcn_contextpred", checkpoint=path))[0]
    assert job.key == parse(with_model(plain, "gcn_contextpred"))[0].key
    assert job.model.source is None


@pytest.mark.parametrize("model", ["gcn_contextpred", "gcn_supervised", "gin_contextpred"])
def test_a_published_model_takes_no_other_file(plain: DictConfig, shared: Path, model: str) -> None:
    path = shared / "checkpoints" / "graphsage_contextpred.pth"
    with raises_usage(key="model.checkpoint", got=str(path)):
        parse(with_model(plain, model, checkpoint=str(path)))


@pytest.mark.parametrize(("model", "other"), [("gcn", "graphsage"), ("graphsage", "gcn")])
def test_the_files_of_gcn_and_graphsage_are_told_apart_by_their_content(
    plain: DictConfig, shared: Path, model: str, other: str
) -> None:
    """A strict load of one kind into the other succeeds, so that it must not come to that."""
    right, wrong = (str(shared / "checkpoints" / f"{kind}_supervised.pth") for kind in (model, other))
    job = parse(with_model(plain, model, checkpoint=right))[0]
    digest = options("model")[f"{model}_supervised"]["sha256"]
    assert (job.model.sha256, job.model.pretraining) == (digest, "unknown")
    with raises_usage(f"model={other}_supervised", key="model.checkpoint", got=wrong):
        parse(with_model(plain, model, checkpoint=wrong))
    insisted = options("model")[f"{other}_supervised"]["sha256"]
    assert parse(with_model(plain, model, checkpoint=wrong, sha256=insisted))[0].model.sha256 == insisted


def test_random_weights_of_any_model_are_called_so(plain: DictConfig) -> None:
    model = parse(with_model(plain, "gcn_contextpred", checkpoint=None))[0].model
    assert (model.pretraining, model.sha256, model.git_blob, model.source) == ("none", None, None, None)
    assert model.cautions == ()


def test_a_checkpoint_that_is_published_nowhere_is_refused(parsed: Parse) -> None:
    assert refused(parsed, **{"model.checkpoint": "published"}).key == "model.sources"
    assert refused(parsed, **{"model.pretraining": "much"}).key == "model.pretraining"


def test_a_small_model_can_be_built_from_its_spec(parsed: Parse) -> None:
    encoder = build(parsed(**{"model.dim": 7})[0].model)
    assert isinstance(encoder, GIN)
    assert encoder.dim == 7
    assert not any(parameter.is_meta for parameter in encoder.parameters())


def test_checking_a_huge_model_takes_no_memory(parsed: Parse) -> None:
    job = parsed(**{"model.dim": 1_000_000, "model.num_layers": 30})[0]  # 10^14 weights
    assert job.model.params["dim"] == 1_000_000
    assert torch.get_default_device().type == "cpu"
