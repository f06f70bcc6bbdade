"""Splits by clusters, similarity and time on ESOL and on small cases."""

import numpy as np
import pytest
from given import Given, rest
from lab import Lab
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from roftbench.data.cluster_splits import ButinaSplit, KMeansSplit, SimilaritySplit, TimeSplit, dates
from roftbench.data.cross_validation import CrossValidation
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.split import Splitter
from roftbench.errors import UsageError

CLUSTERS: list[Splitter] = [ButinaSplit(), ButinaSplit(cutoff=0.4), KMeansSplit(), SimilaritySplit()]


@pytest.fixture(scope="module")
def esol(tmp_path_factory: pytest.TempPathFactory) -> MoleculeDataset:
    folder = tmp_path_factory.mktemp("esol")
    job, context = Lab(folder, folder).job()
    return load_dataset(job.dataset, folder, context.places)


@pytest.mark.parametrize("splitter", CLUSTERS, ids=repr)
def test_clusters_are_never_cut_and_fill_train_first(esol: MoleculeDataset, splitter: Splitter) -> None:
    split = splitter(esol)
    assert rest(len(esol), split.train, split.val, split.test) == []
    clusters = splitter.clusters(esol)  # type: ignore[attr-defined]
    found = [set(clusters[part]) for part in (split.train, split.val, split.test)]
    assert sum(map(len, found)) == len(set().union(*found))
    assert len(split.train) <= 0.8 * len(esol)
    assert np.argmax(np.bincount(clusters)) in found[0] or np.bincount(clusters).max() > 0.8 * len(esol)
    assert splitter(esol).to_dict() == split.to_dict()
    assert "clusters" in split.note
    assert "the median test molecule has Tanimoto similarity 0." in split.note


def test_no_test_molecule_is_as_similar_to_train_as_the_threshold(esol: MoleculeDataset) -> None:
    split = SimilaritySplit(threshold=0.55)(esol)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in esol.smiles]
    rest_of = [bits[i] for i in (*split.train, *split.val)]
    assert len(split.test)
    assert max(max(DataStructs.BulkTanimotoSimilarity(bits[i], rest_of)) for i in split.test) < 0.55


@pytest.mark.parametrize(
    ("splitter", "remedy"),
    [
        (ButinaSplit(cutoff=0.98), "lower split.cutoff"),
        (SimilaritySplit(threshold=0.05), "raise split.threshold"),
        (KMeansSplit(num_clusters=2), "raise split.num_clusters"),
        (CrossValidation(fold=0, folds=2, by="butina", cutoff=0.98), "lower split.cutoff"),
    ],
    ids=repr,
)
def test_a_giant_cluster_is_warned_of(esol: MoleculeDataset, splitter: Splitter, remedy: str) -> None:
    assert f"hardly follow the clusters: {remedy}" in splitter(esol).note
    assert "hardly" not in ButinaSplit()(esol).note


def test_clusters_are_computed_once(esol: MoleculeDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    first = KMeansSplit(num_clusters=7).clusters(esol)
    monkeypatch.setattr("roftbench.data.cluster_splits.k_means", None)
    assert KMeansSplit(num_clusters=7).clusters(esol).tolist() == first.tolist()


def dated(cells: list[str]) -> Given:
    ones = np.ones(len(cells), np.int64)
    return Given(ones, ones, cells=cells, bits=np.eye(len(cells), 256, dtype=np.uint8))


def test_time_split_puts_the_latest_into_test_and_cuts_no_date() -> None:
    cells = [
        "2020-05-01",
        "2019",
        "2021-01-02",
        "2021-01-02T10:00",
        "2018-12-31",
        "2022",
        "2022",
        "2022",
        "2017",
        "2016",
    ]
    split = TimeSplit(column="date", fractions=[0.6, 0.2, 0.2])(dated(cells))
    assert split.train.tolist() == [9, 8, 4, 1, 0, 2]
    assert split.val.tolist() == [3]
    assert split.test.tolist() == [5, 6, 7]
    assert split.note.startswith("test begins at 2022-01-01")


@pytest.mark.parametrize("cell", ["soon", "now", "today"])
def test_a_cell_that_is_no_date_is_named(cell: str) -> None:
    with pytest.raises(UsageError, match=rf"split\.column=date: row 3 holds '{cell}', which is no date"):
        dates(["2020", "2021-02-03", cell], "date", np.array([0, 1, 2]))


def test_times_of_several_zones_are_compared_in_utc() -> None:
    cells = ["2024-03-31T01:30:00+01:00", "2024-03-31T02:30:00+02:00", "2024-03-31T00:30:00Z", "2024-03-31"]
    found = dates(cells, "date", np.arange(4))
    assert list(found.astype(str)) == [*["2024-03-31T00:30:00"] * 3, "2024-03-31T00:00:00"]
