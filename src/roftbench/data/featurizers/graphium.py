"""Graph features of MiniMol (arXiv 2404.14986), as graphium computes them for the released checkpoint.

Atoms are renumbered by RDKit's canonical ranking, so every spelling of a molecule has the same graph.
Columns of x [N, 41], all of them exact in float16 but for the positional ones, which are rounded to it as in the
original:

     0-4   total degree - 2, formal charge, radical electrons, aromatic, in a ring
     5-8   classes of element (44), group (20), period (8) and total valence (8), each as its number
     9-16  Laplacian eigenvectors, 17-24 their eigenvalues, 25-40 random-walk return probabilities

Columns of edge_attr [E, 3]: classes of bond type (5) and of stereo (7), in a ring. The network makes one-hot vectors of
the classes. Edges are the bonds in both directions, in RDKit's order after the renumbering. This module runs in worker
processes, so it imports nothing heavy.

The released package uses a general eigensolver: signs of eigenvectors, and bases of eigenspaces of several dimensions,
depend on the processor. Those of this module are canonical (`data.featurizers.positional`), with the same bits under
the four OpenBLAS kernels tried (SkylakeX, Haswell, Nehalem, Prescott) for 3,121 molecules. All other columns equal the
package's to one step of float16. Effect on the embeddings of 128 diverse molecules, compared on one machine:
relative L2 distance 0.0024 in the mean, 0.0089 at the 95th percentile and 0.026 at most; cosine at least 0.9996; 100 of
128 have an entry off by more than 1e-3, 0.115 at most. That is what the package itself does between processors (the
same numbers for SkylakeX against Haswell: 0.0030, 0.0113, 0.150; 66; 0.657). Other conventions tried came no closer:
first or last entry positive 0.0025 and 0.0023 in the mean, largest entry negative 0.0036.
"""

import numpy as np
from rdkit import Chem, rdBase

from roftbench.data.featurizers.base import Featurizer, Graph, atoms_of, bonds_of, both_directions, class_of
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.featurizers.positional import laplacian_eigenpairs, return_probabilities

VERSION = 1  # raise it when a graph changes; caches and keys of jobs with such a model change with it

ELEMENTS = (
    "C", "N", "O", "S", "F", "Si", "P", "Cl", "Br", "Mg", "Na", "Ca", "Fe", "As", "Al", "I", "B", "V", "K", "Tl",
    "Yb", "Sb", "Sn", "Ag", "Pd", "Co", "Se", "Ti", "Zn", "H", "Li", "Ge", "Cu", "Au", "Ni", "Cd", "In", "Mn", "Zr",
    "Cr", "Pt", "Hg", "Pb",
)  # fmt: skip
BOND_TYPES = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC)
STEREOS = (
    Chem.BondStereo.STEREONONE,
    Chem.BondStereo.STEREOANY,
    Chem.BondStereo.STEREOZ,
    Chem.BondStereo.STEREOE,
    Chem.BondStereo.STEREOCIS,
    Chem.BondStereo.STEREOTRANS,
)
ORIGINAL = "_roftbench_index"  # property of an atom: its index before the renumbering
NO_GROUP = 18  # the class of the f block
NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)  # atomic numbers at which a period ends
DUMMY = (17, 6)  # group 18, period 7: the original's entry for atomic number 0

# Number of classes; the last one of element, period, valence, bond type and stereo is "other".
ATOM_CLASSES = (len(ELEMENTS) + 1, 20, 8, 8)
BOND_CLASSES = (len(BOND_TYPES) + 1, len(STEREOS) + 1)
NUM_FLOATS, NUM_EIGENPAIRS, NUM_STEPS = 5, 8, 16
NUM_COLUMNS = NUM_FLOATS + len(ATOM_CLASSES) + 2 * NUM_EIGENPAIRS + NUM_STEPS


def smiles_to_graph(smiles: str) -> Graph:
    """Return the graph of a SMILES: x [N, 41] float16, edge_index [2, E] and edge_attr [E, 3] int64.

    Raises:
        FeaturizeError: RDKit cannot parse it.
    """
    molecule = canonical_molecule(parse_smiles(smiles))
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), *_bond(bond)) for bond in bonds_of(molecule)]
    edge_index, edge_attr = both_directions(bonds, len(BOND_CLASSES) + 1)
    adjacency = np.zeros((molecule.GetNumAtoms(), molecule.GetNumAtoms()))
    adjacency[edge_index[0], edge_index[1]] = 1
    atoms = np.array([_atom(atom) for atom in atoms_of(molecule)], dtype=np.float16)
    positional = (*laplacian_eigenpairs(adjacency, NUM_EIGENPAIRS), return_probabilities(adjacency, NUM_STEPS))
    x = np.concatenate([atoms, *positional], axis=1)
    return Graph(x, edge_index, edge_attr)


def canonical_molecule(molecule: Chem.Mol) -> Chem.Mol:
    """Return the molecule with its atoms in the order of their canonical ranks (ties broken), hydrogens removed."""
    ranks = list(Chem.CanonicalRankAtoms(molecule))
    with rdBase.BlockLogs():  # which warn of hydrogens that cannot be removed
        return Chem.RemoveHs(Chem.RenumberAtoms(molecule, np.argsort(ranks).tolist()))


def atom_order(molecule: Chem.Mol) -> list[int]:
    """Return the index in the molecule of each atom of `canonical_molecule`."""
    for atom in atoms_of(molecule):
        atom.SetIntProp(ORIGINAL, atom.GetIdx())
    return [atom.GetIntProp(ORIGINAL) for atom in atoms_of(canonical_molecule(molecule))]


def _atom(atom: Chem.Atom) -> tuple[int, ...]:
    group, period = _place(atom.GetAtomicNum())
    return (
        atom.GetTotalDegree() - 2,
        atom.GetFormalCharge(),
        atom.GetNumRadicalElectrons(),
        atom.GetIsAromatic(),
        atom.IsInRing(),
        class_of(ELEMENTS, atom.GetSymbol()),
        group,
        period,
        min(atom.GetTotalValence(), ATOM_CLASSES[3] - 1),
    )


def _bond(bond: Chem.Bond) -> tuple[int, int, int]:
    return class_of(BOND_TYPES, bond.GetBondType()), class_of(STEREOS, bond.GetStereo()), int(bond.IsInRing())


def _place(number: int) -> tuple[int, int]:
    """Return the classes of group (group - 1) and period (period - 1) of an atomic number."""
    if number == 0:
        return DUMMY
    period = next(p for p, last in enumerate(NOBLE) if number <= last) - 1
    position, length = number - NOBLE[period], NOBLE[period + 1] - NOBLE[period]
    if position <= (1 if length == 2 else 2 if length == 8 else 3):
        return position - 1, period  # s block, and scandium's group
    if length == 32 and position <= 17:
        return NO_GROUP, period
    return position - length + 17, period  # counted back from the noble gas


class GraphiumFeaturizer(Featurizer):
    """The "minimol" graphs: x [N, 41], edge_attr [E, 3]."""

    version = VERSION
    x_type = np.float16
    linear_algebra = True
    columns = (NUM_COLUMNS, len(BOND_CLASSES) + 1)

    def graph(self, smiles: str) -> Graph:
        """Return the graph of a SMILES as `smiles_to_graph` does."""
        return smiles_to_graph(smiles)

    def order(self, smiles: str) -> list[int]:
        """Return the position in the SMILES of each atom of the graph."""
        return atom_order(parse_smiles(smiles))
