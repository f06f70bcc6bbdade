"""Configs of a sweep put together from few compositions: equal to what Hydra composes for each, in its order."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from omegaconf import DictConfig
from refusals import raises_usage

from roftbench.config.compose import composed
from roftbench.config.parse import parse, resolved
from roftbench.sweep.grid import expand


class Counting:
    """Hydra's composition, and how often it was asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.calls = folder, 0

    def __call__(self, texts: Sequence[str]) -> DictConfig:
        self.calls += 1
        return composed(list(texts), self.folder)


INDEPENDENT = ["model=tiny_gin", "method=lp,roftmol", "dataset=esol,bbbp", "seed=0,1,2", "train=paper,smoke"]
SAME_SECTION = [
    "model=tiny_gin",
    "method=wise_ft,roftmol",
    "method.alpha=0.1,0.5",
    "train.lr=0.1,0.01",
    "train=smoke,paper",
]


@pytest.mark.parametrize("texts", [INDEPENDENT, SAME_SECTION], ids=["independent", "same section"])
def test_every_combination_is_what_hydra_composes_for_it(texts: list[str]) -> None:
    points = list(expand(texts, Counting()))
    assert len({point.overrides for point in points}) == len(points) > 15
    for point in points:
        assert point.config == resolved(composed(list(point.overrides), None))


def test_the_last_key_changes_fastest_and_the_last_override_of_a_key_counts() -> None:
    points = list(expand(["model=tiny_gin", "seed=7", "dataset=esol,bbbp", "seed=range(0,3)"], Counting()))
    assert [point.overrides for point in points] == [
        ("model=tiny_gin", f"seed={seed}", f"dataset={name}") for seed in (0, 1, 2) for name in ("esol", "bbbp")
    ]


def test_hydra_composes_each_value_once_and_combinations_only_where_values_meet() -> None:
    compose = Counting()
    assert len(list(expand(INDEPENDENT, compose))) == 24
    assert compose.calls == 1 + 1 + 1 + 2 + 1
    compose = Counting()
    assert len(list(expand(SAME_SECTION, compose))) == 16
    assert compose.calls == 1 + 4 + 2  # both values of an axis, and one combination of both axes a section


def test_values_of_one_section_are_composed_once_each_not_in_every_combination() -> None:
    compose = Counting()
    texts = [
        "model=tiny_gin",
        "method=l2_sp,bss",
        "method.weight=0.1,1",
        "+method.extra=1,2,3",
        "method.grid.weight=[1],[2]",
    ]
    values = ["train.lr=0.1,0.2,0.3", "train.epochs=1,2,3", "train.batch_size=8,16,32", "split.seed=1,2"]
    points = list(expand([*texts, *values], compose))
    assert len(points) == 2 * 2 * 3 * 2 * 27 * 2
    first = 1 + (1 + 1 + 1 + 1) + (1 + 1 + 1) + 1  # two values of each key; of three numbers the third is written in
    assert compose.calls == first + (1 + 2 + 1)  # and the values of a method's with the other method
    for point in points[::31]:
        assert point.config == resolved(composed(list(point.overrides), None))


@pytest.mark.parametrize(
    "lists", [["method.grid.weight.0=.5,.6", "method.weight=.1,.2"], ["seed=1,2", "method.k=${[seed]}"]]
)
def test_elements_of_lists_and_references_in_brackets_are_what_hydra_makes_of_them(lists: list[str]) -> None:
    for point in expand(["model=tiny_gin", "method=bss", *lists], Counting()):
        assert point.config == resolved(composed(list(point.overrides), None))


def test_a_value_within_another_is_composed_with_it_in_every_combination() -> None:
    points = list(
        expand(
            ["model=tiny_gin", "method=bss", "method.grid={weight:[1]},{weight:[2]}", "method.grid.weight=[3],[4]"],
            Counting(),
        )
    )
    assert len(points) == 4
    for point in points:
        assert point.config == resolved(composed(list(point.overrides), None))


@pytest.mark.parametrize("reference", ["${oc.select:train.epochs,7}", "${oc.dict.values:train}", "${train.epochs}"])
def test_what_a_resolver_reads_follows_the_sweep(tmp_path: Path, reference: str) -> None:
    (tmp_path / "method").mkdir()
    text = f"name: mine\n_target_: roftbench.methods.full_ft.FullFT\nepochs: {reference}\n"
    (tmp_path / "method" / "mine.yaml").write_text(text)
    for point in expand(["model=tiny_gin", "method=mine", "train.epochs=3,4", "seed=0,1"], Counting(tmp_path)):
        assert point.config == resolved(composed(list(point.overrides), tmp_path))


def test_what_is_no_part_of_a_job_is_not_swept() -> None:
    for text in ("paths.results=a,b", "run.threads=1,2", "run.keep=true,false"):
        with raises_usage(key=text.partition("=")[0], got=text):
            list(expand(["model=tiny_gin", "seed=0,1", text], Counting()))
    with raises_usage(key="seed", got="seed=interval(0,1)"):
        list(expand(["model=tiny_gin", "seed=interval(0,1)"], Counting()))


def test_a_preset_over_several_groups_is_composed_with_what_it_touches(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    for name, epochs in (("short", 2), ("long", 9)):
        text = f"# @package _global_\nmethod:\n  epochs: {epochs}\ntrain:\n  epochs: {epochs}\n"
        (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
    texts = ["model=tiny_gin", "experiment=short,long", "train.lr=0.1,0.2", "seed=0,1"]
    points = list(expand(texts, Counting(tmp_path)))
    assert len(points) == 8
    for point in points:
        assert point.config == resolved(composed(list(point.overrides), tmp_path))
    assert {(point.config["method"]["epochs"], point.config["train"]["lr"]) for point in points} == {
        (2, 0.1), (2, 0.2), (9, 0.1), (9, 0.2),
    }  # fmt: skip


def test_jobs_of_a_sweep_have_the_keys_of_single_jobs() -> None:
    for point in expand(["model=tiny_gin", "method=lp,bss", "split=random,scaffold", "split.seed=1,2"], Counting()):
        single = parse(composed(list(point.overrides), None))[0]
        assert parse(DictConfig(point.config))[0].key == single.key


def test_a_value_that_must_be_given_and_a_group_that_is_not_chosen_are_refused() -> None:
    with raises_usage(key="model.checkpoint"):
        list(expand(["model=gin", "seed=0,1"], Counting()))
    with raises_usage(key="split"):
        list(expand(["~split", "seed=0,1"], Counting()))
