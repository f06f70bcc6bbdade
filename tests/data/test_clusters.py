"""Clusters of ESOL against RDKit, SciPy and scikit-learn."""

import numpy as np
import pytest
from lab import Lab
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from rdkit.ML.Cluster import Butina
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from roftbench.data.clusters import butina, chains, k_means, neighbors
from roftbench.data.dataset import MoleculeDataset, load_dataset


@pytest.fixture(scope="module")
def esol(tmp_path_factory: pytest.TempPathFactory, cache: object) -> MoleculeDataset:
    folder = tmp_path_factory.mktemp("esol")
    job, context = Lab(folder, folder).job()
    return load_dataset(job.dataset, folder, context.places)


@pytest.fixture(scope="module")
def distances(esol: MoleculeDataset) -> list[float]:
    """Tanimoto distances of each molecule to those before it, as RDKit's Butina takes them."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    found = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in esol.smiles]
    return [
        round(1 - s, 9) for i in range(1, len(found)) for s in DataStructs.BulkTanimotoSimilarity(found[i], found[:i])
    ]


@pytest.mark.parametrize("cutoff", [0.3, 0.65, 0.8])
def test_butina_clusters_are_those_of_rdkit(esol: MoleculeDataset, distances: list[float], cutoff: float) -> None:
    expected = np.empty(len(esol), int)
    for number, members in enumerate(Butina.ClusterData(distances, len(esol), cutoff, isDistData=True)):
        expected[list(members)] = number
    assert butina(neighbors(esol.fingerprints(), 1 - cutoff, "test")).tolist() == expected.tolist()


@pytest.mark.parametrize("threshold", [0.4, 0.6])
def test_chains_leave_no_similar_pair_apart(esol: MoleculeDataset, distances: list[float], threshold: float) -> None:
    group = chains(neighbors(esol.fingerprints(), threshold, "test"))
    similarity = np.ones((len(esol), len(esol)))
    similarity[np.tril_indices(len(esol), -1)] = 1 - np.array(distances)
    similarity = np.minimum(similarity, similarity.T)
    near = similarity >= threshold
    assert (group[:, None] == group[None])[near].all()
    sizes = np.bincount(group)
    for number in np.flatnonzero(sizes > 1):  # no group could be divided
        members = np.flatnonzero(group == number)
        assert near[np.ix_(members, members)].sum() > len(members)


def test_neighbors_at_the_very_threshold_count(esol: MoleculeDataset) -> None:
    bits = np.zeros((3, 256), np.uint8)
    bits[0, 0], bits[1, 0], bits[2, 0] = 0b1111111, 0b1111110, 0b1110000
    found = neighbors(bits, 6 / 7, "test").toarray()
    assert found.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert neighbors(bits, 3 / 7, "test").toarray().tolist() == [[1, 1, 1], [1, 1, 1], [1, 1, 1]]


def test_k_means_is_that_of_scikit_learn(esol: MoleculeDataset) -> None:
    bits: NDArray[np.float32] = np.unpackbits(esol.fingerprints(), axis=1).astype(np.float32)
    expected = KMeans(20, n_init=1, random_state=3).fit_predict(bits)
    assert adjusted_rand_score(expected, k_means(esol.fingerprints(), 20, 3)) == 1


def test_k_means_has_no_more_clusters_than_different_molecules() -> None:
    bits = np.repeat(np.eye(3, 256, dtype=np.uint8), 4, axis=0)
    assert len(np.unique(k_means(bits, 20, 0))) == 3
