"""SMILES to the two-index graph features of Hu et al. (ICLR 2020), so that their public checkpoints load.

Node = (atomic number - 1, chirality index); edge = (bond type index, bond direction index), each bond in both
directions, in RDKit's bond order. Self-loops belong to the convolution, not to the graph (PROTOCOL §2).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

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
    """One molecule: x [N, 2], edge_index [2, E] and edge_attr [E, 2], all int64."""

    x: NDArray[np.int64]
    edge_index: NDArray[np.int64]
    edge_attr: NDArray[np.int64]


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
    nodes = [(_atom_index(atom), _lookup(CHIRALITY, atom.GetChiralTag(), "chirality")) for atom in molecule.GetAtoms()]
    ends: list[tuple[int, int]] = []
    attributes: list[tuple[int, int]] = []
    for bond in molecule.GetBonds():
        begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        attribute = (
            _lookup(BOND_TYPE, bond.GetBondType(), "bond type"),
            _lookup(BOND_DIRECTION, bond.GetBondDir(), "bond direction"),
        )
        ends += [(begin, end), (end, begin)]
        attributes += [attribute, attribute]
    return Graph(
        np.array(nodes, dtype=np.int64).reshape(-1, 2),
        np.ascontiguousarray(np.array(ends, dtype=np.int64).reshape(-1, 2).T),
        np.array(attributes, dtype=np.int64).reshape(-1, 2),
    )


def _atom_index(atom: Chem.Atom) -> int:
    number: int = atom.GetAtomicNum()
    if number == 0:
        raise FeaturizeError(f"dummy atom at index {atom.GetIdx()}: the features have no row for it")
    return number - 1


def _lookup(table: dict[Any, int], value: object, what: str) -> int:
    try:
        return table[value]
    except KeyError:
        raise FeaturizeError(f"{what} {value} has no row in the features") from None


def _why_unparsable(text: str) -> str:
    """Name the first problem that RDKit finds; the caller has its log blocked."""
    raw: Chem.Mol | None = Chem.MolFromSmiles(text, sanitize=False)
    if raw is None:
        return "RDKit cannot parse the SMILES"
    problems = Chem.DetectChemistryProblems(raw)
    return f"RDKit: {problems[0].Message()}" if problems else "RDKit cannot sanitise the molecule"
