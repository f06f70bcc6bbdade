"""Graphs of a few telling molecules, for the tests of encoders."""

import torch

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
