"""The graphs of MiniMol against those of the released package, and the convention for eigenvectors."""

from pathlib import Path

import numpy as np
import pytest
from minimol_reference import EIGENVALUES, EIGENVECTORS, RETURNS, Reference, reference
from numpy.typing import NDArray
from rdkit import Chem

from roftbench.data.featurizers.base import Graph
from roftbench.data.featurizers.graphium import DUMMY, ELEMENTS, NO_GROUP, GraphiumFeaturizer, _place, smiles_to_graph
from roftbench.data.featurizers.positional import (
    canonical_basis,
    components,
    eigenspaces,
    laplacian_eigenpairs,
    return_probabilities,
)
from roftbench.data.smiles import FeaturizeError

SALT = "[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[Pr+3].[Pr+3].[Pr+3].[Pr+3].[Pr+3].[Pr+3]"
MOLECULES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[C@H](N)C(=O)[O-].[Na+]",
    "C12C3C4C1C5C2C3C45",
    "F/C=C\\Cl",
    "c1ccc2ccccc2c1",
    "C1C2CC3CC1CC(C2)C3",
    "CC(C)(C)C.C1CCCCC1",
    SALT,
]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Reference:
    return reference(shared)


@pytest.fixture(scope="module")
def ours(golden: Reference) -> list[Graph]:
    return [smiles_to_graph(text) for text in golden.smiles]


def adjacency_of(graph: Graph) -> NDArray[np.float64]:
    adjacency = np.zeros((len(graph.x), len(graph.x)))
    adjacency[tuple(graph.edge_index)] = 1
    return adjacency


def bonds(graph: Graph) -> list[list[int]]:
    return sorted(np.concatenate([graph.edge_index.T, graph.edge_attr], axis=1).tolist())


def halves_apart(left: NDArray[np.float16], right: NDArray[np.float16]) -> int:
    """Return the largest distance in steps of float16, between numbers that are not negative."""
    steps = [np.ascontiguousarray(np.abs(values)).view(np.int16).astype(int) for values in (left, right)]
    return int(np.abs(steps[0] - steps[1]).max())


def test_atoms_and_bonds_are_the_references(golden: Reference, ours: list[Graph]) -> None:
    for text, graph, wanted in zip(golden.smiles, ours, golden.graphs, strict=True):
        np.testing.assert_array_equal(graph.x[:, :9], wanted.x[:, :9], text)
        np.testing.assert_array_equal(graph.edge_index, wanted.edge_index, text)
        np.testing.assert_array_equal(graph.edge_attr, wanted.edge_attr, text)


@pytest.mark.parametrize("columns", [EIGENVALUES, RETURNS], ids=["eigenvalues", "return probabilities"])
def test_what_no_convention_decides_is_the_references(golden: Reference, ours: list[Graph], columns: slice) -> None:
    for text, graph, wanted in zip(golden.smiles, ours, golden.graphs, strict=True):
        assert halves_apart(graph.x[:, columns], wanted.x[:, columns]) <= 1, text


def test_eigenvectors_are_eigenvectors(ours: list[Graph]) -> None:
    for graph in [*ours, *map(smiles_to_graph, MOLECULES)]:
        adjacency = adjacency_of(graph)
        vectors, values = (graph.x[:, columns].astype(float) for columns in (EIGENVECTORS, EIGENVALUES))
        laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
        np.testing.assert_allclose(laplacian @ vectors, values * vectors, atol=1e-2)
        for nodes in components(adjacency):
            real = min(len(nodes), 8)
            part = vectors[nodes]
            np.testing.assert_allclose(part.T @ part, np.diag(np.arange(8) < real), atol=2e-3)
            assert (part[:, real:] == 0).all()
            assert (values[nodes][:, real:] == 0).all()
            assert (np.diff(values[nodes][0, :real]) >= 0).all()
            assert (part[:, 0] == np.float16(len(nodes) ** -0.5)).all()  # the constant vector, positive


