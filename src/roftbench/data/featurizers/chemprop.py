"""Atom and bond classes of chemprop 2 (Heid et al., J. Chem. Inf. Model. 2024), which its multi-hot vectors encode.

chemprop has four kinds of vectors (v1, v2, organic, RIGR). All are functions of the columns of these graphs, which are
the same for all kinds, so that a data set is featurized once; `roftbench.models.multi_hot` makes the vectors.

x [N, 8]: atomic number, then classes of total degree, formal charge, chiral tag, number of hydrogens and hybridization,
aromatic, and a hundredth of the mass in u. edge_attr [E, 5]: classes of bond type and stereo around conjugated and in a
ring, then the rank of the reverse edge among the edges that enter its target. The last class of a list is "other".
Atoms and bonds are in the order of the SMILES. This module runs in worker processes, so it imports nothing heavy.
"""

from collections import Counter

import numpy as np
from rdkit import Chem

from roftbench.data.featurizers.base import Featurizer, Graph, atoms_of, bonds_of, class_of
from roftbench.data.featurizers.hu import parse_smiles

CHARGES = (-1, -2, 1, 2, 0)
HYBRIDIZATIONS = (
    Chem.HybridizationType.S,
    Chem.HybridizationType.SP,
    Chem.HybridizationType.SP2,
    Chem.HybridizationType.SP2D,
    Chem.HybridizationType.SP3,
    Chem.HybridizationType.SP3D,
    Chem.HybridizationType.SP3D2,
)
BOND_TYPES = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC)

# Classes of degree, charge, chiral tag, hydrogens and hybridization; of bond type, conjugated, in a ring and stereo.
MAX_NUMBER, MAX_DEGREE, MAX_CHIRALITY, MAX_HYDROGENS, MAX_STEREO = 118, 6, 4, 5, 6
ATOM_CLASSES = (MAX_DEGREE + 1, len(CHARGES) + 1, MAX_CHIRALITY + 1, MAX_HYDROGENS + 1, len(HYBRIDIZATIONS) + 1)
BOND_CLASSES = (len(BOND_TYPES) + 1, 2, 2, MAX_STEREO + 1)
AROMATIC, MASS, REVERSE = len(ATOM_CLASSES) + 1, len(ATOM_CLASSES) + 2, len(BOND_CLASSES)  # positions of columns


def smiles_to_graph(smiles: str) -> Graph:
    """Return the graph of a SMILES: x [N, 8] float32, edge_index [2, E] and edge_attr [E, 5] int64.

    Raises:
        FeaturizeError: RDKit cannot parse it.
    """
    molecule = parse_smiles(smiles)
    x = np.array([_atom(atom) for atom in atoms_of(molecule)], dtype=np.float32)
    ends, features = [], []
    entered = Counter[int]()
    for bond in bonds_of(molecule):
        begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        kind = _bond(bond)
        ends += [(begin, end), (end, begin)]
        features += [(*kind, entered[begin]), (*kind, entered[end])]
        entered.update((begin, end))
    edge_index = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    return Graph(x, np.ascontiguousarray(edge_index), np.array(features, dtype=np.int64).reshape(-1, REVERSE + 1))


def _atom(atom: Chem.Atom) -> tuple[float, ...]:
    return (
        atom.GetAtomicNum(),
        min(atom.GetTotalDegree(), MAX_DEGREE),
        class_of(CHARGES, atom.GetFormalCharge()),
        min(int(atom.GetChiralTag()), MAX_CHIRALITY),
        min(atom.GetTotalNumHs(), MAX_HYDROGENS),
        class_of(HYBRIDIZATIONS, atom.GetHybridization()),
        atom.GetIsAromatic(),
        0.01 * atom.GetMass(),
    )


def _bond(bond: Chem.Bond) -> tuple[int, int, int, int]:
    return (
        class_of(BOND_TYPES, bond.GetBondType()),
        int(bond.GetIsConjugated()),
        int(bond.IsInRing()),
        min(int(bond.GetStereo()), MAX_STEREO),
    )


class ChempropFeaturizer(Featurizer):
    """The "chemprop" graphs: x [N, 8], edge_attr [E, 5]."""

    x_type = np.float32
    columns = (MASS + 1, REVERSE + 1)

    def graph(self, smiles: str) -> Graph:
        """Return the graph of a SMILES as `smiles_to_graph` does."""
        return smiles_to_graph(smiles)
