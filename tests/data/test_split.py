"""Splits against the reference splits of ESOL, and the rules of PROTOCOL section 3 on small cases."""

import json
import random
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from roftbench.data.dataset import scaffold_smiles
from roftbench.data.featurize import smiles_to_graph
from roftbench.data.split import Indices, LabelRatio, RandomSplit, ScaffoldSplit, SizeSplit, Split, Splitter
from roftbench.errors import UsageError

SPLITTERS: dict[str, type[Splitter]] = {"random": RandomSplit, "scaffold": ScaffoldSplit, "size": SizeSplit}
RATIOS = {"full": LabelRatio(), **{str(count): LabelRatio(count=count) for count in (50, 100, 500)}}


@dataclass(frozen=True)
class Given:
    """Molecules by what a splitter looks at."""

    sizes: NDArray[np.int64]
    groups: NDArray[np.int64]

    def scaffold_groups(self) -> NDArray[np.int64]:
        return self.groups


def given(sizes: list[int], groups: list[int] | None = None) -> Given:
    return Given(np.array(sizes), np.array(groups if groups is not None else range(len(sizes))))


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "golden" / "splits_esol.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def esol(golden: dict[str, Any]) -> Given:
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(scaffold_smiles(smiles), len(numbers)) for smiles in golden["rows"]]
    return given([len(smiles_to_graph(smiles).x) for smiles in golden["rows"]], groups)


def rest(total: int, *parts: Indices) -> list[int]:
    """Return the indices below `total` that no part holds; each may be held once."""
    held = Counter(np.concatenate(parts).tolist())
    assert max(held.values()) == 1
    assert set(held) <= set(range(total))
    return sorted(set(range(total)) - set(held))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", SPLITTERS)
def test_golden_splits_index_for_index(golden: dict[str, Any], esol: Given, name: str, ratio: str) -> None:
    split = RATIOS[ratio].apply(SPLITTERS[name]()(esol))
    expected = golden["splits"][name][ratio]
    assert split.train.tolist() == expected["train"]
    assert split.val.tolist() == expected["valid"]
    assert split.test.tolist() == expected["test"]


@pytest.mark.parametrize("fractions", [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])
@pytest.mark.parametrize("name", SPLITTERS)
def test_parts_are_disjoint_and_complete(name: str, fractions: list[float]) -> None:
    rng = np.random.default_rng(3)
    molecules = Given(rng.integers(2, 30, size=203), rng.integers(0, 60, size=203))
    split = SPLITTERS[name](fractions=fractions)(molecules)
    assert rest(203, split.train, split.val, split.test) == []
    assert len(split.train) <= fractions[0] * 203
    assert all(part.dtype == np.int64 for part in (split.train, split.val, split.test))


def test_whole_scaffolds_the_largest_first_and_ties_by_the_first_index() -> None:
    #                index   0  1  2  3  4  5  6  7  8  9
    molecules = given([9] * 10, [0, 1, 1, 2, 2, 3, 3, 3, 3, 4])
    split = ScaffoldSplit()(molecules)
    # four of group 3, two of group 2 (its first index is the larger one), two of group 1: 8 = 0.8 · 10
    assert split.train.tolist() == [5, 6, 7, 8, 3, 4, 1, 2]
    assert split.val.tolist() == [9]
    assert split.test.tolist() == [0]


def test_a_small_late_scaffold_may_still_enter_train() -> None:
    molecules = given([9] * 10, [0] * 7 + [1, 1, 2])
    split = ScaffoldSplit()(molecules)
    assert split.train.tolist() == [*range(7), 9]  # 7, then 7 + 2 > 8, then 7 + 1
    assert split.val.tolist() == [7, 8]  # 7 + 2 = 0.9 · 10 when it was its turn
    assert split.test.tolist() == []


def test_the_largest_molecules_are_the_test_set() -> None:
    split = SizeSplit()(given([30, 2, 17, 2, 5, 5, 12, 9, 8, 3]))
    assert split.train.tolist() == [1, 3, 9, 4, 5, 8, 7, 6]
    assert split.val.tolist() == [2]
    assert split.test.tolist() == [0]


def test_only_the_random_split_has_a_seed_that_matters() -> None:
    rng = np.random.default_rng(0)
    molecules = Given(rng.integers(2, 30, size=100), rng.integers(0, 60, size=100))
    for name, splitter in SPLITTERS.items():
        hashes = {splitter(seed=seed)(molecules).sha256 for seed in (42, 42, 43)}
        assert len(hashes) == (2 if name == "random" else 1), name


@pytest.mark.parametrize("name", SPLITTERS)
def test_the_global_generator_is_neither_used_nor_moved(name: str) -> None:
    hashes = set()
    for seed in (0, 1):
        random.seed(seed)
        state = random.getstate()
        hashes.add(LabelRatio(count=5).apply(SPLITTERS[name]()(given(list(range(50))))).sha256)
        assert random.getstate() == state
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "fractions", [[0.8, 0.2], [0.8, 0.1, 0.2], [1.1, -0.1, 0.0], [0.25, 0.25, 0.25, 0.25]], ids=str
)
def test_wrong_fractions(fractions: list[float]) -> None:
    with pytest.raises(ValueError, match=r"fractions must be three numbers .*: \["):
        RandomSplit(fractions=fractions)


@pytest.fixture
def split() -> Split:
    return RandomSplit()(given([5] * 240))