@pytest.mark.parametrize("smiles", [*MOLECULES, "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "[2H]C([2H])C", "N->[Pt](<-N)(Cl)Cl"])
def test_every_spelling_gives_the_same_graph(smiles: str) -> None:
    wanted = smiles_to_graph(smiles)
    molecule = Chem.MolFromSmiles(smiles)
    spellings = [Chem.MolToSmiles(molecule), Chem.MolToSmiles(molecule, kekuleSmiles=False, rootedAtAtom=0)]
    spellings += [Chem.MolToSmiles(molecule, doRandom=True) for _ in range(10)]
    for text in spellings:
        found = smiles_to_graph(text)
        assert found.x.tobytes() == wanted.x.tobytes(), text
        assert bonds(found) == bonds(wanted), text  # they come in the order of the spelling, as in the original


@pytest.mark.parametrize("smiles", MOLECULES)
def test_the_basis_depends_on_the_eigenspace_alone(smiles: str) -> None:
    adjacency = adjacency_of(smiles_to_graph(smiles))
    adjacency = adjacency[np.ix_(*[components(adjacency)[0]] * 2)]
    rng = np.random.default_rng(0)
    solved = np.linalg.eigh(np.diag(adjacency.sum(axis=1)) - adjacency)
    for _, basis in eigenspaces(solved.eigenvalues, solved.eigenvectors):
        size = basis.shape[1]
        wanted = canonical_basis(basis, size)
        np.testing.assert_allclose(wanted.T @ wanted, np.eye(size), atol=1e-10)
        np.testing.assert_allclose(wanted @ wanted.T, basis @ basis.T, atol=1e-10)
        rotation = np.linalg.qr(rng.normal(size=(size, size))).Q
        np.testing.assert_allclose(canonical_basis(basis @ rotation, size), wanted, atol=1e-10)
        np.testing.assert_allclose(canonical_basis(-basis, 1), wanted[:, :1], atol=1e-10)


def test_equal_eigenvalues_are_one_space() -> None:
    values = np.array([0.0, 1.0, 1.0 + 1e-12, 2.0, 2.1])
    assert [basis.shape[1] for _, basis in eigenspaces(values, np.eye(5))] == [1, 2, 1, 1]


def test_an_eigenspace_is_cut_at_the_eighth_column() -> None:
    star = np.zeros((12, 12))  # eigenvalues 0, 1 ten times, 12
    star[0, 1:] = star[1:, 0] = 1
    vectors, values = laplacian_eigenpairs(star, 8)
    assert values[0].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    assert (np.abs(vectors).max(axis=0) > 0).all()


def test_nothing_is_a_negative_zero(ours: list[Graph]) -> None:
    for graph in ours:
        positional = graph.x[:, 9:]
        assert not np.signbit(positional[positional == 0]).any()


def test_atoms_alone() -> None:
    [alone, ion] = smiles_to_graph("[Na+]"), smiles_to_graph("[Na+].[Cl-]")
    assert alone.x[:, 9:].tolist() == [[1] + [0] * 15 + [1] * 16]
    assert ion.x[:, 9:].tolist() == [[1] + [0] * 31] * 2
    assert alone.edge_index.shape == (2, 0)
    assert alone.edge_attr.shape == (0, 3)


def test_a_salt_of_seventeen_ions() -> None:
    graph = smiles_to_graph(SALT)
    assert graph.x.shape == (17, 41)
    assert (graph.x[:, 9:] == np.eye(32)[0]).all()


def test_return_probabilities_of_a_path() -> None:
    path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=float)
    assert return_probabilities(path, 4).tolist() == [[0, 0.5, 0, 0.5], [0, 1, 0, 1], [0, 0.5, 0, 0.5]]


PLACES = """
H 1 1, He 18 1, Li 1 2, C 14 2, Ne 18 2, Mg 2 3, Al 13 3, K 1 4, Sc 3 4, Zn 12 4, Ga 13 4, Br 17 4, Pd 10 5, La 3 6,
Hf 4 6, Pt 10 6, Pb 14 6, Rn 18 6, Ra 2 7, Ac 3 7, Rf 4 7, Og 18 7
"""


@pytest.mark.parametrize("place", PLACES.strip().replace("\n", " ").split(", "))
def test_places_in_the_periodic_table(place: str) -> None:
    symbol, group, period = place.split()
    assert _place(Chem.GetPeriodicTable().GetAtomicNumber(symbol)) == (int(group) - 1, int(period) - 1)


def test_the_f_block_has_no_group_and_the_dummy_atom_a_place() -> None:
    table = Chem.GetPeriodicTable()
    numbers = [number for number in range(1, 119) if _place(number)[0] == NO_GROUP]
    assert numbers == [*range(58, 72), *range(90, 104)]
    assert {_place(number)[1] + 1 for number in range(1, 119)} == set(range(1, 8))
    assert _place(0) == DUMMY
    assert len(set(ELEMENTS)) == 43
    assert all(table.GetAtomicNumber(symbol) for symbol in ELEMENTS)


def test_what_cannot_be_parsed() -> None:
    with pytest.raises(FeaturizeError):
        smiles_to_graph("C(")


def test_chunks_are_small_numbers() -> None:
    packed = GraphiumFeaturizer().pack(["CCO", "[Na+]"])
    assert {name: (array.dtype.name, array.shape) for name, array in packed.items()} == {
        "x": ("float16", (4, 41)),
        "source": ("int32", (4,)),
        "edge_attr": ("uint8", (4, 3)),
        "degree": ("int32", (4,)),
        "num_nodes": ("int64", (2,)),
        "num_edges": ("int64", (2,)),
    }
