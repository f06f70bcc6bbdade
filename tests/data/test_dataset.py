"""Whole data sets: what is kept, what is dropped and why, and a cache that is right or rebuilt."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lab import PLACES, ROOT
from rdkit import Chem
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles
from refusals import raises_usage

from roftbench.data.config import DatasetSpec
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.dropped_rows import ABSENT, Dropped
from roftbench.data.featurizers import hu
from roftbench.data.featurizers.hu import scaffold_smiles, smiles_to_graph
from roftbench.data.packed import PackedGraphs
from roftbench.data.table.load import complete, read_table
from roftbench.store.tensors import read_tensors

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "flipped byte": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "flipped byte in the header": lambda data: data.replace(b'"I64"', b'"U64"', 1),
    "empty": lambda data: b"",
    "text": lambda data: b"<html>404 Not Found</html>\n" * 9,
}


def bundled(name: str) -> DatasetSpec:
    return DatasetSpec(**yaml.safe_load((ROOT / "conf" / "dataset" / f"{name}.yaml").read_text(encoding="utf-8")))


def own(path: Path, text: str, **known: Any) -> DatasetSpec:
    path.write_text(text, encoding="utf-8")
    return complete(DatasetSpec(path=str(path), **known), PLACES)[0]


def assert_same(left: MoleculeDataset, right: MoleculeDataset) -> None:
    assert (left.spec, left.smiles, left.dropped, left.cache) == (right.spec, right.smiles, right.dropped, right.cache)
    np.testing.assert_array_equal(left.rows, right.rows)
    np.testing.assert_array_equal(left.y, right.y)
    for field in fields(PackedGraphs):
        one, other = getattr(left.graphs, field.name), getattr(right.graphs, field.name)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def caches(folder: Path) -> set[str]:
    return {path.name.split("-")[0] for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MoleculeDataset]:
    folder = tmp_path_factory.mktemp("cache")
    return {name: load_dataset(bundled(name), folder, PLACES) for name in ("esol", "bbbp", "clintox")}


@pytest.fixture
def small(tmp_path: Path) -> DatasetSpec:
    return own(tmp_path / "own.csv", "smiles,y\n c1ccccc1CO ,0.5\nC*,1\nN,\nC1CC,2\n,3\nC[C@H](N)O,-4\n")


@pytest.mark.parametrize(
    ("name", "kept", "dropped", "tasks"), [("esol", 1128, 0, 1), ("bbbp", 2039, 11, 1), ("clintox", 1477, 7, 2)]
)
def test_bundled_data_sets(built: dict[str, MoleculeDataset], name: str, kept: int, dropped: int, tasks: int) -> None:
    dataset, table = built[name], read_table(bundled(name), PLACES)
    assert len(dataset) == len(dataset.smiles) == len(dataset.rows) == len(dataset.graphs) == len(dataset.sizes) == kept
    assert len(dataset.dropped) == dropped
    assert dataset.y.shape == (kept, tasks)
    assert sorted([*dataset.rows, *(row.row for row in dataset.dropped)]) == list(range(len(table.smiles)))
    assert dataset.smiles == [table.smiles[row].strip() for row in dataset.rows]
    np.testing.assert_array_equal(dataset.y, table.labels[dataset.rows])
    assert [table.smiles[row.row] for row in dataset.dropped] == [row.smiles for row in dataset.dropped]


def test_rows_that_the_bundled_copy_lacks_are_counted_as_dropped(built: dict[str, MoleculeDataset]) -> None:
    absent = bundled("bbbp").absent_rows
    assert built["bbbp"].dropped == [Dropped(row, "", ABSENT) for row in absent]
    assert built["bbbp"].num_rows == 2050


def test_dropped_molecules_of_clintox_say_why(built: dict[str, MoleculeDataset]) -> None:
    assert [(row.row, row.reason.partition(":")[2].strip() or row.reason) for row in built["clintox"].dropped] == [
        (0, "the features have no row for it"),
        (7, "Explicit valence for atom # 0 N, 5, is greater than permitted"),
        (302, "Can't kekulize mol.  Unkekulized atoms: 9"),
        (983, "bond type DATIVE has no row in the features"),
        (984, "bond type DATIVE has no row in the features"),
        (1219, "Can't kekulize mol.  Unkekulized atoms: 4"),
        (1220, "Can't kekulize mol.  Unkekulized atoms: 4"),
    ]


@pytest.mark.parametrize("name", ["esol", "bbbp", "clintox"])
def test_graphs_are_those_of_the_molecules(built: dict[str, MoleculeDataset], name: str) -> None:
    dataset = built[name]
    for position in range(0, len(dataset), 97):
        graph = smiles_to_graph(dataset.smiles[position])
        batch = dataset.graphs.batch(torch.tensor([position]))
        assert batch.x.tolist() == graph.x.tolist()
        assert sorted(batch.edge_index.T.tolist()) == sorted(graph.edge_index.T.tolist())
        assert dataset.sizes[position] == len(graph.x)


def test_own_table_with_all_kinds_of_rows(small: DatasetSpec, tmp_path: Path) -> None:
    dataset = load_dataset(small, tmp_path / "cache", PLACES)
    assert dataset.smiles == ["c1ccccc1CO", "N", "C[C@H](N)O"]
    assert dataset.rows.tolist() == [0, 2, 5]
    np.testing.assert_array_equal(dataset.y, [[0.5], [np.nan], [-4]])
    assert dataset.sizes.tolist() == [8, 1, 4]
    assert dataset.dropped == [
        Dropped(1, "C*", "dummy atom at index 1: the features have no row for it"),
        Dropped(3, "C1CC", "RDKit cannot parse the SMILES"),
        Dropped(4, "", "empty SMILES"),
    ]


@pytest.mark.parametrize("name", ["esol", "clintox"])
def test_the_second_load_is_the_same_and_builds_nothing(
    built: dict[str, MoleculeDataset], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = built[name].scaffold_groups()
    monkeypatch.setattr(hu, "smiles_to_graph", None)
    monkeypatch.setattr(hu, "parse_smiles", None)
    again = load_dataset(bundled(name), built[name].cache.parent, PLACES)
    assert_same(again, built[name])
    np.testing.assert_array_equal(again.scaffold_groups(), groups)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("part", ["graphs", "scaffolds"])
def test_a_damaged_cache_is_reported_and_rebuilt(
    small: DatasetSpec,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    part: str,
    damage: Callable[[bytes], bytes],
) -> None:
    first = load_dataset(small, tmp_path / "cache", PLACES)
    groups = first.scaffold_groups().copy()
    [path] = first.cache.parent.glob(f"{part}-own-*.safetensors")
    good = path.read_bytes()
    assert damage(good) != good
    path.write_bytes(damage(good))
    with caplog.at_level(logging.WARNING):
        again = load_dataset(small, tmp_path / "cache", PLACES)
        np.testing.assert_array_equal(again.scaffold_groups(), groups)
    assert_same(again, first)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{path} is damaged" in caplog.text
    read_tensors(path)  # whole again
    assert caches(tmp_path / "cache") == {"graphs", "scaffolds"}  # no temporary file


def test_what_decides_a_graph_is_in_the_name_of_the_cache(
    small: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, text = tmp_path / "own.csv", "smiles,other,y\nCC,CCC,1\n"
    names = {load_dataset(small, tmp_path, PLACES).cache.name}
    names.add(load_dataset(own(path, text), tmp_path, PLACES).cache.name)
    names.add(load_dataset(own(path, text, smiles_column="other", targets=["y"]), tmp_path, PLACES).cache.name)
    monkeypatch.setattr(hu, "VERSION", hu.VERSION + 1)
    names.add(load_dataset(own(path, text), tmp_path, PLACES).cache.name)
    assert len(names) == 4
    assert names == {path.name for path in tmp_path.glob("graphs-*.safetensors")}


def test_other_targets_share_the_graphs(tmp_path: Path) -> None:
    text = "smiles,a,b\nCC,1.5,2\nCCC,,3\n"
    first = load_dataset(own(tmp_path / "own.csv", text, targets=["a"]), tmp_path, PLACES)
    second = load_dataset(own(tmp_path / "own.csv", text, targets=["b", "a"]), tmp_path, PLACES)
    assert first.cache == second.cache
    np.testing.assert_array_equal(first.y, [[1.5], [np.nan]])
    np.testing.assert_array_equal(second.y, [[2, 1.5], [3, np.nan]])


def test_no_molecule_at_all(tmp_path: Path) -> None:
    spec = own(tmp_path / "own.csv", "smiles,y\nethanol,1.5\nbenzene,2\n")
    with raises_usage(key="dataset.smiles_column", got="smiles"):
        load_dataset(spec, tmp_path, PLACES)


def test_no_label_at_all(tmp_path: Path) -> None:
    spec = own(tmp_path / "own.csv", "smiles,a,b\nC,1,\nCC,2,\nC*,3,4\n", targets=["b"])
    with raises_usage("no molecule has a label", key="b"):
        load_dataset(spec, tmp_path, PLACES)
    one_of_two = own(tmp_path / "own.csv", "smiles,a,b\nC,1.5,\nCC,2,\n", targets=["a", "b"])
    assert np.isnan(load_dataset(one_of_two, tmp_path, PLACES).y[:, 1]).all()


def test_scaffold_groups_of_esol_are_the_reference_scaffolds(built: dict[str, MoleculeDataset], shared: Path) -> None:
    golden = json.loads((shared / "golden" / "splits_esol.json").read_text(encoding="utf-8"))
    groups = built["esol"].scaffold_groups().tolist()
    assert len(set(groups)) == golden["n_scaffolds"]
    assert len(set(zip(groups, golden["scaffolds"], strict=True))) == len(set(golden["scaffolds"])) == len(set(groups))
    assert [scaffold_smiles(smiles) for smiles in golden["rows"][::10]] == golden["scaffolds"][::10]


def test_scaffolds_keep_chirality_and_come_from_the_canonical_smiles() -> None:
    left, right = "C[C@H]1CCCN1C", "C[C@@H]1CCCN1C"
    chiral = "O=C1N[C@@H]2CCCC[C@H]2N1C"
    assert scaffold_smiles(chiral) != scaffold_smiles(chiral.replace("@", ""))
    assert scaffold_smiles(left) == scaffold_smiles(right) == "C1CCNC1"
    for smiles in (chiral, left, "CCO", "C1CC1.c1ccccc1CC"):
        other = Chem.MolToSmiles(Chem.MolFromSmiles(smiles), doRandom=True)
        assert scaffold_smiles(f" {other} ") == scaffold_smiles(smiles)
        assert scaffold_smiles(smiles) == MurckoScaffoldSmiles(Chem.CanonSmiles(smiles), includeChirality=True)
    assert scaffold_smiles("CCO") == ""


PROCESS = """
import json, logging, sys, time
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from roftbench.data.dataset import load_dataset
from roftbench.data.config import DatasetSpec
from roftbench.store.downloads import Places

