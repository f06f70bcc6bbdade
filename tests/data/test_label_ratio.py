"""Which labels are used: nested, counted, stratified."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from given import Given, given, rest, used
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from refusals import raises_usage

from roftbench.data.label_ratio import LabelRatio, strata
from roftbench.data.split import RandomScaffoldSplit, RandomSplit, ScaffoldSplit, SizeSplit, Split, Splitter


@pytest.fixture
def split() -> Split:
    return RandomSplit()(given([5] * 240))


@pytest.mark.parametrize("splitter", [RandomSplit, ScaffoldSplit, SizeSplit, RandomScaffoldSplit])
def test_smaller_subsets_lie_inside_larger_ones(splitter: type[Splitter]) -> None:
    rng = np.random.default_rng(1)
    whole = splitter()(Given(rng.integers(2, 30, size=240), rng.integers(0, 90, size=240)))
    parts = [used(LabelRatio(count=n), whole) for n in (1, 7, 50, 120, len(whole.train))]
    for small, large in pairwise(parts):
        assert large.train[: len(small.train)].tolist() == small.train.tolist()
        assert (small.val.tolist(), small.test.tolist()) == (whole.val.tolist(), whole.test.tolist())
    assert sorted(parts[-1].train) == sorted(whole.train)


def test_a_fraction_is_the_count_that_it_rounds_to(split: Split) -> None:
    assert len(split.train) == 192
    for fraction, count in [(1.0, 192), (0.5, 96), (0.33, 63), (0.01, 2), (0.001, 1), (1e-9, 1)]:
        by_fraction, by_count = used(LabelRatio(fraction=fraction), split), used(LabelRatio(count=count), split)
        assert by_fraction.train.tolist() == by_count.train.tolist()
        assert len(by_fraction.train) == count == max(1, round(fraction * 192))


def test_full_is_the_split_itself(split: Split) -> None:
    assert used(LabelRatio(), split).sha256 == split.sha256
    assert used(LabelRatio(val_budget="strict"), split).sha256 == split.sha256


def test_a_random_split_is_shuffled_already(split: Split) -> None:
    assert used(LabelRatio(count=20), split).train.tolist() == split.train[:20].tolist()


def test_the_seed_of_the_subset_is_its_own(split: Split) -> None:
    subsets = {tuple(used(LabelRatio(count=20, seed=seed), split).train.tolist()) for seed in (42, 42, 0, 1)}
    assert len(subsets) == 3
    assert all(set(subset) <= set(split.train.tolist()) for subset in subsets)


def test_more_labels_than_there_are(split: Split) -> None:
    with raises_usage("192", key="label_ratio.count", got=193):
        used(LabelRatio(count=193), split)
    assert len(used(LabelRatio(count=192), split).train) == 192


@pytest.mark.parametrize(
    "settings",
    [{"fraction": 0.5, "count": 50}, {"fraction": 0.0}, {"fraction": 1.2}, {"count": 0}, {"val_budget": "strikt"}],
)
def test_impossible_ratios(settings: dict[str, Any]) -> None:
    key, got = next(iter(settings.items()))
    with raises_usage(key=key, got=got):
        LabelRatio(**settings)


@pytest.mark.parametrize(
    ("ratio", "name"),
    [
        (LabelRatio(), "full"),
        (LabelRatio(count=50), "n50"),
        (LabelRatio(fraction=0.05), "r05"),
        (LabelRatio(fraction=0.25), "r25"),
        (LabelRatio(fraction=0.07), "r07"),
        (LabelRatio(fraction=1.0), "r100"),
        (LabelRatio(fraction=0.125), "r12.5"),
        (LabelRatio(count=50, stratified=True), "n50-stratified"),
        (LabelRatio(fraction=0.25, stratified=True, val_budget="strict"), "r25-stratified-strict"),
        (LabelRatio(stratified=True, val_budget="strict"), "full"),
    ],
)
def test_names(ratio: LabelRatio, name: str) -> None:
    assert ratio.name == name


@pytest.mark.parametrize("count", [2, 5, 50, 77, 100])
def test_a_strict_budget_counts_validation_labels(split: Split, count: int) -> None:
    strict = used(LabelRatio(count=count, val_budget="strict"), split)
    paper = used(LabelRatio(count=count), split)
    assert len(strict.train) + len(strict.val) == count
    assert len(strict.train) == int(0.8 * count)
    assert strict.train.tolist() == paper.train[: len(strict.train)].tolist()
    assert set(strict.val.tolist()) <= set(paper.val.tolist())
    assert strict.test.tolist() == paper.test.tolist()
    rest(240, strict.train, strict.val, strict.test)


def test_a_strict_budget_larger_than_the_validation_part(split: Split) -> None:
    strict = used(LabelRatio(fraction=1.0, val_budget="strict"), split)
    assert len(split.val) == 24
    assert (len(strict.train), len(strict.val)) == (192 - 24, 24)
    assert strict.note == "of 192 labels 24, not 39, validate, as the validation part has no more"
    assert used(LabelRatio(count=50, val_budget="strict"), split).note == ""


def test_strict_validation_labels_are_nested_and_drawn_at_random() -> None:
    ordered = Split(np.arange(80), np.arange(80, 100), np.arange(100, 120))
    small, large = (used(LabelRatio(count=n, val_budget="strict"), ordered).val.tolist() for n in (25, 75))
    assert (len(small), len(large)) == (5, 15)
    assert large[:5] == small
    assert small != [80, 81, 82, 83, 84]  # a scaffold or size split's validation part is sorted by group


def test_one_label_cannot_be_divided(split: Split) -> None:
    with raises_usage(key="label_ratio.val_budget", got=1):
        used(LabelRatio(fraction=1e-6, val_budget="strict"), split)
    assert len(used(LabelRatio(fraction=1e-6), split).train) == 1


@settings(deadline=None, max_examples=60)
@drawn(
    labels=st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=2, max_size=150),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_every_stratified_subset_has_both_classes_in_their_share(
    labels: list[float], seed: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, len(labels)))
    y = np.array(labels)[:, None]
    everything = Split(np.arange(len(labels)), np.arange(0), np.arange(0))
    small, large = (
        used(LabelRatio(count=n, seed=seed, stratified=True), everything, y, "classification").train
        for n in (count, len(labels))
    )
    assert large[:count].tolist() == small.tolist()
    assert sorted(large) == list(range(len(labels)))
    for value in (0.0, 1.0):
        share = count * np.mean(y == value)
        assert abs(np.sum(y[small] == value) - share) <= 1


def test_a_rare_class_enters_a_stratified_subset_and_not_a_plain_one() -> None:
    y = np.zeros((400, 1))
    everything = Split(np.arange(400), np.arange(0), np.arange(0))
    y[used(LabelRatio(count=400), everything).train[-6:]] = 1  # those that a plain subset would take last
    plain = used(LabelRatio(count=50), everything, y, "classification").train
    stratified = used(LabelRatio(count=50, stratified=True), everything, y, "classification").train
    assert y[plain].sum() == 0
    assert y[stratified].sum() == 1


def test_tenths_of_a_regression_label() -> None:
    y = np.random.default_rng(0).lognormal(size=(200, 1))
    everything = Split(np.arange(200), np.arange(0), np.arange(0))
    subset = used(LabelRatio(count=20, stratified=True), everything, y, "regression").train
    tenth = np.argsort(np.argsort(y[:, 0])) // 20
    assert sorted(tenth[subset].tolist()) == sorted([*range(10), *range(10)])


def test_strata_of_many_tasks_are_their_rarest_class_1() -> None:
    nan = float("nan")
    y = np.array([[1, 0, 1], [1, 1, nan], [0, 0, 0], [nan, nan, nan], [1, nan, 0]])
    assert strata(y, "classification").tolist() == [2, 1, -1, -2, 0]


def test_strata_of_several_regression_labels_are_those_of_the_mean_standardized_one() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(100, 2)) * [1, 1000] + [0, 5]
    y[rng.random((100, 2)) < 0.3] = np.nan
    found = strata(y, "regression")
    unlabeled = np.isnan(y).all(axis=1)
    assert unlabeled.any()
    assert (found[unlabeled] == -1).all()
    standardized = (y - np.nanmean(y, axis=0)) / np.nanstd(y, axis=0)
    level = np.nanmean(standardized[~unlabeled], axis=1)
    order = np.argsort(level)
    assert (np.diff(found[~unlabeled][order]) >= 0).all()
    assert set(found[~unlabeled]) == set(range(10))


def test_strict_and_stratified_draw_both_parts_by_class() -> None:
    y = (np.arange(240) % 4 == 0).astype(float)[:, None]
    whole = RandomSplit()(given([5] * 240))
    parts = used(LabelRatio(count=50, stratified=True, val_budget="strict"), whole, y, "classification")
    assert (len(parts.train), len(parts.val)) == (40, 10)
    for part, everything in ((parts.train, whole.train), (parts.val, whole.val)):
        assert abs(y[part].sum() - len(part) * y[everything].mean()) <= 1
