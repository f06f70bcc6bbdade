"""From a composed config to a typed, checked job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import METHODS
from omegaconf import DictConfig, OmegaConf
from parsing import Parse, refused
from refusals import raises_usage

from roftbench.config.environment import RunSettings
from roftbench.config.job import TrainSettings
from roftbench.config.parse import parse
from roftbench.config.registry import GROUPS, conf_dir, options

# Every number of every group has a range and a type: a new method's or model's are tested without a line here.

SEEDS = {"seed", "split.seed", "label_ratio.seed"}


def numbers_of(content: dict[str, Any], prefix: str) -> Iterator[tuple[str, int | float]]:
    for key, value in content.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}.{key}", value


def all_numbers() -> list[tuple[str, str, int | float]]:
    """Every numeric key of the shipped configs: method to choose, dotted key, value."""
    found = [(m, *pair) for m in METHODS for pair in numbers_of(options("method")[m], "method")]
    for group, name in (("model", "tiny_gin"), ("train", "paper"), ("run", "default"), ("split", "random")):
        found += [("full_ft", *pair) for pair in numbers_of(options(group)[name], group)]
    more = {"label_ratio.count": 50, "label_ratio.fraction": 0.5, "run.threads": 1, "label_ratio.seed": 42, "seed": 0}
    found += [("full_ft", key, value) for key, value in more.items()]
    left = ("train.interpolation_epochs", "method.order")  # method.epochs refers to one; the other sorts tables
    return [one for one in found if one[1] not in left]


def given(key: str, value: Any) -> dict[str, Any]:
    """The value, and what must not be set beside it."""
    return {key: value, **({"label_ratio.count": None} if key == "label_ratio.fraction" else {})}


@pytest.mark.parametrize(("method", "key", "value"), all_numbers())
def test_every_number_is_checked_for_its_type(parsed: Parse, method: str, key: str, value: float) -> None:
    parsed(method, **given(key, value))
    wrong: list[Any] = ["many", True, [value]]
    if isinstance(value, int) and not isinstance(parsed_number(parsed, method, key, value), float):
        wrong.append(1.5)
    else:
        wrong += [float("inf"), float("nan")]
    for one in wrong:
        assert refused(parsed, method, **given(key, one)).key == key


@pytest.mark.parametrize(("method", "key", "value"), [one for one in all_numbers() if one[1] not in SEEDS])
def test_every_number_but_a_seed_has_a_range(parsed: Parse, method: str, key: str, value: float) -> None:
    error = refused(parsed, method, **given(key, -1))
    assert key.split(".")[-1] in str(error)
    assert "-1" in str(error)


def parsed_number(parsed: Parse, method: str, key: str, value: float) -> Any:
    """The number as the job has it, typed."""
    job, env, _ = parsed(method, **given(key, value))
    group, _, name = key.rpartition(".")
    holders = {
        "method": {name: value, **job.method.params},  # one that keys omit at its default is not there
        "model": {**job.model.params, "parameters": value},  # a word about it, that no job has
        "split": job.split.params,
        "train": vars(job.train),
        "label_ratio": vars(job.label_ratio),
        "run": vars(env.run),
        "": {"seed": job.seed},
    }
    return holders[group][name]


@pytest.mark.parametrize(
    ("method", "key", "got", "allowed"),
    [
        ("roftmol", "method.alpha", 1.01, ()),
        ("roftmol", "method.lr", 0, ()),
        ("roftmol", "method.epochs", 0, ()),
        ("roftmol", "method.constraint", "clip", ("clamp", "none", "sigmoid")),
        ("roftmol", "method.buffers", "tuned", ("finetuned", "interpolate")),
        ("wise_ft", "method.alpha", 1.01, ()),
        ("feature_map", "method.reduction", "max", ("mean", "sum")),
        ("bss", "method.k", 0, ()),
        ("lp", "train.epochs", 0, ()),
        ("lp", "train.batch_size", 1, ()),
        ("lp", "train.lr", 0, ()),
        ("lp", "train.loss", "rmsee", ("bce", "mae", "mse", "rmse")),
        ("lp", "train.loss", "bce", ("mae", "mse", "rmse")),
        ("lp", "train.frozen_mode", "evil", ("eval", "train")),
        ("lp", "train.precision", "fp16", ("bf16", "float32")),
        ("lp", "train.standardize_targets", "perhaps", ()),
        ("lp", "label_ratio.fraction", 0.5, ()),
        ("lp", "label_ratio.count", 0, ()),
        ("lp", "label_ratio.val_budget", "free", ("paper", "strict")),
        ("lp", "split.fractions", [0.8, 0.1], ()),
        ("lp", "split.fractions", [0.8, 0.1, 0.2], ()),
        ("lp", "split.fractions", 0.8, ()),
        ("lp", "run.threads", 0, ()),
        ("lp", "dataset.path", "x.csv", ()),
        ("lp", "dataset.task", "regresion", ("classification", "regression")),
        ("lp", "dataset.metric", "roc_auc", ("mae", "rmse")),
        ("lp", "plugins", "mine.py", ()),
        ("lp", "paths.cache", "", ()),
        ("lp", "paths.results", None, ()),
    ],
)  # fmt: skip
def test_value_out_of_range_is_named_with_allowed_values(
    parsed: Parse, method: str, key: str, got: Any, allowed: tuple[str, ...]
) -> None:
    error = refused(parsed, method, **{key: got})
    assert (error.key, error.got) == (key, got)
    assert set(allowed) <= set(error.allowed)


@pytest.mark.parametrize(("key", "got"), [("num_layers", 0), ("dropout", 1.0)])
def test_impossible_size_of_model_is_refused(parsed: Parse, key: str, got: float) -> None:
    error = refused(parsed, "lp", **{f"model.{key}": got})
    assert error.key == "model"
    assert key in str(error)


def test_text_for_a_list_is_shown_as_a_list(parsed: Parse) -> None:
    assert '"plugins=[mine.py]"' in str(refused(parsed, plugins="mine.py"))


# Unknown and missing names.


@pytest.mark.parametrize("group", ["model", "method", "dataset", "split", "label_ratio", "train", "run", "paths"])
def test_a_key_that_a_group_does_not_know_is_refused(parsed: Parse, group: str) -> None:
    error = refused(parsed, **{f"{group}.seeed": 1})
    assert (error.key, error.got) == (f"{group}.seeed", "seeed")
    assert error.allowed


def test_a_key_beside_the_groups_is_refused(parsed: Parse) -> None:
    error = refused(parsed, sed=1)
    assert error.key == "sed"
    assert "Did you mean 'seed'?" in str(error)


@pytest.mark.parametrize("group", ["model", "method", "dataset", "split", "label_ratio", "train", "run", "paths"])
def test_a_group_that_is_not_chosen_is_asked_for(plain: DictConfig, group: str) -> None:
    config = plain.copy()
    config[group] = None
    with raises_usage(key=group):
        parse(config)


@pytest.mark.parametrize("key", ["method.name", "method._target_", "model.name", "split._target_"])
def test_what_every_component_must_have_is_asked_for(plain: DictConfig, key: str) -> None:
    config = plain.copy()
    OmegaConf.set_struct(config, False)
    group, _, name = key.partition(".")
    del config[group][name]
    with raises_usage(key=key):
        parse(config)


def test_a_value_that_the_config_leaves_to_the_user_is_asked_for(parsed: Parse) -> None:
    error = refused(parsed, **{"model.checkpoint": "???"})
    assert error.key == "model.checkpoint"
    assert "model.checkpoint=FILE" in str(error)


def test_a_reference_to_nowhere_is_told(parsed: Parse) -> None:
    assert "nowhere" in str(refused(parsed, **{"method.epochs": "${train.nowhere}"}))


# Types.


def test_values_are_converted_to_the_types_of_their_classes(parsed: Parse) -> None:
    whole = {"method.weight": 1, "train.lr": 1, "split.fractions": [1, 0, 0], "run.stage_cap_gb": 2}
    job, env, guesses = parsed("l2_sp", **whole)
    values = [job.method.params["weight"], job.train.lr, *job.split.params["fractions"], env.run.stage_cap_gb]
    assert values == [1.0, 1.0, 1.0, 0.0, 0.0, 2.0]
    assert all(type(value) is float for value in values)
    assert guesses == []
    assert isinstance(env.results, Path)


def test_values_of_a_grid_are_converted_too(parsed: Parse) -> None:
    grid = parsed("l2_sp", **{"method.grid.weight": [1, 0.1]})[0].method.grid
    assert grid == {"weight": [1.0, 0.1]}
    assert type(grid["weight"][0]) is float
    assert parsed("surgical_ft")[0].method.grid == {"block": "encoder_blocks"}


def test_numbers_in_words_are_taken_as_a_shell_gives_them(parsed: Parse) -> None:
    assert parsed(**{"train.lr": "1e-2", "train.epochs": "7"})[0].train.epochs == 7


# Folders, and what the files say.


def test_folders_are_absolute_and_the_home_folder_is_known(
    parsed: Parse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    env = parsed(**{"paths.results": "mine", "paths.cache": "~/cache"})[1]
    assert (env.results, env.cache) == (tmp_path / "mine", tmp_path / "home" / "cache")


@pytest.mark.parametrize(("name", "key"), [("ROFTBENCH_RESULTS", "results"), ("ROFTBENCH_CACHE", "cache")])
def test_the_environment_gives_the_folders(monkeypatch: pytest.MonkeyPatch, name: str, key: str) -> None:
    content = options("paths")["default"][key]
    monkeypatch.setenv(name, "/some/where")
    assert OmegaConf.create({"x": content}).x == "/some/where"
    monkeypatch.delenv(name)
    assert OmegaConf.create({"x": content}).x in ("results", "~/.cache/roftbench")


def test_defaults_of_the_classes_are_those_of_the_files() -> None:
    """Whoever builds a job in Python gets what the command line gives."""
    train = {key: value for key, value in options("train")["paper"].items() if key != "interpolation_epochs"}
    assert vars(TrainSettings()) == train
    assert vars(RunSettings()) == options("run")["default"]


def test_every_folder_of_the_config_is_a_group_and_every_group_a_folder() -> None:
    """Except for featurizers, which encoders name and no job chooses, and Hydra's own."""
    assert {path.name for path in conf_dir().iterdir() if path.is_dir()} == {*GROUPS, "featurizer", "hydra"}
    chosen = {key for entry in yaml.safe_load((conf_dir() / "config.yaml").read_text())["defaults"]
              if isinstance(entry, dict) for key in entry}  # fmt: skip
    assert set(GROUPS) <= chosen