logging.basicConfig(level=logging.WARNING)
spec, cache, ready, go = json.loads(sys.argv[1]), *map(Path, sys.argv[2:])
ready.touch()
while not go.exists():
    time.sleep(0.002)
dataset = load_dataset(DatasetSpec(**spec), cache, Places(cache))
digest = sha256(dataset.scaffold_groups().tobytes())
for field in fields(dataset.graphs):
    digest.update(getattr(dataset.graphs, field.name).numpy().tobytes())
print(len(dataset), digest.hexdigest())
"""


def test_two_processes_that_need_the_same_data_at_once(tmp_path: Path) -> None:
    spec = json.dumps(yaml.safe_load((ROOT / "conf" / "dataset" / "esol.yaml").read_text(encoding="utf-8")))
    cache, go = tmp_path / "cache", tmp_path / "go"
    ready = [tmp_path / f"ready{number}" for number in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, spec, str(cache), str(path), str(go)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for path in ready
    ]
    try:
        deadline = time.monotonic() + 300
        while not all(path.exists() for path in ready) and time.monotonic() < deadline:
            time.sleep(0.01)
        go.touch()
        results = [(*process.communicate(timeout=300), process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [(stderr, code) for _, stderr, code in results] == [("", 0)] * 2
    assert results[0][0] == results[1][0]
    assert results[0][0].startswith("1128 ")
    assert caches(cache) == {"graphs", "scaffolds"}
    assert not list(cache.rglob("*.tmp"))
