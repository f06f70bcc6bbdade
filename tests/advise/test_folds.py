"""Folds: every labelled molecule is judged once, scaffolds stay whole, the test part is in none."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from lab import Lab

from roftbench.advise.folds import Folds
from roftbench.components import build
from roftbench.data.dataset import load_dataset
from roftbench.errors import UsageError

STRICT = ("split=random", "label_ratio.count=80", "label_ratio.val_budget=strict")


def folds(lab: Lab, *overrides: str, count: int = 5, by: str = "scaffold") -> Folds:
    job, env = lab.job(*overrides)
    dataset = load_dataset(job.dataset, env.cache / "data", env.places)
    return Folds(job, dataset, count, by, lab.results / "advise")


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
@pytest.mark.parametrize("by", ["scaffold", "random"])
def test_each_labelled_molecule_is_judged_once_and_no_test_molecule_is_touched(lab: Lab, dataset: str, by: str) -> None:
    found = folds(lab, f"dataset={dataset}", *STRICT, by=by)
    job, _ = lab.job(f"dataset={dataset}", *STRICT)
    _, parts = found.dataset.cut(build(job.split), job.label_ratio)
    labelled = sorted(found.dataset.rows[np.concatenate([parts.train, parts.val])].tolist())
    assert len(labelled) == 80
    each = [found[number] for number in range(5)]
    assert sorted(np.concatenate([one.test for one in each]).tolist()) == labelled
    for one in each:
        assert sorted([*one.train, *one.val, *one.test]) == labelled
        assert len(one.train) > len(one.val) > 0


def test_scaffolds_lie_in_one_fold_as_a_whole_and_another_partition_differs(lab: Lab) -> None:
    found = folds(lab, "dataset=bbbp", *STRICT)
    group = dict(zip(found.dataset.rows.tolist(), found.dataset.scaffold_groups().tolist(), strict=True))
    for first, second in combinations(range(5), 2):
        assert not {group[row] for row in found[first].test} & {group[row] for row in found[second].test}
    assert {tuple(found[number].test) for number in range(5)} != {tuple(found[number].test) for number in range(5, 10)}


def test_half_of_a_fold_trains_on_half_and_is_judged_alike(lab: Lab) -> None:
    found = folds(lab, *STRICT)
    whole, half = found[1], found.half(1)
    assert set(half.train) < set(whole.train)
    assert len(half.train) == len(whole.train) // 2
    assert (half.val.tolist(), half.test.tolist()) == (whole.val.tolist(), whole.test.tolist())


def test_the_parts_are_a_file_that_an_ordinary_job_reads(lab: Lab) -> None:
    found = folds(lab, *STRICT)
    split = found.split(found[0])
    again = found.split(found[0])
    assert split == again
    content = json.loads(Path(split.params["path"]).read_text(encoding="utf-8"))
    assert content == {name: getattr(found[0], name).tolist() for name in ("train", "val", "test")}
    job, _ = lab.job("split=file", f"split.path={split.params['path']}", f"split.name={split.name}", "label_ratio=full")
    assert job.split == split


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        (("label_ratio.count=10", "label_ratio.val_budget=strict"), "10 labelled molecules are too few for 5 folds"),
        (("dataset.duplicates=merge",), "dataset.duplicates=merge"),
    ],
)
def test_what_cannot_be_folded_is_told(lab: Lab, overrides: tuple[str, ...], part: str) -> None:
    with pytest.raises(UsageError, match=part):
        folds(lab, *overrides)


@pytest.mark.parametrize("count", [15, 18, 20, 24])
def test_three_labels_a_fold_are_enough(lab: Lab, count: int) -> None:
    found = folds(lab, "split=random", f"label_ratio.count={count}", "label_ratio.val_budget=strict", by="random")
    each = [found[number] for number in range(5)]
    assert sum(len(one.test) for one in each) == count
    assert max(len(one.test) for one in each) - min(len(one.test) for one in each) <= 1
