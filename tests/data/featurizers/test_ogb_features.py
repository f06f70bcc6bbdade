"""OGB's atom and bond features: the documented lists, their "other" entries, and random walks beside them."""

import numpy as np
import pytest
import torch
from rdkit import Chem

from roftbench.config.featurizers import graph_kind
from roftbench.data.featurizers.hu import molecule_to_graph
from roftbench.data.featurizers.hu import smiles_to_graph as hu_graph
from roftbench.data.featurizers.ogb import ATOM_CLASSES, BOND_CLASSES, GRID, NUM_STEPS, add_walks, smiles_to_graph
from roftbench.data.featurizers.positional import return_probabilities
from roftbench.data.packed import PackedGraphs
from roftbench.data.smiles import FeaturizeError

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "C", "F/C=C\\Cl", "[Na+].[Cl-]", "C[C@H](N)C(=O)O.[K+]", "CCO"]

# The example in ogb's own source: the third bond and the second atom of this molecule, and their features.
EXAMPLE = "Cl[C@H](/C=C/C)Br"


def test_the_example_of_the_ogb_package() -> None:
    graph = smiles_to_graph(EXAMPLE)
    assert graph.x[1].tolist() == [5, 2, 4, 5, 1, 0, 2, 0, 0]
    assert graph.edge_attr[4].tolist() == graph.edge_attr[5].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("smiles", "features"),
    [
        ("*", [118, 0, 0, 5, 0, 0, 5, 0, 0]),
        ("[Cr+6]", [23, 0, 0, 11, 0, 0, 5, 0, 0]),
        ("[Na+]", [10, 0, 0, 6, 0, 0, 2, 0, 0]),
        ("[CH3]", [5, 0, 3, 5, 3, 1, 2, 0, 0]),
        ("[2H]", [0, 0, 0, 5, 0, 1, 5, 0, 0]),
    ],
)
def test_what_the_lists_lack_is_their_last_entry(smiles: str, features: list[int]) -> None:
    found = smiles_to_graph(smiles).x[0].tolist()
    found[6] = features[6]  # RDKit's hybridisation of a lone atom is not what is tested
    assert found == features


def test_aromatic_conjugated_and_stereo() -> None:
    benzene = smiles_to_graph("c1ccccc1")
    assert benzene.x.tolist() == [[5, 0, 3, 5, 1, 0, 1, 1, 1]] * 6
    assert benzene.edge_attr.tolist() == [[3, 0, 1]] * 12
    assert smiles_to_graph("F/C=C\\Cl").edge_attr[2].tolist() == [1, 1, 0]
    assert smiles_to_graph("FC(=C)Cl").edge_attr[2].tolist() == [1, 0, 0]
    assert smiles_to_graph("[NH3]->[Pt]").edge_attr[0].tolist() == [4, 0, 0]


def test_every_class_has_a_row() -> None:
    texts = [*SMILES, "*C", "[Fe-6]", "F[P@SP1](Cl)(Br)I", "O=[Os](=O)(=O)=O", "FS(F)(F)(F)(F)F", "[U]", "[NH3]->[Pt]"]
    for text in texts:
        graph = smiles_to_graph(text)
        assert ((graph.x >= 0) & (graph.x < ATOM_CLASSES)).all()
        assert ((graph.edge_attr >= 0) & (graph.edge_attr < BOND_CLASSES)).all()


@pytest.mark.parametrize("smiles", SMILES)
def test_atoms_and_bonds_are_those_of_the_hu_graphs_in_their_order(smiles: str) -> None:
    ours, hu = smiles_to_graph(smiles), hu_graph(smiles)
    assert ours.x[:, 0].tolist() == hu.x[:, 0].tolist()
    np.testing.assert_array_equal(ours.edge_index, hu.edge_index)
    np.testing.assert_array_equal(ours.edge_attr[:, 0], hu.edge_attr[:, 0])
    assert len(molecule_to_graph(Chem.MolFromSmiles(smiles)).x) == len(ours.x)


def test_a_smiles_that_cannot_be_parsed() -> None:
    with pytest.raises(FeaturizeError):
        smiles_to_graph("C(")


def test_walks_of_a_triangle_a_pair_and_single_atoms() -> None:
    pair = add_walks(smiles_to_graph("CC")).x[:, 9:]
    assert pair.tolist() == [[step % 2 for step in range(NUM_STEPS)]] * 2
    assert (add_walks(smiles_to_graph("C")).x[:, 9:] == 0).all()  # graphium says 1 here, GraphGPS 0
    assert (add_walks(smiles_to_graph("[Na+].[Cl-]")).x[:, 9:] == 0).all()
    triangle = add_walks(smiles_to_graph("C1CC1")).x[0, 9:]
    expected = [(1 + 2 * (-0.5) ** step) / 3 for step in range(1, NUM_STEPS + 1)]
    np.testing.assert_allclose(triangle, expected, rtol=0, atol=1 / GRID)


@pytest.mark.parametrize("smiles", [text for text in SMILES if text != "C"])
def test_walks_are_minimols_but_finer(smiles: str) -> None:
    graph = smiles_to_graph(smiles)
    adjacency = np.zeros((len(graph.x), len(graph.x)))
    adjacency[tuple(graph.edge_index)] = 1
    walks = add_walks(graph).x[:, 9:]
    assert walks.dtype == np.float32
    np.testing.assert_allclose(walks, return_probabilities(adjacency, NUM_STEPS), rtol=1e-3, atol=1e-6)
    assert (walks.astype(np.float64) * GRID % 1 == 0).all()


@pytest.mark.parametrize("name", ["ogb", "ogb_rwse"])
def test_packed_and_gathered(name: str) -> None:
    graphs = PackedGraphs.from_chunks([graph_kind(name).pack(SMILES[:3]), graph_kind(name).pack(SMILES[3:])])
    batch = graphs.batch(torch.tensor([4, 0]))
    found = [
        add_walks(smiles_to_graph(SMILES[i])) if name == "ogb_rwse" else smiles_to_graph(SMILES[i]) for i in (4, 0)
    ]
    assert batch.x.dtype == (torch.float32 if name == "ogb_rwse" else torch.int64)
    np.testing.assert_array_equal(batch.x.numpy(), np.concatenate([graph.x for graph in found]))
    assert batch.edge_attr.shape == (sum(len(graph.edge_attr) for graph in found), 3)
    assert graph_kind(name).pack([])["x"].shape == (0, 9 if name == "ogb" else 25)
