"""Graphs as `torch_geometric.utils.from_smiles` makes them: integer codes of atoms, x [N, 9], and bonds, [E, 3]."""

from typing import ClassVar

from torch_geometric.utils.smiles import e_map, from_rdmol, x_map

from roftbench.data.featurizers.base import Featurizer, Graph
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.smiles import FeaturizeError

ATOM_CLASSES = tuple(map(len, x_map.values()))
BOND_CLASSES = tuple(map(len, e_map.values()))


class PyGFeaturizer(Featurizer):
    """Featurizer of the graphs of PyTorch Geometric."""

    columns: ClassVar[tuple[int, int]] = (len(ATOM_CLASSES), len(BOND_CLASSES))

    def graph(self, smiles: str) -> Graph:
        """Return the graph of a SMILES, hydrogens implicit.

        Raises:
            FeaturizeError: RDKit cannot parse it, or an atom or a bond has a value that PyTorch Geometric lacks.
        """
        molecule = parse_smiles(smiles)
        try:
            data = from_rdmol(molecule)
        except ValueError as error:
            raise FeaturizeError(f"from_smiles of PyTorch Geometric has no code for {str(error).split()[0]}") from None
        return Graph(data.x.numpy(), data.edge_index.numpy(), data.edge_attr.numpy())
