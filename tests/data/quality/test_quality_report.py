"""The quality report: published counts, planted duplicates and overlaps, similarity, and data sets with holes."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from lab import PLACES, ROOT, write_csv
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.rdMolDescriptors import CalcNumRings
from refusals import raises_usage
from whole import but_whole

from roftbench.data import similarity
from roftbench.data.config import DatasetSpec
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.descriptors import BITS, describe_chunk, join
from roftbench.data.label_ratio import LabelRatio
from roftbench.data.predefined import ColumnSplit
from roftbench.data.quality import repeats
from roftbench.data.quality.repeats import group_report
from roftbench.data.quality.report import head, label_report, molecule_report, quality_report
from roftbench.data.similarity import nearest, similarity_report
from roftbench.data.split import RandomSplit, ScaffoldSplit
from roftbench.data.table.load import complete

NAN = float("nan")
PUBLISHED = ("esol", "freesolv", "lipo", "bbbp", "bace", "clintox", "sider")
FULL = LabelRatio()


def published(name: str, cache: Path, shared: Path) -> MoleculeDataset:
    spec = DatasetSpec(**yaml.safe_load((ROOT / "conf" / "dataset" / f"{name}.yaml").read_text(encoding="utf-8")))
    return load_dataset(spec, cache / "data", replace(PLACES, mirror=shared / "data"))


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., MoleculeDataset]:
    """Load a table of SMILES and columns; `known` is what its spec says."""

    def load(columns: dict[str, list[Any]], **known: Any) -> MoleculeDataset:
        path = write_csv(tmp_path / "own.csv", columns)
        return load_dataset(complete(DatasetSpec(path=str(path), **known), PLACES)[0], tmp_path / "cache", PLACES)

    return load


def test_reasons_that_differ_in_numbers_alone_are_one_kind(own: Callable[..., MoleculeDataset]) -> None:
    dataset = own(
        {"smiles": ["CCO", "CCN", "C\u00a0C", "CC\u00a0C", "C" * 2001, "C" * 2002], "y": [1.5, 2.5, 3, 4, 5, 6]}
    )
    assert dict(head(dataset)["dropped_reasons"]) == {
        "U+00A0 (no-break space) at character …: no SMILES holds it": 2,
        "… atoms: molecules of at most … atoms are handled": 2,
    }


def report_on(dataset: MoleculeDataset, ratio: LabelRatio = FULL) -> dict[str, Any]:
    """The report with two splits, as strict JSON gives it back."""
    report = quality_report(dataset, {"random": RandomSplit(), "scaffold": ScaffoldSplit()}, ratio)
    back: dict[str, Any] = json.loads(json.dumps(report, allow_nan=False))
    assert back == report
    return back


@pytest.mark.parametrize("name", but_whole(PUBLISHED, ("lipo", "sider", "clintox")))
def test_the_counts_are_those_of_the_published_files(name: str, cache: Path, shared: Path) -> None:
    dataset = published(name, cache, shared)
    manifest = json.loads((shared / "data" / "MANIFEST.json").read_text(encoding="utf-8"))
    stats = next(one["stats"] for one in manifest["files"] if one["dataset"].lower() == name)
    first, groups = head(dataset), group_report(dataset, dataset.canonical)
    molecules = molecule_report(dataset, dataset.descriptors())
    labels = label_report(dataset.y, dataset.targets, str(dataset.spec.task))
    lost = stats["not_encodable_rows"]
    assert (first["rows"], first["kept"]) == (stats["rows"], stats["rdkit_parsed"] - lost)
    assert len(first["dropped"]) == first["dropped_count"] == stats["rdkit_failed"] + lost
    assert sum(first["dropped_reasons"].values()) == first["dropped_count"]
    assert groups["groups"] == stats["duplicate_groups"] == len(groups["listed"])
    assert groups["rows"] == stats["rows_in_duplicate_groups"]
    assert groups["conflicting_groups"] == stats["duplicate_groups_with_conflicting_label"]
    assert groups["conflicting_cells"] == stats["conflicting_label_cells"]
    assert molecules["without_bonds"] == stats["no_bond_molecules"]
    assert molecules["several_fragments"] == stats["multi_fragment"]
    assert molecules["without_label"] == stats["rows_with_no_label"]
    assert molecules["atoms"]["max"] == stats["max_atoms"]
    assert labels["num_tasks"] == stats["num_tasks"] == len(labels["tasks"])
    if dataset.spec.task == "regression":
        [task] = labels["tasks"]
        assert (task["min"], task["max"]) == (stats["label_min"], stats["label_max"])
        assert (task["mean"], task["std"]) == pytest.approx((stats["label_mean"], stats["label_std"]), abs=1e-6)
        assert (groups["largest_spread"] or 0.0) == pytest.approx(stats["max_spread_in_duplicate_group"])
    elif not lost:
        assert sum(task["positives"] for task in labels["tasks"]) == stats["positives_parsed"]
        assert sum(task["negatives"] for task in labels["tasks"]) == stats["negatives_parsed"]


def test_every_part_of_a_report_agrees_with_the_others(cache: Path, shared: Path) -> None:
    dataset = published("esol", cache, shared)
    report = report_on(dataset)
    scaffold, random = report["splits"]["scaffold"], report["splits"]["random"]
    for split in (scaffold, random):
        assert sum(part["molecules"] for part in split["parts"].values()) == report["kept"] == 1128
        assert split["unused"] == 0
    assert scaffold["scaffolds_shared"] == {"val": 0, "test": 0}
    assert sum(part["scaffolds"] for part in scaffold["parts"].values()) == report["molecules"]["scaffolds"]
    assert random["in_train"]["val"] == {"same_smiles": 2, "same_connectivity": 2}
    acyclic = next(one for one in report["molecules"]["largest_scaffolds"] if one["smiles"] == "")
    assert acyclic["molecules"] == report["molecules"]["acyclic"] == 317
    rings = [CalcNumRings(Chem.MolFromSmiles(text)) for text in dataset.smiles]
    assert rings.count(0) == 317
    assert scaffold["test_similarity"]["mean"] < random["test_similarity"]["mean"]
    assert any("different labels in rows of the same SMILES, by up to 1.03" in text for text in report["warnings"])
    assert any(text.startswith("random split: 2 of 112 val molecules also occur") for text in report["warnings"])
    assert not any("scaffold split" in text for text in report["warnings"])


# Connectivity

SAME = {
    "enantiomers": ("C[C@H](N)O", "C[C@@H](N)O"),
    "double bond": ("C/C=C/C", "C/C=C\\C"),
    "isotopes": ("[2H]C", "C"),
    "protonation": ("CC(=O)O", "CC(=O)[O-]"),
    "tautomers of a mobile hydrogen": ("Oc1ccccn1", "O=c1cccc[nH]1"),
}
OTHER = {
    "salt": ("CC(=O)[O-].[Na+]", "CC(=O)O"),
    "counter-ion": ("[Na+].[Cl-]", "[K+].[Cl-]"),
    "isomers": ("CCCO", "CC(C)O"),
}


@pytest.mark.parametrize("case", [*SAME, *OTHER])
def test_connectivity_is_what_the_first_block_of_the_inchikey_says(case: str) -> None:
    one, other = describe_chunk((SAME | OTHER)[case]).connectivity
    assert (one == other) == (case in SAME)


def test_where_inchi_fails_the_canonical_smiles_stands_for_it(capfd: pytest.CaptureFixture[str]) -> None:
    found = describe_chunk(["C" * 1100, "C" * 1099 + "O", "O" + "C" * 1099, "C"])
    assert found.no_inchi.tolist() == [True, True, True, False]
    assert len(set(found.connectivity.tolist())) == 3
    assert found.connectivity[1] == found.connectivity[2]
    assert capfd.readouterr() == ("", "")


def test_fragments_and_rings_are_counted() -> None:
    found = describe_chunk(["CCO", "[Na+].[Cl-]", "c1ccccc1.O.O", "C1CC2CCC1C2"])
    assert found.fragments.tolist() == [1, 2, 3, 1]
    assert found.rings.tolist() == [0, 0, 1, 2]


def test_workers_do_not_import_torch() -> None:
    code = "import sys, roftbench.data.descriptors; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")})


# Similarity


def test_similarities_are_those_of_a_double_loop_in_rdkit(
    cache: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smiles = published("esol", cache, shared).smiles[:200]
    monkeypatch.setattr(similarity, "QUERIES", 16)
    monkeypatch.setattr(similarity, "REFERENCES", 33)
    packed = join([describe_chunk(smiles[:70]), describe_chunk(smiles[70:])]).fingerprint
    assert packed.shape == (200, BITS // 8)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]
    expected = [max(DataStructs.TanimotoSimilarity(one, other) for other in prints[50:]) for one in prints[:50]]
    assert nearest(packed[:50], packed[50:], "test").tolist() == expected  # equal, as quotients of equal integers
    assert 0.2 < np.mean(expected) < 0.9
    found = similarity_report(packed, np.arange(50, 200), np.arange(50), "test")
    assert found["mean"] == pytest.approx(np.mean(expected))
    assert found["median"] == pytest.approx(np.median(expected))
    for key, level in (("share_0_4", 0.4), ("share_0_7", 0.7), ("share_1_0", 1.0)):
        assert found[key] == sum(value >= level for value in expected) / 50
    assert found["sampled"] is None


def test_every_quotient_of_bits_keeps_its_side_of_a_level() -> None:
    bits = np.tri(40, BITS, dtype=np.uint8)  # molecule i has the first i + 1 bits: similarity (i + 1) / (j + 1)
    packed = np.packbits(bits, axis=1)
    for i, j in product(range(40), range(40)):
        [found] = nearest(packed[[i]], packed[[j]], "test")
        assert found == (min(i, j) + 1) / (max(i, j) + 1)


def test_too_many_pairs_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = np.packbits(np.eye(100, BITS, dtype=np.uint8), axis=1)
    packed[50:] = packed[:50]  # each test molecule has a twin
    train, test = np.arange(50), np.arange(50, 100)
    monkeypatch.setattr(similarity, "SAMPLE", 20)
    assert similarity_report(packed, train, test, "test")["sampled"] is None
    seen: list[list[bytes]] = []
    true_nearest = nearest

    def spied(queries: Any, references: Any, name: str) -> Any:
        seen.append([row.tobytes() for row in queries])
        return true_nearest(queries, references, name)

    monkeypatch.setattr(similarity, "nearest", spied)
    monkeypatch.setattr(similarity, "PAIRS", 50 * 50 - 1)
    found = [similarity_report(packed, train, test, "test") for _ in range(2)]
    assert found[0] == found[1]
    assert (found[0]["sampled"], found[0]["mean"], found[0]["share_1_0"]) == (20, 1.0, 1.0)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 20


# Overlap, duplicates

PLANTED = {
    "smiles": ["CCO", "C[C@H](N)Cl", "Cc1ccccc1", "CC(=O)O", "OCC", "C1CC1", "C[C@@H](N)Cl", "c1ccccc1CC", "CC(O)=O"],
    "y": [1.0, 2.0, 3.0, 4.0, 1.5, 6.0, 7.0, 8.0, 4.0],
    "split": ["train"] * 4 + ["val"] * 2 + ["test"] * 3,
}


def test_a_planted_overlap_is_found(own: Callable[..., MoleculeDataset]) -> None:
    report = quality_report(own(PLANTED), {"column": ColumnSplit()}, FULL)
    split = report["splits"]["column"]
    assert split["in_train"] == {
        "val": {"same_smiles": 1, "same_connectivity": 1},  # ethanol
        "test": {"same_smiles": 1, "same_connectivity": 2},  # acetic acid, and the other enantiomer
    }
    assert split["scaffolds_shared"] == {"val": 1, "test": 2}  # acyclic; acyclic and benzene
    assert split["undefined_tasks"] == {"val": 0, "test": 0}
    assert split["test_similarity"]["share_1_0"] == pytest.approx(2 / 3)  # Morgan bits without chirality
    train, test = split["parts"]["train"], split["parts"]["test"]
    assert (train["molecules"], train["labels"], train["scaffolds"]) == (4, 4, 2)
    assert (train["mean"], train["std"]) == ([2.5], [pytest.approx(np.std([1, 2, 3, 4]))])
    assert train["atoms"] == {"min": 3, "median": 4.0, "max": 7}
    assert test["atoms"] == {"min": 4, "median": 4.0, "max": 8}
    warnings = [text for text in report["warnings"] if text.startswith("column split")]
    assert len(warnings) == 3
    assert "1 of 2 val molecules also occur in train (same canonical SMILES), 1 of them with another" in warnings[0]
    assert "1 of 3 test molecules also occur in train (same canonical SMILES), 0 of them with another" in warnings[1]
    assert "1 of 3 test molecules have the connectivity of a training molecule" in warnings[2]


def test_few_shot_labels_are_what_the_parts_are_cut_to(own: Callable[..., MoleculeDataset]) -> None:
    report = quality_report(own(PLANTED), {"column": ColumnSplit()}, LabelRatio(count=1))
    assert report["label_ratio"] == "n1"
    assert report["splits"]["column"]["parts"]["train"]["molecules"] == 1
    assert report["splits"]["column"]["unused"] == 3


def test_groups_are_listed_with_rows_and_labels_and_conflicts_come_first(own: Callable[..., MoleculeDataset]) -> None:
    dataset = own(
        {
            "smiles": ["CCO", "no molecule", "CCN", "OCC", "NCC", "CCO", "C[C@H](N)Cl", "C[C@@H](N)Cl"],
            "a": [1.0, 0.0, 2.0, 1.0, 2.5, NAN, 5.0, 6.0],
            "b": [NAN, 0.0, 3.0, NAN, 7.0, NAN, 5.0, 5.0],
        },
        targets=["a", "b"],
    )
    found = group_report(dataset, dataset.canonical)
    listed = found.pop("listed")
    assert found == {
        "groups": 2,
        "rows": 5,
        "groups_of_several_smiles": 0,
        "conflicting_groups": 1,
        "conflicting_cells": 2,
        "largest_spread": 4.0,
    }
    assert [group["smiles"] for group in listed] == [["CCN", "NCC"], ["CCO", "OCC", "CCO"]]
    assert [group["rows"] for group in listed] == [[2, 4], [0, 3, 5]]
    assert [group["labels"] for group in listed] == [{"a": [2.0, 2.5], "b": [3.0, 7.0]}, {"a": [1.0, 1.0, None]}]
    assert [(group["conflicting_tasks"], group["spread"]) for group in listed] == [(2, 4.0), (0, 0.0)]
    connected = group_report(dataset, dataset.descriptors().connectivity)
    assert (connected["groups"], connected["rows"], connected["groups_of_several_smiles"]) == (3, 7, 1)
    assert (connected["conflicting_groups"], connected["conflicting_cells"]) == (2, 3)


def test_long_lists_and_wide_tables_are_cut_but_counted(
    own: Callable[..., MoleculeDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    smiles = ["C" * length for length in (1, 2, 3)] * 2
    tasks = {f"t{number}": [1, 0, 1, 1, 0, int(number != 3)] for number in range(21)}
    dataset = own({"smiles": smiles, **tasks}, targets=["*"])
    monkeypatch.setattr(repeats, "LISTED", 2)
    found = group_report(dataset, dataset.canonical)
    assert (found["groups"], len(found["listed"]), found["conflicting_groups"]) == (3, 2, 1)
    assert found["listed"][0]["labels"] == {"t3": [1.0, 0.0]}
    assert found["listed"][1]["labels"] == {}
    assert (found["largest_spread"], found["listed"][0]["spread"]) == (None, None)  # classes have none


def test_a_policy_for_duplicates_leaves_descriptors_at_their_molecules(own: Callable[..., MoleculeDataset]) -> None:
    merged = own({name: cells for name, cells in PLANTED.items() if name != "split"}, duplicates="merge")
    assert merged.whole is not None
    direct = describe_chunk(merged.smiles)
    for found, expected in zip(merged.descriptors(), direct, strict=True):
        np.testing.assert_array_equal(found, expected)
    report = report_on(merged)
    assert (report["kept"], report["dropped_count"], report["duplicates"]["groups"]) == (7, 2, 0)
    assert report["dropped_reasons"] == {"merged into data row …, the same molecule": 2}
    assert [one["row"] for one in report["dropped"]] == [4, 8]


def test_descriptors_are_computed_once(own: Callable[..., MoleculeDataset], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = own(PLANTED)
    first = dataset.descriptors()

    def never(smiles: list[str]) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("roftbench.data.cached_entries.describe_chunk", never)
    for one, other in zip(first, own(PLANTED).descriptors(), strict=True):
        np.testing.assert_array_equal(one, other)


# Holes


def test_three_molecules_have_an_empty_part_and_no_duplicates(own: Callable[..., MoleculeDataset]) -> None:
    report = report_on(own({"smiles": ["CCO", "CCN", "c1ccccc1"], "y": [0.5, 1.5, 2.5]}))
    random = report["splits"]["random"]
    assert [part["molecules"] for part in random["parts"].values()] == [2, 0, 1]
    empty = {"molecules": 0, "labels": 0, "mean": [None], "std": [None], "scaffolds": 0}
    assert random["parts"]["val"] == {**empty, "atoms": {"min": None, "median": None, "max": None}}
    assert random["undefined_tasks"] == {"val": 1, "test": 0}
    assert (report["duplicates"]["groups"], report["duplicates"]["largest_spread"]) == (0, None)
    assert report["duplicates"]["listed"] == []
    assert "random split: the val part has no label: its scores are undefined" in report["warnings"]


@pytest.mark.parametrize("label", [1, 0.25])
def test_a_single_molecule_has_a_report(own: Callable[..., MoleculeDataset], label: float) -> None:
    report = report_on(own({"smiles": ["[He]", "C*"], "y": [label, label]}))
    assert (report["kept"], report["dropped_count"], report["molecules"]["without_bonds"]) == (1, 1, 1)
    for split in report["splits"].values():
        assert sorted(part["molecules"] for part in split["parts"].values()) == [0, 0, 1]
        assert split["test_similarity"]["mean"] is None
        assert split["test_similarity"]["share_1_0"] is None
    assert "only 1 molecules" in report["warnings"][0]


@pytest.mark.parametrize("labels", [[0, 1], [0.5, 1.5]])
def test_a_policy_that_leaves_nothing_has_a_report(own: Callable[..., MoleculeDataset], labels: list[float]) -> None:
    report = report_on(own({"smiles": ["CCO", "OCC"], "y": labels}, duplicates="drop_conflicts"))
    assert (report["rows"], report["kept"], report["dropped_count"]) == (2, 0, 2)
    assert report["labels"]["missing_share"] is None
    assert report["molecules"]["atoms"] == {"min": None, "median": None, "max": None}
    assert "random split: the train part has no label: its scores are undefined" in report["warnings"]


@pytest.mark.parametrize(("task", "labels"), [("regression", [0.5, 1.5, 2.5, NAN]), ("classification", [0, 1, 1, NAN])])
def test_a_task_without_labels_has_nulls(own: Callable[..., MoleculeDataset], task: str, labels: list[float]) -> None:
    table = {"smiles": ["CCO", "CCN", "CCC", "CCF"], "full": labels, "none": [NAN] * 4}
    report = report_on(own(table, targets=["full", "none"], task=task))
    full, none = report["labels"]["tasks"]
    assert (full["known"], none["known"], none["missing_share"]) == (3, 0, 1.0)
    assert report["labels"]["missing_share"] == pytest.approx(5 / 8)
    assert report["molecules"]["without_label"] == 1
    if task == "regression":
        keys = ("min", "mean", "std", "median", "max")
        assert [none[key] for key in keys] == [None] * 5
        assert [full[key] for key in keys] == [0.5, 1.5, pytest.approx(np.std([0.5, 1.5, 2.5])), 1.5, 2.5]
        assert (full["unique"], none["unique"]) == (3, 0)
        assert "no label in 1 of 2 tasks (none)" in report["warnings"]
    else:
        assert (none["negatives"], none["positives"], none["positive_share"]) == (0, 0, None)
        assert (full["negatives"], full["positives"], full["positive_share"]) == (1, 2, pytest.approx(2 / 3))
        warning = "not both classes among the labels of 1 of 2 tasks (none): ROC-AUC is undefined there"
        assert warning in report["warnings"]


def test_a_split_that_cannot_be_made_is_told_beside_the_others(own: Callable[..., MoleculeDataset]) -> None:
    dataset = own({"smiles": ["CCO", "CCN", "CCC"], "y": [0.5, 1.5, 2.5]})
    splitters = {"random": RandomSplit(), "column": ColumnSplit()}
    report = quality_report(dataset, splitters, FULL)
    assert list(report["splits"]["column"]) == ["error"]
    assert report["splits"]["random"]["parts"]["train"]["molecules"] == 2
    assert any(text.startswith("column split: split=column: the table has no column") for text in report["warnings"])
    with raises_usage("9 training molecules"):
        quality_report(dataset, {"random": RandomSplit()}, LabelRatio(count=9))


# Warnings

ALKANES = ["C" * length for length in range(1, 121)]
NUMBERS = [float(number) + 0.25 for number in range(120)]
WARNED: dict[str, tuple[list[str], list[float], str]] = {
    "few molecules": (ALKANES[:99], NUMBERS[:99], "only 99 molecules"),
    "salts": (["[Na+].[Cl-]", *ALKANES[1:]], NUMBERS, "1 molecule has several fragments"),
    "no bonds": (["[He]", "O", *ALKANES[2:]], NUMBERS, "2 molecules have no bonds"),
    "missing labels": (ALKANES, [NAN] * 30 + NUMBERS[30:], "25% of the labels are missing"),
    "without label": (ALKANES, [NAN] * 7 + NUMBERS[7:], "7 of 120 molecules have no label at all"),
    "dropped": (["C*", "?", *ALKANES[2:]], NUMBERS, "2 of 120 rows are dropped"),
    "few values": (ALKANES, [0.0, 1, 2, 3] * 30, "no more than 4 different values in y: classes?"),
    "exponential": (ALKANES, [10 ** (n / 20) for n in range(120)], "more than four orders of magnitude in y"),
    "one class": (ALKANES, [1.0] * 120, "not both classes among the labels of y"),
    "rare class": (ALKANES, [1.0] * 5 + [0.0] * 115, "a class of less than 5% in y (the rarest: 4.17%)"),
    "rare negatives": (ALKANES, [0.0] * 3 + [1.0] * 117, "a class of less than 5% in y (the rarest: 2.50%)"),
    "conflict": (["CC", *ALKANES[1:]], NUMBERS, "1 molecule has different labels in rows of the same SMILES"),
}
HARMLESS: dict[str, list[float]] = {
    "regression": NUMBERS,
    "classes": [1.0] * 6 + [0.0] * 114,
    "wide with a negative": [-1.0, *(10 ** (n / 20 - 4) for n in range(119))],
    "four orders of magnitude": [10 ** (n / 30 - 2) for n in range(120)],
}


@pytest.mark.parametrize("case", WARNED)
def test_what_a_chemist_should_know_is_said(own: Callable[..., MoleculeDataset], case: str) -> None:
    smiles, labels, expected = WARNED[case]
    dataset = own({"smiles": smiles, "y": labels}, targets=["y"])
    bonds = "have no bonds" if case == "no bonds" else "1 molecule has no bonds"  # methane
    found = [text for text in quality_report(dataset, {}, FULL)["warnings"] if bonds not in text or case == "no bonds"]
    assert any(expected in text for text in found), found


@pytest.mark.parametrize("case", HARMLESS)
def test_a_good_data_set_has_no_warning(own: Callable[..., MoleculeDataset], case: str) -> None:
    dataset = own({"smiles": [f"C{smiles}" for smiles in ALKANES], "y": HARMLESS[case]}, targets=["y"])
    assert quality_report(dataset, {}, FULL)["warnings"] == []
