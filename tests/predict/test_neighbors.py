"""Nearest training molecules, checked by hand and by the molecules that a job trains on."""

import numpy as np
import pytest
from lab import Lab
from rdkit import DataStructs
from rdkit.Chem import MolFromSmiles
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from roftbench.data import similarity as blocks
from roftbench.predict.held_out import from_record, joined
from roftbench.predict.neighbors import among_others, nearest, packed_bits, surroundings
from roftbench.runner.run import load_experiment

SPLIT = "model=ecfp", "method=ridge", "label_ratio=full"


def bits(*rows: str) -> np.ndarray:
    """Eight bits per row, such as "11000000"."""
    return np.array([[int(row, 2)] for row in rows], np.uint8)


def test_neighbors_by_hand() -> None:
    references = bits("11110000", "11000000", "00001111", "11000000")
    found = nearest(bits("11000000", "11100000", "00000001"), references, 3)
    assert found.similarity.tolist() == [[1, 1, 0.5], [0.75, pytest.approx(2 / 3), pytest.approx(2 / 3)], [0.25, 0, 0]]
    assert found.place.tolist() == [[1, 3, 0], [0, 1, 3], [2, 0, 1]]  # of equal ones the first


def test_fewer_references_than_wanted_and_none_at_all() -> None:
    assert nearest(bits("1", "11"), bits("1"), 5).similarity.tolist() == [[1], [0.5]]
    assert nearest(bits("1"), bits("1")[:0], 5).place.shape == (1, 0)
    assert nearest(bits("1")[:0], bits("1"), 5).place.shape == (0, 1)
    alone = surroundings(bits("1"), bits("1")[:0], np.empty((0, 1)))
    assert alone.similarity.tolist() == [0]
    assert np.isnan(alone.local).all()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, references = (rng.integers(0, 4, (count, 2)).astype(np.uint8) for count in (50, 70))  # many equal ones
    whole = nearest(queries, references, 6)
    for name, size in (("QUERIES", 7), ("REFERENCES", 11)):
        monkeypatch.setattr(f"roftbench.predict.neighbors.{name}", size)
    cut = nearest(queries, references, 6)
    assert np.array_equal(whole.similarity, cut.similarity)
    assert np.array_equal(whole.place, cut.place)
    assert np.array_equal(blocks.nearest(queries, references, None), whole.similarity[:, 0])


def test_similarities_are_those_of_rdkit() -> None:
    texts = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "C1CCCCC1Br", "CCN(CC)CC", "O=C(O)c1ccccc1"]
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(MolFromSmiles(text)) for text in texts]
    found = nearest(packed_bits(texts), packed_bits(texts), len(texts))
    for row, one in enumerate(prints):
        expected = np.array(DataStructs.BulkTanimotoSimilarity(one, prints))
        assert found.similarity[row] == pytest.approx(np.sort(expected)[::-1])
        assert expected[found.place[row]] == pytest.approx(found.similarity[row])


def test_labels_of_the_surroundings_by_hand() -> None:
    references = bits("11110000", "11000000", "00001111")
    y = np.array([[1.0, np.nan], [4.0, 5.0], [0.0, 7.0]])
    found = surroundings(bits("11100000"), references, y)
    assert found.similarity.tolist() == [0.75]
    assert found.local is not None
    weight = np.array([3 / 4, 2 / 3, 1e-3])  # one without a common bit hardly counts
    mean = (weight * [1, 4, 0]).sum() / weight.sum()
    deviation = np.sqrt((weight * (np.array([1, 4, 0]) - mean) ** 2).sum() / weight.sum())
    assert found.local[0, 0].tolist() == pytest.approx([mean, deviation, 1])
    assert found.local[0, 1, 2] == 5  # the nearest that has a label of this task
    assert surroundings(bits("11100000"), references, None).local is None


@pytest.mark.parametrize("split", [("split=random",), ("split=cv", "split.folds=3", "split.by=random")])
def test_held_out_molecules_are_beside_those_that_their_own_fit_learned_from(lab: Lab, split: tuple[str, ...]) -> None:
    folds = [()] if len(split) == 1 else [(f"split.fold={fold}",) for fold in range(3)]
    records, parts, expected = [], [], []
    for fold in folds:
        records.append(lab.done(*SPLIT, *split, *fold))
        experiment = load_experiment(*lab.job(*SPLIT, *split, *fold))
        dataset = experiment.dataset
        parts.append(from_record(dataset, records[-1]))
        train = packed_bits([dataset.smiles[i] for i in experiment.parts.train])
        test = packed_bits([dataset.smiles[i] for i in np.searchsorted(dataset.rows, parts[-1].rows)])
        expected.append(surroundings(test, train, dataset.y[experiment.parts.train]))
    whole = dataset.rows if len(records) == 1 else None
    found = joined(among_others(dataset, records, parts, whole))
    assert found.similarity is not None
    assert np.array_equal(found.similarity, np.concatenate([one.similarity for one in expected]))
    means = np.concatenate([one.local[:, :, 0] for one in expected if one.local is not None])
    assert found.local is not None
    close = np.isclose(found.local[:, :, 0], means)  # equally similar neighbors stand in another order
    assert close.mean() > 0.8
