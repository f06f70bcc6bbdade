"""Splits against the reference splits of ESOL, and the rules of docs/protocol.md on small cases."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given import Given, given, rest, used
from hypothesis import example, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from refusals import raises_usage

from roftbench.data.featurizers.hu import scaffold_smiles, smiles_to_graph
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.split import RandomScaffoldSplit, RandomSplit, Refit, ScaffoldSplit, SizeSplit, Split, Splitter

SPLITTERS: dict[str, type[Splitter]] = {
    "random": RandomSplit,
    "scaffold": ScaffoldSplit,
    "size": SizeSplit,
    "random_scaffold": RandomScaffoldSplit,
}
PAPER = ("random", "scaffold", "size")
RATIOS = {"full": LabelRatio(), **{str(count): LabelRatio(count=count) for count in (50, 100, 500)}}


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "golden" / "splits_esol.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def esol(golden: dict[str, Any]) -> Given:
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(scaffold_smiles(smiles), len(numbers)) for smiles in golden["rows"]]
    return given([len(smiles_to_graph(smiles).x) for smiles in golden["rows"]], groups)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", PAPER)
def test_golden_splits_index_for_index(golden: dict[str, Any], esol: Given, name: str, ratio: str) -> None:
    split = used(RATIOS[ratio], SPLITTERS[name]()(esol))
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
    if name == "random_scaffold":
        assert len(split.val) <= fractions[1] * 203
        assert len(split.test) <= fractions[2] * 203
    else:
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


def test_the_seed_matters_where_a_splitter_says_so() -> None:
    rng = np.random.default_rng(0)
    molecules = Given(rng.integers(2, 30, size=100), rng.integers(0, 60, size=100))
    assert [name for name, splitter in SPLITTERS.items() if splitter.seeded] == ["random", "random_scaffold"]
    for name, splitter in SPLITTERS.items():
        hashes = {splitter(seed=seed)(molecules).sha256 for seed in (42, 42, 43)}
        assert len(hashes) == (2 if splitter.seeded else 1), name


@settings(deadline=None, max_examples=60)
@drawn(
    molecules=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 25)), max_size=120),
    name=st.sampled_from(sorted(SPLITTERS)),
    seed=st.integers(0, 2**32 - 1),
)
@example(molecules=[], name="random_scaffold", seed=0)
@example(molecules=[(1, 0)], name="size", seed=0)
def test_any_molecules_are_cut_into_disjoint_complete_parts(
    molecules: list[tuple[int, int]], name: str, seed: int
) -> None:
    sizes, groups = [size for size, _ in molecules], [group for _, group in molecules]
    total = len(molecules)
    cut = SPLITTERS[name](seed=seed)
    split = cut(given(sizes, groups))
    assert cut(given(sizes, groups)).sha256 == split.sha256
    assert sorted([*split.train, *split.val, *split.test]) == list(range(total))
    of_group = sizes if name == "size" else groups
    owners: dict[int, set[str]] = {}
    for part, rows in split.to_dict().items():
        for row in rows:
            owners.setdefault(of_group[row], set()).add(part)
    if name == "random":
        assert [len(split.train), len(split.val)] == [int(0.8 * total), int(0.1 * total)]
        return
    assert all(len(parts) == 1 for parts in owners.values())  # a group is never torn apart
    if name == "random_scaffold":
        assert max(len(split.val), len(split.test)) <= int(0.1 * total)
    else:
        assert len(split.train) <= 0.8 * total
        assert len(split.val) <= 0.9 * total  # a late small group may enter train after val has filled up


def test_random_scaffolds_fill_val_then_test_in_the_order_drawn() -> None:
    groups = [0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    order = np.random.RandomState(7).permutation(16)
    expected: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for group in order:
        rows = [row for row, number in enumerate(groups) if number == group]
        part = next((name for name in ("val", "test") if len(expected[name]) + len(rows) <= 2), "train")
        expected[part] += rows
    assert RandomScaffoldSplit(seed=7)(given([9] * 20, groups)).to_dict() == expected


@pytest.mark.parametrize("name", SPLITTERS)
def test_the_global_generator_is_neither_used_nor_moved(name: str) -> None:
    hashes = set()
    for seed in (0, 1):
        random.seed(seed)
        state = random.getstate()
        hashes.add(used(LabelRatio(count=5), SPLITTERS[name]()(given(list(range(50))))).sha256)
        assert random.getstate() == state
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "fractions", [[0.8, 0.2], [0.8, 0.1, 0.2], [1.1, -0.1, 0.0], [0.25, 0.25, 0.25, 0.25]], ids=str
)
def test_wrong_fractions(fractions: list[float]) -> None:
    with raises_usage(key="fractions", got=fractions):
        RandomSplit(fractions=fractions)


@pytest.fixture
def split() -> Split:
    return RandomSplit()(given([5] * 240))


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


@pytest.mark.parametrize("name", SPLITTERS)
def test_a_refit_trains_on_the_test_part_and_where_nothing_is_selected_on_all(name: str) -> None:
    rng = np.random.default_rng(3)
    molecules = Given(rng.integers(2, 30, size=203), rng.integers(0, 60, size=203))
    judged = SPLITTERS[name]()(molecules)
    validated = Refit(of=SPLITTERS[name](), validates=True)(molecules)
    assert validated.train.tolist() == [*judged.train, *judged.test]
    assert validated.val.tolist() == judged.val.tolist()
    whole = Refit(of=SPLITTERS[name](), validates=False)(molecules)
    assert sorted(whole.train.tolist()) == list(range(203))
    assert [len(part) for part in (validated.test, whole.val, whole.test)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("fractions", "total", "parts"),
    [
        ([0.7, 0.1, 0.2], 10, (7, 1, 2)),  # (0.7 + 0.1) · 10 < 8 in floats
        ([0.7, 0.2, 0.1], 100, (70, 20, 10)),
        ([0.58, 0.22, 0.2], 100, (58, 22, 20)),  # 0.58 · 100 < 58 in floats
    ],
)
@pytest.mark.parametrize("splitter", [SizeSplit, RandomSplit])
def test_a_fraction_is_what_it_says_whatever_floats_make_of_it(
    splitter: type[Splitter], fractions: list[float], total: int, parts: tuple[int, int, int]
) -> None:
    found = splitter(fractions=fractions)(given(list(range(1, total + 1))))
    assert (len(found.train), len(found.val), len(found.test)) == parts
