"""From a composed config to a typed, checked job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import METHODS
from omegaconf import DictConfig, OmegaConf
from parsing import Parse, refused

from roftbench.config.environment import RunSettings
from roftbench.config.job import TrainSettings
from roftbench.config.parse import parse
from roftbench.config.registry import GROUPS, conf_dir, options
from roftbench.errors import UsageError

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
    assert key in refused(parsed, method, **given(key, "many"))
    assert key in refused(parsed, method, **given(key, True))
    assert key in refused(parsed, method, **given(key, [value]))
    if isinstance(value, int) and not isinstance(parsed_number(parsed, method, key, value), float):
        assert key in refused(parsed, method, **given(key, 1.5))
    else:
        assert "finite" in refused(parsed, method, **given(key, float("inf")))
        assert "finite" in refused(parsed, method, **given(key, float("nan")))


@pytest.mark.parametrize(("method", "key", "value"), [one for one in all_numbers() if one[1] not in SEEDS])
def test_every_number_but_a_seed_has_a_range(parsed: Parse, method: str, key: str, value: float) -> None:
    text = refused(parsed, method, **given(key, -1))
    assert key.split(".")[-1] in text
    assert "-1" in text


def parsed_number(parsed: Parse, method: str, key: str, value: float) -> Any:
    """The number as the job has it, typed."""
    job, env, _ = parsed(method, **given(key, value))
    group, _, name = key.rpartition(".")
    holders = {
        "method": job.method.params,
        "model": {**job.model.params, "parameters": value},  # a word about it, that no job has
        "split": job.split.params,
        "train": vars(job.train),
        "label_ratio": vars(job.label_ratio),
        "run": vars(env.run),
        "": {"seed": job.seed},
    }
    return holders[group][name]


@pytest.mark.parametrize(
    ("method", "values", "parts"),
    [
        ("roftmol", {"method.alpha": 1.01}, ["method.alpha must be ≥ 0 and ≤ 1, got 1.01"]),
        ("roftmol", {"method.lr": 0}, ["method.lr must be > 0, got 0"]),
        ("roftmol", {"method.epochs": 0}, ["method.epochs must be ≥ 1"]),
        ("roftmol", {"method.constraint": "clip"}, ["method.constraint is 'clip'", "clamp, none, sigmoid"]),
        ("roftmol", {"method.buffers": "tuned"}, ["method.buffers is 'tuned'", "'finetuned'"]),
        ("wise_ft", {"method.alpha": 1.01}, ["method.alpha must be ≥ 0 and ≤ 1"]),
        ("feature_map", {"method.reduction": "max"}, ["method.reduction is 'max'", "mean, sum"]),
        ("bss", {"method.k": 0}, ["method.k must be ≥ 1"]),
        ("lp", {"train.epochs": 0}, ["train.epochs must be ≥ 1"]),
        ("lp", {"train.batch_size": 1}, ["train.batch_size must be ≥ 2"]),
        ("lp", {"train.lr": 0}, ["train.lr must be > 0"]),
        ("lp", {"train.loss": "rmsee"}, ["train.loss is 'rmsee'", "'rmse'"]),
        ("lp", {"train.frozen_mode": "evil"}, ["train.frozen_mode is 'evil'", "'eval'"]),
        ("lp", {"train.precision": "fp16"}, ["train.precision is 'fp16'", "bf16, float32"]),
        ("lp", {"train.standardize_targets": "perhaps"}, ["train.standardize_targets", "'perhaps'"]),
        ("lp", {"label_ratio.fraction": 0.5}, ["fraction (0.5) and count (50)"]),
        ("lp", {"label_ratio.count": 0}, ["label_ratio.count must be ≥ 1"]),
        ("lp", {"label_ratio.val_budget": "free"}, ["label_ratio.val_budget is 'free'", "paper, strict"]),
        ("lp", {"split.fractions": [0.8, 0.1]}, ["split.fractions must be three numbers"]),
        ("lp", {"split.fractions": [0.8, 0.1, 0.2]}, ["split.fractions", "sum 1"]),
        ("lp", {"split.fractions": 0.8}, ["split.fractions must be a list"]),
        ("lp", {"model.num_layers": 0}, ["model", "num_layers ≥ 1"]),
        ("lp", {"model.dropout": 1.0}, ["model", "dropout < 1"]),
        ("lp", {"run.threads": 0}, ["run.threads must be ≥ 1"]),
        ("lp", {"dataset.path": "x.csv"}, ["dataset.path", "sources", "exactly one"]),
        ("lp", {"dataset.task": "regresion"}, ["dataset.task is 'regresion'", "'regression'"]),
        ("lp", {"dataset.metric": "roc_auc"}, ["dataset.metric is 'roc_auc'", "rmse"]),
        ("lp", {"plugins": "mine.py"}, ["plugins must be a list, such as \"plugins=[mine.py]\""]),
        ("lp", {"paths.cache": ""}, ["paths.cache is empty"]),
        ("lp", {"paths.results": None}, ["paths.results"]),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_named_with_what_is_allowed(
    parsed: Parse, method: str, values: dict[str, Any], parts: list[str]
) -> None:
    text = refused(parsed, method, **values)
    for part in parts:
        assert part in text


# Unknown and missing names.


@pytest.mark.parametrize("group", ["model", "method", "dataset", "split", "label_ratio", "train", "run", "paths"])
def test_a_key_that_a_group_does_not_know_is_refused(parsed: Parse, group: str) -> None:
    text = refused(parsed, **{f"{group}.seeed": 1})
    assert text.startswith(f"unknown key '{group}.seeed'.")
    assert "Allowed: " in text


def test_a_key_beside_the_groups_is_refused(parsed: Parse) -> None:
    assert "unknown key 'sed'. Did you mean 'seed'?" in refused(parsed, sed=1)


@pytest.mark.parametrize("group", ["model", "method", "dataset", "split", "label_ratio", "train", "run", "paths"])
def test_a_group_that_is_not_chosen_is_asked_for(plain: DictConfig, group: str) -> None:
    config = plain.copy()
    config[group] = None
    with pytest.raises(UsageError, match=f"'{group}' is not chosen: give {group}=NAME"):
        parse(config)


@pytest.mark.parametrize("key", ["method.name", "method._target_", "model.name", "split._target_"])
def test_what_every_component_must_have_is_asked_for(plain: DictConfig, key: str) -> None:
    config = plain.copy()
    OmegaConf.set_struct(config, False)
    group, _, name = key.partition(".")
    del config[group][name]
    with pytest.raises(UsageError, match=f"{key} must be given"):
        parse(config)


def test_a_value_that_the_config_leaves_to_the_user_is_asked_for(parsed: Parse) -> None:
    text = refused(parsed, **{"model.checkpoint": "???"})
    assert text == "model.checkpoint must be given: model.checkpoint=FILE on the command line"


def test_a_reference_to_nowhere_is_told(parsed: Parse) -> None:
    assert "nowhere" in refused(parsed, **{"method.epochs": "${train.nowhere}"})


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
    assert {path.name for path in conf_dir().iterdir() if path.is_dir()} == {*GROUPS, "hydra"}
    chosen = {key for entry in yaml.safe_load((conf_dir() / "config.yaml").read_text())["defaults"]
              if isinstance(entry, dict) for key in entry}  # fmt: skip
    assert set(GROUPS) <= chosen