@pytest.mark.parametrize("name", SPLITTERS)
def test_smaller_subsets_lie_inside_larger_ones(name: str) -> None:
    rng = np.random.default_rng(1)
    whole = SPLITTERS[name]()(Given(rng.integers(2, 30, size=240), rng.integers(0, 90, size=240)))
    parts = [LabelRatio(count=n).apply(whole) for n in (1, 7, 50, 120, len(whole.train))]
    for small, large in pairwise(parts):
        assert large.train[: len(small.train)].tolist() == small.train.tolist()
        assert (small.val.tolist(), small.test.tolist()) == (whole.val.tolist(), whole.test.tolist())
    assert sorted(parts[-1].train) == sorted(whole.train)


def test_a_fraction_is_the_count_that_it_rounds_to(split: Split) -> None:
    assert len(split.train) == 192
    for fraction, count in [(1.0, 192), (0.5, 96), (0.33, 63), (0.01, 2), (0.001, 1), (1e-9, 1)]:
        by_fraction, by_count = LabelRatio(fraction=fraction).apply(split), LabelRatio(count=count).apply(split)
        assert by_fraction.train.tolist() == by_count.train.tolist()
        assert len(by_fraction.train) == count == max(1, round(fraction * 192))


def test_full_is_the_split_itself(split: Split) -> None:
    assert LabelRatio().apply(split).sha256 == split.sha256
    assert LabelRatio(val_budget="strict").apply(split).sha256 == split.sha256


def test_a_random_split_is_shuffled_already(split: Split) -> None:
    assert LabelRatio(count=20).apply(split).train.tolist() == split.train[:20].tolist()


def test_the_seed_of_the_subset_is_its_own(split: Split) -> None:
    subsets = {tuple(LabelRatio(count=20, seed=seed).apply(split).train.tolist()) for seed in (42, 42, 0, 1)}
    assert len(subsets) == 3
    assert all(set(subset) <= set(split.train.tolist()) for subset in subsets)


def test_more_labels_than_there_are(split: Split) -> None:
    with pytest.raises(UsageError, match=r"193 training labels, but the training part has 192"):
        LabelRatio(count=193).apply(split)
    assert len(LabelRatio(count=192).apply(split).train) == 192


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fraction": 0.5, "count": 50}, r"fraction \(0.5\) and count \(50\) are both set"),
        ({"fraction": 0.0}, "fraction must be > 0 and ≤ 1, got 0"),
        ({"fraction": 1.2}, "fraction must be > 0 and ≤ 1, got 1.2"),
        ({"count": 0}, "count must be ≥ 1, got 0"),
        ({"val_budget": "strikt"}, "val_budget is 'strikt'. Did you mean 'strict'?"),
    ],
)
def test_impossible_ratios(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
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
    ],
)
def test_names(ratio: LabelRatio, name: str) -> None:
    assert ratio.name == name


@pytest.mark.parametrize("count", [2, 5, 50, 77, 100])
def test_a_strict_budget_counts_validation_labels(split: Split, count: int) -> None:
    strict = LabelRatio(count=count, val_budget="strict").apply(split)
    paper = LabelRatio(count=count).apply(split)
    assert len(strict.train) + len(strict.val) == count
    assert len(strict.train) == int(0.8 * count)
    assert strict.train.tolist() == paper.train[: len(strict.train)].tolist()
    assert set(strict.val.tolist()) <= set(paper.val.tolist())
    assert strict.test.tolist() == paper.test.tolist()
    rest(240, strict.train, strict.val, strict.test)


def test_a_strict_budget_larger_than_the_validation_part(split: Split) -> None:
    strict = LabelRatio(fraction=1.0, val_budget="strict").apply(split)
    assert len(split.val) == 24
    assert (len(strict.train), len(strict.val)) == (192 - 24, 24)


def test_strict_validation_labels_are_nested_and_drawn_at_random() -> None:
    ordered = Split(np.arange(80), np.arange(80, 100), np.arange(100, 120))
    small, large = (LabelRatio(count=n, val_budget="strict").apply(ordered).val.tolist() for n in (25, 75))
    assert (len(small), len(large)) == (5, 15)
    assert large[:5] == small
    assert small != [80, 81, 82, 83, 84]  # a scaffold or size split's validation part is sorted by group


def test_one_label_cannot_be_divided(split: Split) -> None:
    with pytest.raises(UsageError, match=r"val_budget=strict .* 1 is too few"):
        LabelRatio(fraction=1e-6, val_budget="strict").apply(split)
    assert len(LabelRatio(fraction=1e-6).apply(split).train) == 1


def test_the_hash_tells_parts_and_their_order(split: Split) -> None:
    assert replace(split, train=split.train.copy(), order_seed=None).sha256 == split.sha256
    changed = [
        replace(split, train=split.train[::-1]),
        replace(split, train=split.train[:-1]),
        replace(split, val=split.test, test=split.val),
        replace(split, val=np.concatenate([split.val, split.test[:1]]), test=split.test[1:]),
    ]
    assert len({part.sha256 for part in (split, *changed)}) == 5
    small = [([1], [2], []), ([12], [], []), ([1, 2], [], []), ([1], [], [2])]
    assert len({Split(*(np.array(part, dtype=np.int64) for part in parts)).sha256 for parts in small}) == 4


def test_parts_as_plain_lists(split: Split) -> None:
    assert json.loads(json.dumps(split.to_dict())) == {
        "train": split.train.tolist(),
        "val": split.val.tolist(),
        "test": split.test.tolist(),
    }
