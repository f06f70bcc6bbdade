"""The fingerprint: RDKit's bits and counts, computed once, for the molecules that a policy keeps."""

from pathlib import Path

import numpy as np
import pytest
from lab import Lab, write_csv
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from roftbench.data import dataset as data
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.models import ecfp
from roftbench.models.ecfp import ECFP


def dataset_of(lab: Lab, *overrides: str) -> MoleculeDataset:
    job, env = lab.job(*overrides)
    return load_dataset(job.dataset, env.cache / "data", env.places)


@pytest.mark.parametrize("counts", [False, True])
def test_features_are_those_of_rdkit(lab: Lab, counts: bool) -> None:
    dataset = dataset_of(lab)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    make = generator.GetCountFingerprintAsNumPy if counts else generator.GetFingerprintAsNumPy
    expected = np.stack([make(Chem.MolFromSmiles(text)) for text in dataset.smiles])
    features = ECFP(counts).features(dataset)
    assert features.shape == (1128, 2048)
    assert (features == expected).all()
    assert (features.max() > 1) == counts


@pytest.mark.parametrize("counts", [False, True])
def test_a_policy_for_duplicates_picks_from_the_same_file(lab: Lab, tmp_path: Path, counts: bool) -> None:
    smiles = ["CCO", "CCN", "OCC", "c1ccccc1CCCCCC", "CCO"]
    path = write_csv(tmp_path / "twice.csv", {"smiles": smiles, "y": [0.5, 2, 1.5, 3, 1]})
    named = ("dataset=csv", f"dataset.path={path}")
    whole = dataset_of(lab, *named)
    merged = dataset_of(lab, *named, "dataset.duplicates=merge")
    assert (len(whole), len(merged)) == (5, 3)
    features = ECFP(counts).features(whole)
    assert (features[0] == features[4]).all()
    assert (ECFP(counts).features(merged) == features[merged.position]).all()


def test_it_is_computed_once_a_data_set_and_the_bits_also_for_the_report(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "few.csv", {"smiles": ["C", "CC", "CCC", "CCCO"], "y": [0.5, 1, 2, 3]})
    named = ("dataset=csv", f"dataset.path={path}")
    dataset = dataset_of(lab, *named)
    dataset.descriptors()
    counted = ECFP(counts=True).features(dataset)
    monkeypatch.setattr(ecfp, "_entry", None)
    monkeypatch.setattr(data, "descriptor_entry", None)
    again = dataset_of(lab, *named)
    assert ECFP().features(again).tolist() == (counted > 0).astype(int).tolist()
    assert ECFP(counts=True).features(again).tolist() == counted.tolist()
