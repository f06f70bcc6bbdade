"""Graphs against the reference graphs of ESOL, and the SMILES that have none."""

import json
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, rdBase

from roftbench.data.featurizers.base import Graph
from roftbench.data.featurizers.hu import (
    BOND_DIRECTION,
    BOND_TYPE,
    CHIRALITY,
    molecule_to_graph,
    parse_smiles,
    scaffold_smiles,
    smiles_to_graph,
)
from roftbench.data.smiles import FeaturizeError

PLAIN, CLOCKWISE, COUNTER = 0, 1, 2
SINGLE, DOUBLE, TRIPLE, AROMATIC = range(4)
NONE, UP, DOWN = range(3)


def assert_same(left: Graph, right: Graph) -> None:
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def test_golden_graphs(shared: Path) -> None:
    golden = json.loads((shared / "golden" / "graphs_esol.json").read_text(encoding="utf-8"))["molecules"]
    assert len(golden) == 20
    for molecule in golden:
        graph = smiles_to_graph(molecule["smiles"])
        assert graph.x.tolist() == molecule["x"], molecule["smiles"]
        assert graph.edge_index.tolist() == molecule["edge_index"], molecule["smiles"]
        assert graph.edge_attr.tolist() == molecule["edge_attr"], molecule["smiles"]


def test_atoms_and_bonds_come_in_the_order_of_the_smiles() -> None:
    graph = smiles_to_graph("N#CC=O")
    assert graph.x.tolist() == [[6, PLAIN], [5, PLAIN], [5, PLAIN], [7, PLAIN]]
    assert graph.edge_index.tolist() == [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]
    assert graph.edge_attr[::2].tolist() == [[TRIPLE, NONE], [SINGLE, NONE], [DOUBLE, NONE]]
    np.testing.assert_array_equal(graph.edge_attr[::2], graph.edge_attr[1::2])


def test_aromatic_bonds() -> None:
    assert {tuple(bond) for bond in smiles_to_graph("c1ccccc1").edge_attr.tolist()} == {(AROMATIC, NONE)}
    assert_same(smiles_to_graph("c1ccccc1"), smiles_to_graph("C1=CC=CC=C1"))


@pytest.mark.parametrize(("smiles", "tag"), [("C[C@H](N)O", COUNTER), ("C[C@@H](N)O", CLOCKWISE), ("CC(N)O", PLAIN)])
def test_chirality(smiles: str, tag: int) -> None:
    assert smiles_to_graph(smiles).x[:, 1].tolist() == [PLAIN, tag, PLAIN, PLAIN]


def test_bond_directions_are_the_same_both_ways() -> None:
    assert smiles_to_graph("F/C=C\\Cl").edge_attr.tolist() == [
        [SINGLE, UP],
        [SINGLE, UP],
        [DOUBLE, NONE],
        [DOUBLE, NONE],
        [SINGLE, DOWN],
        [SINGLE, DOWN],
    ]


def test_a_single_atom_has_the_shapes_of_a_graph() -> None:
    graph = smiles_to_graph("C")
    assert graph.x.tolist() == [[5, PLAIN]]
    assert (graph.x.shape, graph.edge_index.shape, graph.edge_attr.shape) == ((1, 2), (2, 0), (0, 2))
    assert all(array.dtype == np.int64 for array in graph)


def test_fragments_stay_in_one_graph() -> None:
    graph = smiles_to_graph("[Na+].[O-]C")
    assert graph.x[:, 0].tolist() == [10, 7, 5]
    assert graph.edge_index.tolist() == [[1, 2], [2, 1]]


def test_indices_stay_within_the_tables_of_the_checkpoints() -> None:
    assert smiles_to_graph("[H][H]").x[:, 0].tolist() == [0, 0]
    assert smiles_to_graph("[Og]").x[:, 0].tolist() == [117]
    assert sorted(CHIRALITY.values()) == [0, 1, 2]
    assert sorted(BOND_TYPE.values()) == [0, 1, 2, 3]  # 4 is the self-loop
    assert sorted(BOND_DIRECTION.values()) == [0, 1, 2]


@pytest.mark.parametrize("smiles", [" CCO", "CCO \t", "\nCCO\r\n"])
def test_blanks_around_are_ignored(smiles: str) -> None:
    assert_same(smiles_to_graph(smiles), smiles_to_graph("CCO"))


def test_smiles_are_not_canonicalized() -> None:
    assert smiles_to_graph("OCC").x[:, 0].tolist() == [7, 5, 5]
    assert smiles_to_graph("CCO").x[:, 0].tolist() == [5, 5, 7]


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1CC", "cannot parse"),
        ("not a molecule", "cannot parse"),
        ("CC(C)(C)(C)C", "RDKit: Explicit valence for atom # 1 C, 5"),
        ("c1cccc1", "RDKit: Can't kekulize mol"),
        ("", "empty SMILES"),
        (" \t", "empty SMILES"),
        ("CC*", "dummy atom at index 2"),
        ("[NH3]->[Fe]", "bond type DATIVE"),
        ("C$C", "bond type QUADRUPLE"),
        ("F[Pt@SP1](Cl)(Br)I", "chirality CHI_SQUAREPLANAR"),
    ],
)
def test_what_has_no_graph_says_why(smiles: str, reason: str) -> None:
    with pytest.raises(FeaturizeError) as caught:
        smiles_to_graph(smiles)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rdkit_keeps_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    for smiles in ("C1CC", "c1cccc1", "CC(C)(C)(C)C"):
        with pytest.raises(FeaturizeError):
            parse_smiles(smiles)
    assert capfd.readouterr() == ("", "")


def test_a_molecule_that_is_already_there() -> None:
    assert_same(molecule_to_graph(Chem.MolFromSmiles("C[C@H](N)C(=O)O")), smiles_to_graph("C[C@H](N)C(=O)O"))


@pytest.mark.parametrize("smiles", ["O=c1ccc2c=c(O)c(O)cc2=o1", "SC1nc(S)c2nc(Nc3ccccc3)=sc2n1"])
def test_a_molecule_whose_canonical_smiles_rdkit_cannot_read_has_a_scaffold(smiles: str) -> None:
    with rdBase.BlockLogs():
        assert Chem.MolFromSmiles(Chem.MolToSmiles(Chem.MolFromSmiles(smiles))) is None
    assert scaffold_smiles(smiles).count("1") == 2
