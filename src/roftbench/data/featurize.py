"""SMILES to the two-index graph features of Hu et al. (ICLR 2020), so that their public checkpoints load.

Node = (atomic number - 1, chirality index); edge = (bond type index, bond direction index), each bond in both
directions, in RDKit's bond order. Self-loops belong to the convolution, not to the graph (PROTOCOL §2). This module
runs in worker processes, so it imports nothing heavy.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

VERSION = 1  # raise it when a graph changes: every cache then rebuilds itself

CHIRALITY = {
    Chem.ChiralType.CHI_UNSPECIFIED: 0,
    Chem.ChiralType.CHI_TETRAHEDRAL_CW: 1,
    Chem.ChiralType.CHI_TETRAHEDRAL_CCW: 2,
}
BOND_TYPE = {
    Chem.BondType.SINGLE: 0,
    Chem.BondType.DOUBLE: 1,
    Chem.BondType.TRIPLE: 2,
    Chem.BondType.AROMATIC: 3,
}
BOND_DIRECTION = {
    Chem.BondDir.NONE: 0,
    Chem.BondDir.ENDUPRIGHT: 1,
    Chem.BondDir.ENDDOWNRIGHT: 2,
}


class Graph(NamedTuple):
    """One molecule: x [N, 2], edge_index [2, E] and edge_attr [E, 2], all int64; another featuriser's differ in x."""

    x: NDArray[Any]
    edge_index: NDArray[np.int64]
    edge_attr: NDArray[np.int64]


class Chunk(NamedTuple):
    """Some rows featurised: the rows kept, [K], graphs, [K], a hash of each canonical SMILES, [K], and what failed."""

    rows: list[int]
    graphs: dict[str, NDArray[Any]]
    canonical: NDArray[np.int64]
    failed: list[tuple[int, str]]


class FeaturizeError(ValueError):
    """A SMILES that has no graph; the message is the reason, fit for a list of dropped rows."""


def parse_smiles(smiles: str) -> Chem.Mol:
    """Return RDKit's molecule for a SMILES (blanks around it ignored).

    Raises:
        FeaturizeError: RDKit cannot parse or sanitise it, or it holds no atom.
    """
    text = smiles.strip()
    with rdBase.BlockLogs():
        molecule: Chem.Mol | None = Chem.MolFromSmiles(text)
        if molecule is None:
            raise FeaturizeError(_why_unparsable(text))
    if molecule.GetNumAtoms() == 0:
        raise FeaturizeError("empty SMILES")
    return molecule


def smiles_to_graph(smiles: str) -> Graph:
    """Return the graph of a SMILES, atoms and bonds in the order in which the SMILES gives them.

    Raises:
        FeaturizeError: RDKit cannot parse it, or the two-index features have no row for an atom or a bond in it
            (dummy atoms, chirality other than tetrahedral, bonds such as dative ones).
    """
    return molecule_to_graph(parse_smiles(smiles))


def molecule_to_graph(molecule: Chem.Mol) -> Graph:
    """Return the graph of an RDKit molecule; raises as `smiles_to_graph` does."""
    try:
        nodes = [(atom.GetAtomicNum() - 1, CHIRALITY[atom.GetChiralTag()]) for atom in molecule.GetAtoms()]
        bonds = [
            (
                bond.GetBeginAtomIdx(),
                bond.GetEndAtomIdx(),
                BOND_TYPE[bond.GetBondType()],
                BOND_DIRECTION[bond.GetBondDir()],
            )
            for bond in molecule.GetBonds()
        ]
    except KeyError as error:
        raise FeaturizeError(_no_row(error.args[0])) from None
    x = np.array(nodes, dtype=np.int64).reshape(-1, 2)
    if (x[:, 0] < 0).any():
        raise FeaturizeError(f"dummy atom at index {(x[:, 0] < 0).argmax()}: the features have no row for it")
    table = np.repeat(np.array(bonds, dtype=np.int64).reshape(-1, 4), 2, axis=0)
    ends = table[:, :2]
    ends[1::2] = ends[1::2, ::-1].copy()
    return Graph(x, np.ascontiguousarray(ends.T), np.ascontiguousarray(table[:, 2:]))


