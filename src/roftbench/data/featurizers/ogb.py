"""Atom and bond features of the Open Graph Benchmark (Hu et al., NeurIPS 2020).

A feature is the position of its value in a short list, whose last entry stands for all other values. The lists are
those of the ogb package up to 1.3.5, used for the public checkpoints of MoleculeSTM and GraphGPS (four kinds of
chirality; 1.3.6 added a fifth). Atoms and bonds are in the order of the SMILES, bonds in both directions.

"ogb": x [N, 9] and edge_attr [E, 3], classes. "ogb_rwse": x has 16 more columns, the probabilities that a random walk
from the atom is back after 1 … 16 steps (RWSE of GraphGPS), on a grid of 2⁻²⁴, so that they are exact in float32. This
module runs in worker processes, so it imports nothing heavy.
"""

import numpy as np
from rdkit import Chem

from roftbench.data.featurizers.base import Featurizer, Graph, atoms_of, bonds_of, both_directions, class_of
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.featurizers.positional import landing_probabilities

VERSION = 1  # raise it when a graph changes; caches and keys of jobs with such a model change with it

CHIRALITIES = (
    Chem.ChiralType.CHI_UNSPECIFIED,
    Chem.ChiralType.CHI_TETRAHEDRAL_CW,
    Chem.ChiralType.CHI_TETRAHEDRAL_CCW,
)
HYBRIDIZATIONS = (
    Chem.HybridizationType.SP,
    Chem.HybridizationType.SP2,
    Chem.HybridizationType.SP3,
    Chem.HybridizationType.SP3D,
    Chem.HybridizationType.SP3D2,
)
BOND_TYPES = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC)
STEREOS = (
    Chem.BondStereo.STEREONONE,
    Chem.BondStereo.STEREOZ,
    Chem.BondStereo.STEREOE,
    Chem.BondStereo.STEREOCIS,
    Chem.BondStereo.STEREOTRANS,
)

# Atomic number, chirality, total degree, formal charge, hydrogens, radical electrons, hybridization, aromatic, in a
# ring; bond type, stereo, conjugated. The last class is "other", but for the last two columns of each.
ATOM_CLASSES = (119, len(CHIRALITIES) + 1, 12, 12, 10, 6, len(HYBRIDIZATIONS) + 1, 2, 2)
BOND_CLASSES = (len(BOND_TYPES) + 1, len(STEREOS) + 1, 2)
NUM_STEPS = 16
MAX_CHARGE = 5
GRID = 2.0**24


def smiles_to_graph(smiles: str) -> Graph:
    """Return the "ogb" graph of a SMILES: x [N, 9], edge_index [2, E] and edge_attr [E, 3], all int64.

    Raises:
        FeaturizeError: RDKit cannot parse it.
    """
    molecule = parse_smiles(smiles)
    x = np.array([_atom(atom) for atom in atoms_of(molecule)], dtype=np.int64)
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), *_bond(bond)) for bond in bonds_of(molecule)]
    return Graph(x, *both_directions(bonds, len(BOND_CLASSES)))


def add_walks(graph: Graph) -> Graph:
    """Return the graph with x [N, 25] float32: classes, then return probabilities of random walks."""
    adjacency = np.zeros((len(graph.x), len(graph.x)))
    adjacency[graph.edge_index[0], graph.edge_index[1]] = 1
    walks = np.rint(landing_probabilities(adjacency, NUM_STEPS) * GRID) / GRID
    return graph._replace(x=np.concatenate([graph.x, walks], axis=1).astype(np.float32))


def _atom(atom: Chem.Atom) -> tuple[int, ...]:
    number, charge = atom.GetAtomicNum(), atom.GetFormalCharge()
    return (
        number - 1 if 1 <= number < ATOM_CLASSES[0] else ATOM_CLASSES[0] - 1,
        class_of(CHIRALITIES, atom.GetChiralTag()),
        min(atom.GetTotalDegree(), ATOM_CLASSES[2] - 1),
        charge + MAX_CHARGE if abs(charge) <= MAX_CHARGE else ATOM_CLASSES[3] - 1,
        min(atom.GetTotalNumHs(), ATOM_CLASSES[4] - 1),
        min(atom.GetNumRadicalElectrons(), ATOM_CLASSES[5] - 1),
        class_of(HYBRIDIZATIONS, atom.GetHybridization()),
        int(atom.GetIsAromatic()),
        int(atom.IsInRing()),
    )


def _bond(bond: Chem.Bond) -> tuple[int, int, int]:
    kind, stereo = class_of(BOND_TYPES, bond.GetBondType()), class_of(STEREOS, bond.GetStereo())
    return kind, stereo, int(bond.GetIsConjugated())


class OGBFeaturizer(Featurizer):
    """The "ogb" graphs: x [N, 9], edge_attr [E, 3]."""

    version = VERSION
    columns = (len(ATOM_CLASSES), len(BOND_CLASSES))

    def graph(self, smiles: str) -> Graph:
        """Return the graph of a SMILES as `smiles_to_graph` does."""
        return smiles_to_graph(smiles)


class OGBWalkFeaturizer(OGBFeaturizer):
    """The "ogb_rwse" graphs: x [N, 25], edge_attr [E, 3]."""

    x_type = np.float32
    linear_algebra = True
    columns = (len(ATOM_CLASSES) + NUM_STEPS, len(BOND_CLASSES))

    def graph(self, smiles: str) -> Graph:
        """Return the graph of a SMILES with return probabilities of random walks."""
        return add_walks(smiles_to_graph(smiles))
