"""Data sets as graphs of PyTorch Geometric."""

import torch
from torch_geometric.data import Data

from roftbench.console import bar
from roftbench.data.dataset import MoleculeDataset
from roftbench.data.featurizers.pyg import PyGFeaturizer


def graphs_of(dataset: MoleculeDataset) -> list[Data]:
    """Return a graph per molecule, in file order: that of `from_smiles`, with smiles, y [1, T] and row."""
    featurizer, found = PyGFeaturizer(), []
    molecules = zip(dataset.smiles, torch.tensor(dataset.y, dtype=torch.float32).split(1), dataset.rows, strict=True)
    for smiles, y, row in bar(list(molecules), "graphs", "molecule", delay=2):
        x, edge_index, edge_attr = map(torch.from_numpy, featurizer.graph(smiles))
        found.append(Data(x=x, edge_index=edge_index, edge_attr=edge_attr, y=y, smiles=smiles, row=int(row)))
    return found
