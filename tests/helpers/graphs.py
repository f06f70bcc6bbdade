"""Graphs of a few telling molecules, for the tests of encoders."""

import torch
from torch_geometric.data import Data

from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs

SMILES = [
    "OCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O",
    "C",
    "F/C=C\\Cl",
    "[Na+].[Cl-]",
    "C[C@H](N)C(=O)O.[K+]",
    "c1ccc2ccccc2c1",
    "CC(=O)Oc1ccccc1C(=O)O",
    "N#Cc1ccncc1",
]


def batch_of(smiles: list[str]) -> Batch:
    """Return the graphs of some SMILES as one batch."""
    return PackedGraphs.from_graphs(map(smiles_to_graph, smiles)).batch(torch.arange(len(smiles)))


def without_smiles(count: int = 60, seed: int = 0) -> list[Data]:
    """Random graphs with real features and without SMILES, whose label is a sum over the nodes."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for number in range(count):
        nodes = 3 + number % 5
        x = torch.randn(nodes, 4, generator=generator)
        order = torch.randperm(nodes, generator=generator)
        edges = torch.stack([torch.arange(nodes), order])
        attr = torch.rand(nodes, 2, generator=generator)
        found.append(Data(x=x, edge_index=edges, edge_attr=attr, y=x.sum().reshape(1, 1)))
    return found
