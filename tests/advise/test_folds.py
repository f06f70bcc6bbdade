"""Folds: every labeled molecule is judged once, scaffolds stay whole, the test part is in none."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from lab import Lab, write_csv
from refusals import raises_usage

from roftbench.advise.folds import Folds
from roftbench.config.components import build
from roftbench.data.dataset import load_dataset
from roftbench.data.label_ratio import LabelRatio
from roftbench.errors import UsageError
from roftbench.report.query import FOLD

STRICT = ("split=random", "label_ratio.count=80", "label_ratio.val_budget=strict")


def folds(lab: Lab, *overrides: str, count: int = 5, by: str = "scaffold") -> Folds:
    job, env = lab.job(*overrides)
    dataset = load_dataset(job.dataset, env.cache / "data", env.places)
    return Folds(job, dataset, count, by, lab.results / "advise")


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
@pytest.mark.parametrize("by", ["scaffold", "random"])
def test_each_labeled_molecule_is_judged_once_and_no_test_molecule_is_touched(lab: Lab, dataset: str, by: str) -> None:
    found = folds(lab, f"dataset={dataset}", *STRICT, by=by)
    job, _ = lab.job(f"dataset={dataset}", *STRICT)
    _, parts = found.dataset.cut(build(job.split), job.label_ratio)
    labeled = sorted(found.dataset.rows[np.concatenate([parts.train, parts.val])].tolist())
    assert len(labeled) == 80
    each = [found[number] for number in range(5)]
    assert sorted(np.concatenate([one.test for one in each]).tolist()) == labeled
    for one in each:
        assert sorted([*one.train, *one.val, *one.test]) == labeled
        assert len(one.train) > len(one.val) > 0


def test_scaffolds_lie_in_one_fold_as_a_whole_and_another_partition_differs(lab: Lab) -> None:
    found = folds(lab, "dataset=bbbp", *STRICT)
    group = dict(zip(found.dataset.rows.tolist(), found.dataset.scaffold_groups().tolist(), strict=True))
    for first, second in combinations(range(5), 2):
        assert not {group[row] for row in found[first].test} & {group[row] for row in found[second].test}
    assert {tuple(found[number].test) for number in range(5)} != {tuple(found[number].test) for number in range(5, 10)}


def test_shares_of_a_fold_are_nested_and_judged_alike(lab: Lab) -> None:
    found = folds(lab, *STRICT)
    whole, half, quarter = found[1], found.share(1, 0.5), found.share(1, 0.25)
    assert set(quarter.train) < set(half.train) < set(whole.train)
    assert len(half.train) == round(len(whole.train) / 2)
    assert (half.val.tolist(), half.test.tolist()) == (whole.val.tolist(), whole.test.tolist())
    assert half.name == f"{whole.name}-50"
    assert FOLD.fullmatch(half.name)  # tables and report leave its jobs out


def test_the_parts_are_a_file_that_an_ordinary_job_reads(lab: Lab) -> None:
    found = folds(lab, *STRICT)
    split = found.split(found[0])
    again = found.split(found[0])
    assert split == again
    content = json.loads(Path(split.params["path"]).read_text(encoding="utf-8"))
    assert content == {name: getattr(found[0], name).tolist() for name in ("train", "val", "test")}
    job, _ = lab.job("split=file", f"split.path={split.params['path']}", f"split.name={split.name}", "label_ratio=full")
    assert job.split == split


def test_too_few_labels_are_told(lab: Lab) -> None:
    with raises_usage("10 labeled molecules", key="advise.folds", got=5):
        folds(lab, "label_ratio.count=10", "label_ratio.val_budget=strict")


ALKANES = ["C" * length + end for length in range(1, 14) for end in ("O", "N", "F", "Cl")]
ACYCLIC = "52 molecules have one scaffold (all without a ring count as one), and a scaffold stays whole"


@pytest.mark.parametrize(
    ("overrides", "by", "parts"),
    [
        (("split=auto",), "scaffold", ("training part is empty", ACYCLIC, "Give split=random advise.by=random")),
        (("split=auto", "label_ratio.count=20"), "random", ("training part is empty", ACYCLIC)),
        (("split=random",), "scaffold", ("46 of them share one", "Give advise.by=random.")),
        (("split=random_scaffold",), "scaffold", ("52 of them share one", "Give split=random advise.by=random.")),
        (("split=random", "split.fractions=[0.1,0.1,0.8]"), "random", ("too few for 5 folds", "5 of 52 molecules in")),
        (
            ("split=random", "split.fractions=[0.1,0.1,0.8]"),
            "random",
            ("in test. Give other split.fractions. Or give advise.folds=3, or fewer.",),
        ),
    ],
)
def test_molecules_that_a_split_cannot_part_are_the_cause_that_is_told(
    lab: Lab, tmp_path: Path, overrides: tuple[str, ...], by: str, parts: tuple[str, ...]
) -> None:
    path = write_csv(tmp_path / "acyclic.csv", {"smiles": ALKANES, "y": [0.1 * n for n in range(len(ALKANES))]})
    with pytest.raises(UsageError) as caught:
        _ = folds(lab, "label_ratio=full", *own(path), *overrides, by=by)[0]
    assert all(part in str(caught.value) for part in parts), caught.value


def own(path: Path) -> tuple[str, ...]:
    return "dataset=csv", f"dataset.path={path}", "dataset.targets=[y]"


@pytest.mark.parametrize(
    "overrides", [(), ("label_ratio.count=60", "label_ratio.val_budget=strict"), ("split.seed=7",)]
)
def test_the_rows_of_a_molecule_lie_in_one_fold_and_one_part(
    lab: Lab, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    smiles = [*ALKANES, *ALKANES, *(f"{one[:-1]}({one[-1]})" if one[-1] in "ONF" else one for one in ALKANES)]
    path = write_csv(tmp_path / "thrice.csv", {"smiles": smiles, "y": [0.1 * n for n in range(len(smiles))]})
    found = folds(lab, "label_ratio=full", "split=random", *own(path), *overrides, by="random")
    assert found.outer.changed
    assert any("test molecules also occur in" in text for text in found.outer.warnings)
    molecule = dict(zip(found.dataset.rows.tolist(), found.dataset.canonical.tolist(), strict=True))
    tests = [{molecule[row] for row in found[number].test} for number in range(5)]
    assert all(not first & second for first, second in combinations(tests, 2))
    for number in range(10):
        each = [
            {molecule[row] for row in part} for part in (found[number].train, found[number].val, found[number].test)
        ]
        assert sum(map(len, each)) == len(set.union(*each))
    outside = found.outside()
    kept = [{molecule[row] for row in part} for part in (outside.train, outside.val, outside.test)]
    assert sum(map(len, kept)) == len(set.union(*kept))
    labeled = sorted(found.dataset.rows[found.pool].tolist())
    assert sorted([*outside.train, *outside.val]) == labeled
    assert len(outside.test) >= 9
    if overrides and "count" in overrides[0]:
        assert len(labeled) == 60


def test_merged_rows_are_named_by_their_first(lab: Lab, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "twice.csv", {"smiles": ALKANES * 2, "y": [0.1 * n for n in range(2 * len(ALKANES))]})
    words = ("label_ratio=full", "split=random", *own(path), "dataset.duplicates=merge")
    found = folds(lab, *words, by="random")
    assert not found.outer.changed
    assert np.array_equal(np.unique(np.concatenate([found[number].test for number in range(5)])), found.pool)
    job, env = lab.job(*words)
    dataset = load_dataset(job.dataset, env.cache / "data", env.places)
    parts = found.split(found[0])
    _, cut = dataset.cut(build(parts), LabelRatio())
    assert dataset.rows[cut.test].tolist() == found[0].test.tolist()


def test_parts_that_a_column_names_lose_copies_and_are_not_cut_anew(lab: Lab, tmp_path: Path) -> None:
    part = ["train"] * 40 + ["val"] * 6 + ["test"] * 6
    columns = {"smiles": [*ALKANES, *ALKANES[38:44]], "y": [0.1 * n for n in range(58)], "part": [*part, *["test"] * 6]}
    path = write_csv(tmp_path / "parts.csv", columns)
    words = ("label_ratio=full", "split=column", *own(path), "dataset.split_column=part")
    found = folds(lab, *words, by="random")
    assert found.outside().test.tolist() == list(range(46, 52))
    assert "6 test molecules that are labeled, too, are left out of the test part" in found.outer.warnings[-1]
    with raises_usage(key="dataset.duplicates", got="merge"):
        folds(lab, *words, "dataset.duplicates=merge", by="random")


def test_partitions_that_repeat_a_fold_tell_nothing_new(lab: Lab, tmp_path: Path) -> None:
    assert folds(lab, *STRICT, by="random").partitions(3) == 3
    rings = [f"{'C' * more}C1{'C' * size}C1" for size in range(1, 6) for more in range(9)]
    path = write_csv(tmp_path / "rings.csv", {"smiles": rings, "y": [1.0 + n % 9 for n in range(len(rings))]})
    assert folds(lab, "label_ratio=full", "split=random", *own(path)).partitions(3) == 1


@pytest.mark.parametrize("count", [15, 18, 20, 24])
def test_three_labels_a_fold_are_enough(lab: Lab, count: int) -> None:
    found = folds(lab, "split=random", f"label_ratio.count={count}", "label_ratio.val_budget=strict", by="random")
    each = [found[number] for number in range(5)]
    assert sum(len(one.test) for one in each) == count
    assert max(len(one.test) for one in each) - min(len(one.test) for one in each) <= 1


def test_rows_without_a_label_are_no_labels(lab: Lab, tmp_path: Path) -> None:
    smiles = ["C" * length + end for length in range(1, 41) for end in "ON"]
    path = write_csv(tmp_path / "half.csv", {"smiles": smiles, "y": [0.1 * n if n % 2 else "" for n in range(80)]})
    own = ("dataset=csv", f"dataset.path={path}", "split=random", "label_ratio.count=30")
    found = folds(lab, *own, by="random")
    job, _ = lab.job(*own)
    _, parts = found.dataset.cut(build(job.split), job.label_ratio)
    assert sorted(found.outer.parts.train) == sorted(parts.train)
    assert len(parts.train) == 30
    used = np.concatenate([found.outer.parts.train, found.outer.parts.val, found.outer.parts.test])
    assert not np.isnan(found.dataset.y[used]).any()
    assert len(found.outer.parts.val) < len(parts.val)