def featurize_chunk(smiles: Sequence[str]) -> Chunk:
    """Return the packed graphs of some SMILES; rows count from 0 within the chunk."""
    rows, graphs, canonical = [], [], []
    failed: list[tuple[int, str]] = []
    for row, text in enumerate(smiles):
        try:
            molecule = parse_smiles(text)
            graphs.append(molecule_to_graph(molecule))
            canonical.append(text_hash(Chem.MolToSmiles(molecule)))
            rows.append(row)
        except FeaturizeError as error:
            failed.append((row, str(error)))
    return Chunk(rows, pack(graphs), np.array(canonical, dtype=np.int64), failed)


def pack(
    graphs: Sequence[Graph], x_type: type = np.uint8, columns: tuple[int, int] = (2, 2)
) -> dict[str, NDArray[Any]]:
    """Return graphs as flat arrays of small numbers; see `roftbench.data.packed.PackedGraphs` for their shapes.

    `columns` are those of x and of edge_attr.
    """
    order = [np.argsort(graph.edge_index[1], kind="stable") for graph in graphs]
    return {
        "x": _stack([graph.x for graph in graphs], x_type, (0, columns[0])),
        "source": _stack([g.edge_index[0][index] for g, index in zip(graphs, order, strict=True)], np.int32, (0,)),
        "edge_attr": _stack(
            [g.edge_attr[index] for g, index in zip(graphs, order, strict=True)], np.uint8, (0, columns[1])
        ),
        "degree": _stack([np.bincount(g.edge_index[1], minlength=len(g.x)) for g in graphs], np.int32, (0,)),
        "num_nodes": np.array([len(graph.x) for graph in graphs], dtype=np.int64),
        "num_edges": np.array([len(graph.edge_attr) for graph in graphs], dtype=np.int64),
    }


def _stack(arrays: Sequence[NDArray[Any]], dtype: type, empty: tuple[int, ...]) -> NDArray[Any]:
    return np.concatenate([np.empty(empty, dtype), *arrays], dtype=dtype, casting="unsafe")


def text_hash(text: str) -> int:
    """Return 64 bits of a text's hash as a signed integer: equal texts for equal numbers, but for one pair in 1e19."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def scaffold_chunk(smiles: Sequence[str]) -> list[str]:
    """Return the scaffolds of some SMILES, each of which has a graph."""
    return [scaffold_smiles(text) for text in smiles]


def scaffold_smiles(smiles: str) -> str:
    """Return the Bemis-Murcko scaffold with chirality, computed from RDKit's canonical SMILES ("" without rings).

    Of the few molecules whose canonical SMILES RDKit itself cannot read, it is computed from the molecule.
    """
    molecule = parse_smiles(smiles)
    canonical = Chem.MolToSmiles(molecule)
    with rdBase.BlockLogs():
        try:
            return str(MurckoScaffold.MurckoScaffoldSmiles(smiles=canonical, includeChirality=True))
        except ValueError:
            return str(Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(molecule)))


def _no_row(value: object) -> str:
    names = {Chem.ChiralType: "chirality", Chem.BondType: "bond type", Chem.BondDir: "bond direction"}
    return f"{names[type(value)]} {value} has no row in the features"


def _why_unparsable(text: str) -> str:
    """Name the first problem that RDKit finds; the caller has its log blocked."""
    raw: Chem.Mol | None = Chem.MolFromSmiles(text, sanitize=False)
    if raw is None:
        return "RDKit cannot parse the SMILES"
    problems = Chem.DetectChemistryProblems(raw)
    return f"RDKit: {problems[0].Message()}" if problems else "RDKit cannot sanitise the molecule"
