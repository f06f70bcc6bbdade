"""The graphs of PyTorch Geometric, compared with its own `from_smiles`."""

import pytest
import torch
from torch_geometric.utils import from_smiles

from roftbench.data.featurizers.pyg import ATOM_CLASSES, BOND_CLASSES, PyGFeaturizer
from roftbench.data.smiles import FeaturizeError

SMILES = ["CCO", "C", "c1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "[Na+].[Cl-]", "F/C=C/F", "O=S(=O)(O)c1cc2ccccc2[nH]1"]


@pytest.mark.parametrize("smiles", SMILES)
def test_a_graph_is_that_of_from_smiles(smiles: str) -> None:
    graph, expected = PyGFeaturizer().graph(smiles), from_smiles(smiles)
    assert torch.equal(torch.from_numpy(graph.x), expected.x)
    assert torch.equal(torch.from_numpy(graph.edge_index), expected.edge_index)
    assert torch.equal(torch.from_numpy(graph.edge_attr), expected.edge_attr)
    assert (graph.x < torch.tensor(ATOM_CLASSES).numpy()).all()
    assert (graph.edge_attr < torch.tensor(BOND_CLASSES).numpy()).all()


def test_an_atom_without_a_code_is_named() -> None:
    with pytest.raises(FeaturizeError, match="PyTorch Geometric has no code for 9"):
        PyGFeaturizer().graph("[U+9]")
