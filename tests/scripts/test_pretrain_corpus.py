"""The corpus of pretraining: what is read, what is left out, what is to be predicted."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from lab import ROOT
from rdkit import Chem

from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import PackedGraphs
from roftbench.store.wheels import PackageError, package_member
from scripts.pretraining.corpus import build_corpus, load_corpus, save_corpus
from scripts.pretraining.molecules import CHEMBL, all_forms, benchmark_smiles, forms, table
from scripts.pretraining.targets import PhysicalChemistry, Structure, normal_scores

TABLES = ROOT / "src" / "roftbench" / "assets" / "data"


def flat(smiles: str) -> str:
    """The canonical SMILES without stereochemistry, of the largest part, as the independent criterion."""
    molecule = Chem.MolFromSmiles(smiles)
    largest = max(Chem.GetMolFrags(molecule, asMols=True), key=lambda part: part.GetNumAtoms())
    return str(Chem.MolToSmiles(largest, isomericSmiles=False))


def column(path: Path) -> Iterator[str]:
    rows = table(path.name, path.read_bytes())
    return (row.get("smiles") or row["mol"] for row in rows)


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 300 rows of each bundled table."""
    folder = tmp_path_factory.mktemp("benchmarks")
    for path in TABLES.glob("*.csv.gz"):
        lines = gzip.decompress(path.read_bytes()).splitlines()[:301]
        (folder / path.name).write_bytes(gzip.compress(b"\n".join(lines)))
    return folder


@pytest.mark.slow
@pytest.mark.whole
def test_no_benchmark_molecule_is_learned_from(benchmarks: Path) -> None:
    """Of real molecules of the ChEMBL package and real ones of the benchmarks only the former are kept."""
    try:
        content = package_member(f"{CHEMBL.name}=={CHEMBL.version}", "MoleculeACE/Data/benchmark_data/CHEMBL204_Ki.csv")
    except PackageError as error:
        pytest.skip(f"the released package cannot be had: {error}")
    chembl = [row["smiles"] for row in table("a.csv", content)][:700]
    known = [smiles for path in sorted(benchmarks.glob("*.gz")) for smiles in column(path)]
    parsed = [smiles for smiles in known if smiles and Chem.MolFromSmiles(smiles) is not None]
    corpus = build_corpus(chembl + parsed[::5], benchmark_smiles([benchmarks]), {})

    assert {flat(smiles) for smiles in corpus.smiles}.isdisjoint({flat(smiles) for smiles in parsed})
    counts = corpus.info["counts"]
    assert counts["molecules read"] == len(chembl) + len(parsed[::5])
    assert counts["in a benchmark, left out"] >= len({flat(smiles) for smiles in parsed[::5]})
    assert counts["kept, with fragments"] == len(corpus.smiles) == len(corpus.graphs) > len(set(chembl)) * 0.9
    assert len(set(corpus.smiles)) == len(corpus.smiles)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CC(N)C(=O)O", "C[C@H](N)C(=O)O"),  # stereochemistry
        ("OC(=O)c1ccccc1OC(C)=O", "[Na+].[O-]C(=O)c1ccccc1OC(C)=O"),  # a salt
        ("CCCCN", "CCCC[NH3+]"),  # charge
        ("Oc1ccccn1", "O=c1cccc[nH]1"),  # a tautomer
    ],
)
def test_other_forms_of_a_benchmark_molecule_share_a_name(one: str, other: str) -> None:
    names = all_forms([one, other, "no molecule"])
    assert not forms(Chem.MolFromSmiles(one)).isdisjoint(forms(Chem.MolFromSmiles(other)))
    assert forms(Chem.MolFromSmiles("CCCCCCCCCl")).isdisjoint(names)


def test_corpus_is_read_as_it_was_written(tmp_path: Path) -> None:
    texts = ["CC(=O)Nc1ccc(CBr)cc1", "c1ccc2c(c1)CCC2CI", "C[N+](C)(C)CCS", "not a molecule"]
    corpus = build_corpus(list(texts), {"CBr"}, {"sources": "these"})
    save_corpus(corpus, tmp_path / "corpus")
    again = load_corpus(tmp_path / "corpus")
    assert again.smiles == corpus.smiles
    assert {flat(text) for text in texts[:3]} <= set(again.smiles)
    assert "CBr" not in again.smiles
    assert again.names == corpus.names
    assert again.info == corpus.info
    assert again.targets.keys() == {
        "tokens",
        "environments",
        "composition",
        "descriptors",
        "substructures",
    }
    assert all(torch.equal(again.targets[name], corpus.targets[name]) for name in again.targets)
    for position, smiles in enumerate(again.smiles):
        graph = smiles_to_graph(smiles)
        batch = again.graphs.batch(torch.tensor([position]))
        assert sorted(batch.x.tolist()) == sorted(graph.x.tolist())  # the atoms may stand in another order
        assert again.targets["composition"][position, 0] == pytest.approx(np.log(len(graph.x)))
    with pytest.raises(SystemExit, match=r"no corpus in .*nowhere.*scripts\.pretraining\.corpus"):
        load_corpus(tmp_path / "nowhere")


def test_structure_tells_atoms_and_their_surroundings_apart() -> None:
    texts = ["CCO", "OCC", "CC[O-]", "C1CC1O"]
    target = Structure()
    for text in texts:
        target.add(target.describe(Chem.MolFromSmiles(text)))
    graphs = PackedGraphs.from_graphs(map(smiles_to_graph, texts))
    tensors = target.tensors(graphs)
    tokens = [target.names[i] for i in tensors["tokens"]]
    assert tokens[:3] == ["C+0H3D1-R0", "C+0H2D2-R0", "O+0H1D1-R0"]
    assert tokens[3:6] == tokens[2::-1]
    assert tokens[8] == "O-1H0D1-R0"
    assert tokens[9] == "C+0H2D2-R3"
    around = tensors["environments"].tolist()
    assert around[:3] == around[5:2:-1]
    assert len(set(around[:3])) == 3
    assert around[1] == around[7]  # bonds and elements around it are the same, whatever the neighbor's charge
    assert torch.equal(tensors["composition"][0], tensors["composition"][1])


def test_no_descriptor_is_a_label_of_a_benchmark() -> None:
    names = {name for name, _ in PhysicalChemistry.functions}
    assert {"TPSA", "MolWt", "NumHDonors", "fr_ether"} <= names
    assert not {name for name in names if "logp" in name.lower() or name == "qed"}
    values = PhysicalChemistry.describe(Chem.MolFromSmiles("CCO"))
    by_name = dict(zip((name for name, _ in PhysicalChemistry.functions), values, strict=True))
    assert by_name["TPSA"] == pytest.approx(20.23)
    assert by_name["MolWt"] == pytest.approx(46.069, abs=1e-3)


def test_normal_scores_keep_the_order_and_share_ranks() -> None:
    values = np.array([3.0, 1.0, 1.0, np.nan, 200.0, 7.0])
    scores, varied = normal_scores(values)
    assert scores[3] == 0
    assert scores[1] == scores[2] < scores[0] < scores[5] < scores[4]
    known = scores[[0, 1, 2, 4, 5]]
    assert float(known.mean()) == pytest.approx(0, abs=1e-6)
    assert float(known.std()) == pytest.approx(1, abs=1e-6)
    assert varied == pytest.approx(4 / 6)
    assert normal_scores(np.full(4, np.nan))[1] == 0.0
