"""Graph features of Hu et al. (ICLR 2020), two indices per atom and bond, as their public checkpoints read them.

Node = (atomic number - 1, chirality index); edge = (bond type index, bond direction index), each bond in both
directions, in RDKit's bond order. Self-loops belong to the convolution, not to the graph (docs/protocol.md §2). The
module runs in worker processes, so it imports nothing heavy.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

from roftbench.data.featurizers.base import Featurizer, Graph, atoms_of, bonds_of, pack
from roftbench.data.smiles import BLANKS, Cell, FeaturizeError, molecule_of, rdkit_failure, read_cell, without_salts

COUNTED = ("named", "extended", "mapped", "stripped")  # fields of `Cell`
VERSION = 1  # raise it when a graph changes; caches are then rebuilt

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


class Chunk(NamedTuple):
    """Featurized rows of a table, of which K have a graph.

    Attributes:
        rows: rows with a graph, [K].
        graphs: their packed graphs.
        canonical: hashes of their canonical SMILES, [K].
        failed: the other rows, with reasons.
        texts: SMILES of rows with a graph whose cells hold more than a SMILES.
        counts: number of cells per kind of additional content (`COUNTED`).
    """

    rows: list[int]
    graphs: dict[str, NDArray[Any]]
    canonical: NDArray[np.int64]
    failed: list[tuple[int, str]]
    texts: dict[int, str]
    counts: dict[str, int]


def parse_smiles(smiles: str) -> Chem.Mol:
    """Return RDKit's molecule of a SMILES; blanks around it, a name after it and atom maps are ignored.

    Raises:
        FeaturizeError: RDKit cannot parse or sanitize it, it holds no atom, or `read_cell` refuses it.
    """
    return molecule_of(read_cell(smiles))


def smiles_to_graph(smiles: str) -> Graph:
    """Return the graph of a SMILES, with atoms and bonds in its order.

    Raises:
        FeaturizeError: RDKit cannot parse it, or the two-index features have no row for an atom or a bond in it
            (dummy atoms, chirality other than tetrahedral, bonds such as dative ones).
    """
    return molecule_to_graph(parse_smiles(smiles))


def molecule_to_graph(molecule: Chem.Mol) -> Graph:
    """Return the graph of an RDKit molecule; raises as `smiles_to_graph` does."""
    try:
        nodes = [(atom.GetAtomicNum() - 1, CHIRALITY[atom.GetChiralTag()]) for atom in atoms_of(molecule)]
        bonds = [
            (
                bond.GetBeginAtomIdx(),
                bond.GetEndAtomIdx(),
                BOND_TYPE[bond.GetBondType()],
                BOND_DIRECTION[bond.GetBondDir()],
            )
            for bond in bonds_of(molecule)
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


def featurize_chunk(smiles: Sequence[str], strip_salts: bool = False) -> Chunk:
    """Return the packed graphs of some SMILES; rows count from 0 within the chunk.

    With `strip_salts` a molecule is its largest organic fragment. An error becomes the reason of that row.
    """
    rows, graphs, canonical = [], [], []
    texts: dict[int, str] = {}
    failed: list[tuple[int, str]] = []
    counts = Counter[str]()
    for row, text in enumerate(smiles):
        try:
            cell, molecule = read_molecule(text, strip_salts)
            graph = molecule_to_graph(molecule)
            number = text_hash(Chem.MolToSmiles(molecule))
        except FeaturizeError as error:
            failed.append((row, str(error)))
            continue
        except Exception as error:  # of RDKit, for this molecule alone
            failed.append((row, str(rdkit_failure(error))))
            continue
        rows.append(row)
        graphs.append(graph)
        canonical.append(number)
        if cell.text != text.strip(BLANKS):
            texts[row] = cell.text
        counts.update(name for name in COUNTED if getattr(cell, name))
    return Chunk(rows, pack(graphs), np.array(canonical, dtype=np.int64), failed, texts, dict(counts))


def read_molecule(text: str, strip_salts: bool) -> tuple[Cell, Chem.Mol]:
    """Return the content of a cell, with `strip_salts` reduced to its largest organic fragment, and the molecule.

    Raises:
        FeaturizeError: as `parse_smiles` does.
    """
    cell = read_cell(text)
    if strip_salts:
        stripped = without_salts(cell)
        cell = stripped if stripped is cell else stripped._replace(stripped=True)
    return cell, molecule_of(cell)


def text_hash(text: str) -> int:
    """Return 64 bits of a text's hash as a signed integer."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def scaffold_chunk(smiles: Sequence[str]) -> list[str]:
    """Return the scaffolds of some SMILES that have graphs."""
    return [scaffold_smiles(text) for text in smiles]


def scaffold_smiles(smiles: str) -> str:
    """Return the Bemis-Murcko scaffold with chirality, "" without rings.

    It is computed from RDKit's canonical SMILES, or from the molecule in the few cases in which RDKit cannot read that.
    """
    molecule = parse_smiles(smiles)
    if molecule.GetRingInfo().NumRings() == 0:
        return ""
    canonical = str(Chem.MolToSmiles(molecule))
    with rdBase.BlockLogs():
        try:
            return str(MurckoScaffold.MurckoScaffoldSmiles(smiles=canonical, includeChirality=True))
        except ValueError:
            with suppress(Exception):  # of RDKit; the molecule is then a scaffold of its own
                return str(Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(molecule)))
            return canonical


def _no_row(value: object) -> str:
    names = {Chem.ChiralType: "chirality", Chem.BondType: "bond type", Chem.BondDir: "bond direction"}
    return f"{names[type(value)]} {value} has no row in the features"


class HuFeaturizer(Featurizer):
    """The "hu" graphs: x [N, 2], edge_attr [E, 2]."""

    version = VERSION
    columns = (2, 2)

    def graph(self, smiles: str) -> Graph:
        """Return the graph of a SMILES as `smiles_to_graph` does."""
        return smiles_to_graph(smiles)
