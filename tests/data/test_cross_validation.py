"""Folds: each molecule is test once per repeat, groups stay whole, and nothing leaks."""

import itertools

import numpy as np
import pytest
from given import Given, rest
from hypothesis import assume, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from roftbench.data.cluster_splits import butina_clusters
from roftbench.data.cross_validation import BY, CrossValidation
from roftbench.data.split import Split
from roftbench.errors import UsageError

TOTAL = 203


@pytest.fixture(scope="module")
def molecules() -> Given:
    """Molecules with scaffolds of very different sizes, a column, and random bits with near duplicates."""
    rng = np.random.default_rng(0)
    groups = rng.choice(40, TOTAL, p=np.arange(1, 41) / 820)
    bits = rng.integers(0, 256, (60, 256), np.uint8)[rng.integers(0, 60, TOTAL)]
    cells = [f"series {number}" for number in rng.integers(0, 25, TOTAL)]
    return Given(rng.integers(2, 30, TOTAL), groups, cells=cells, bits=bits)


def split(molecules: Given, fold: int, by: str = "random", **more: object) -> Split:
    column = "series" if by == "column" else None
    return CrossValidation(fold=fold, by=by, column=column, repeats=5, **more)(molecules)  # type: ignore[arg-type]


def groups_of(molecules: Given, by: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    if by == "scaffold":
        return molecules.groups
    if by == "butina":
        return butina_clusters(molecules, 0.65)
    if by == "column":
        return np.unique(molecules.cells, return_inverse=True)[1]
    return np.arange(TOTAL)


@pytest.mark.parametrize("by", BY)
def test_each_molecule_is_test_once_per_repeat_and_groups_are_never_cut(molecules: Given, by: str) -> None:
    groups = groups_of(molecules, by)
    for repeat in range(5):
        cuts = [split(molecules, 5 * repeat + fold, by) for fold in range(5)]
        assert sorted(np.concatenate([cut.test for cut in cuts]).tolist()) == list(range(TOTAL))
        for cut in cuts:
            assert rest(TOTAL, cut.train, cut.val, cut.test) == []
            for one, other in itertools.combinations((cut.train, cut.val, cut.test), 2):
                assert not set(groups[one]) & set(groups[other])
            assert 0 < len(cut.val) <= 0.1 * (len(cut.train) + len(cut.val))
        sizes = [len(cut.test) for cut in cuts]
        assert max(sizes) - min(sizes) <= np.bincount(groups).max()


@pytest.mark.parametrize("by", BY)
def test_folds_depend_on_seed_and_repeat_alone(molecules: Given, by: str) -> None:
    first = split(molecules, 3, by)
    assert split(molecules, 3, by).to_dict() == first.to_dict()
    assert split(molecules, 8, by).to_dict() != first.to_dict()
    assert split(molecules, 3, by, seed=1).to_dict() != first.to_dict()
    # Every fold of a repeat sees the same division.
    assert not set(first.test) & set(split(molecules, 4, by).test)


@settings(max_examples=60)
@drawn(
    sizes=st.lists(st.integers(1, 30), min_size=6, max_size=30),
    folds=st.integers(2, 6),
    seed=st.integers(0, 100),
    val_fraction=st.floats(0.05, 0.5),
)
def test_folds_of_any_groups_are_whole_and_complete(
    sizes: list[int], folds: int, seed: int, val_fraction: float
) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    given = Given(np.ones(len(groups), np.int64), groups)
    found = []
    for fold in range(folds):
        splitter = CrossValidation(folds=folds, fold=fold, by="scaffold", seed=seed, val_fraction=val_fraction)
        try:
            cut = splitter(given)
        except UsageError:
            assume(False)  # no whole group fits into the validation part
        assert rest(len(groups), cut.train, cut.val, cut.test) == []
        found += cut.test.tolist()
    assert sorted(found) == list(range(len(groups)))


def test_more_folds_than_groups_are_refused(molecules: Given) -> None:
    with pytest.raises(UsageError, match=r"split\.folds=50: there are only 38 groups by scaffold"):
        CrossValidation(folds=50, fold=0, by="scaffold")(molecules)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (70, "70 (70%), so that the split can hardly follow the clusters: take another split.by"),
        (30, "30 (30%), more than one of 5 folds, which differ in size: take another split.by"),
        (20, "20 (20%)"),
    ],
)
def test_a_group_larger_than_a_fold_is_named_in_the_note(size: int, words: str) -> None:
    groups = np.array([0] * size + list(range(1, 101 - size)))
    cut = CrossValidation(fold=0, by="scaffold")(Given(np.ones(100, np.int64), groups))
    assert cut.note.endswith(f"the largest of {words}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fold": -1}, "fold"),
        ({"folds": 1}, "folds"),
        ({"val_fraction": 0.0}, "val_fraction"),
        ({"by": "column"}, "belong together"),
        ({"column": "series"}, "belong together"),
        ({"by": "size"}, "random"),
    ],
)
def test_impossible_folds_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CrossValidation(**values)  # type: ignore[arg-type]
