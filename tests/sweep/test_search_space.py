"""The space of a search: what overrides mean to Optuna, what is refused, and values that Hydra reads back exactly."""

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from refusals import raises_usage

from roftbench.sweep.search_space import SearchSettings, SearchSpace, assignments


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("method.weight=interval(0,1)", FloatDistribution(0, 1)),
        ("method.weight=tag(log,interval(1e-4,1))", FloatDistribution(1e-4, 1, log=True)),
        ("train.epochs=int(interval(1,9))", IntDistribution(1, 9)),
        ("train.epochs=int(tag(log,interval(1,9)))", IntDistribution(1, 9, log=True)),
        ("train.epochs=range(2,9,3)", IntDistribution(2, 8, step=3)),
        ("method.alpha=range(0,0.5,0.25)", FloatDistribution(0, 0.25, step=0.25)),
        ("method=lp,lp_ft", CategoricalDistribution(["lp", "lp_ft"])),
        ("+train.x=choice(1,true,[a,b])", CategoricalDistribution(["1", "True", "[a,b]"])),
    ],
)
def test_an_override_is_a_distribution(text: str, axis: Any) -> None:
    space = SearchSpace.parse(["dataset=esol", text])
    assert space.fixed == ("dataset=esol",)
    assert space.axes == {text.partition("=")[0]: axis}


def test_seeds_and_folds_are_repeated_and_the_last_override_of_a_key_counts() -> None:
    texts = ["method.weight=1", "seed=0,1", "split.fold=range(0,3)", "train.lr=1,2", "method.weight=2,3", "train.lr=1"]
    space = SearchSpace.parse(texts)
    assert space.fixed == ("seed=0,1", "split.fold=range(0,3)", "train.lr=1")
    assert list(space.axes) == ["method.weight"]
    assert space.overrides({"method.weight": "2"}) == (*space.fixed, "method.weight=2")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("dataset=esol,lipo", "dataset"),
        ("split=random,scaffold", "split"),
        ("label_ratio.count=50,100", "label_ratio.count"),
        ("experiment=a,b", "experiment"),
        ("seed=interval(0,9)", "seed"),
        ("run.threads=1,2", "run.threads"),
        ("method=glob(l*)", "method"),
        ("method.weight=interval(1,0)", "method.weight"),
        ("method.weight=tag(log,interval(0,1))", "method.weight"),
        ("seed=0,1", "hydra/sweeper"),  # nothing is searched
    ],
)
def test_what_cannot_be_searched_is_refused(text: str, key: str) -> None:
    with raises_usage(key=key):
        SearchSpace.parse([text])


def test_the_corners_are_the_ends_and_the_choices_of_each_key_alone() -> None:
    space = SearchSpace.parse(["method.weight=interval(0,1)", "train.epochs=range(1,4)", "method=a,b,c"])
    first = {"method.weight": 0.0, "train.epochs": 1, "method": "a"}
    others: list[dict[str, Any]] = [{"method.weight": 1.0}, {"train.epochs": 3}, {"method": "b"}, {"method": "c"}]
    assert list(space.corners()) == [first, *({**first, **one} for one in others)]


def test_hydra_reads_back_the_very_value() -> None:
    values = {"train.lr": 1.2345678901234567e-05, "method.weight": -0.1 - 0.2, "train.epochs": 7, "method": "lp"}
    parsed = OverridesParser.create().parse_overrides(assignments(values))
    assert {one.get_key_element(): one.value() for one in parsed} == values


@pytest.mark.parametrize("wrong", [{"n_trials": 0}, {"n_jobs": 0}, {"sampler": "grid"}, {"seed": -1}])
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with raises_usage(key=next(iter(wrong))):
        SearchSettings(**wrong)
