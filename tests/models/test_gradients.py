"""Gradients of every encoder against central differences in float64, block by block.

The molecules have equivalent atoms, which share rows, sums and maxima.
"""

from collections.abc import Callable

import pytest
import torch
from encoders import batch_for
from torch import Tensor

from roftbench.models.dmpnn import DMPNN
from roftbench.models.encoder import Encoder, Predictor
from roftbench.models.gat import GAT
from roftbench.models.gcn import GCN
from roftbench.models.gin import GIN
from roftbench.models.graphgps import GraphGPS
from roftbench.models.graphium import Graphium
from roftbench.models.graphsage import GraphSAGE
from roftbench.models.minimol import MiniMol
from roftbench.models.molclr import MolCLRGCN
from roftbench.models.moleculestm import MoleculeSTM
from roftbench.models.pyg import PyG

SMILES = ["c1ccccc1", "CC(C)(C)C", "Clc1ccc(Cl)cc1", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "O=C1CCC(=O)N1"]
STEP = 1e-6
SMALL = {"num_layers": 2, "dim": 16, "dropout": 0.0}
GRAPHIUM = {**SMALL, "hidden": 12, "node_dim": 8, "positional_dropout": 0.0, "flip_eigenvalues": False}
GIN_OF_PYG = {"hidden_channels": 16, "num_layers": 2, "out_channels": 16}

ENCODERS: dict[str, Callable[[], Encoder]] = {
    "gin": lambda: GIN(**SMALL),
    "gcn": lambda: GCN(**SMALL),
    "gat": lambda: GAT(**SMALL),
    "graphsage": lambda: GraphSAGE(**SMALL),
    "molclr": lambda: MolCLRGCN(**SMALL, hidden=16),
    "moleculestm": lambda: MoleculeSTM(**SMALL),
    "graphgps": lambda: GraphGPS(**SMALL, num_heads=2, walk_dim=4, attention_dropout=0.0),
    **{f"graphium, {how}": lambda how=how: Graphium(**GRAPHIUM, pooling=how) for how in ("mean", "max", "sum")},
    "minimol": lambda: MiniMol(**{**GRAPHIUM, "num_layers": 3}, edge_dim=8),
    **{f"dmpnn, {how}": lambda how=how: DMPNN(dim=16, depth=3, aggregation=how) for how in ("mean", "sum", "norm")},
    **{
        f"pyg, {how}": lambda how=how: PyG("torch_geometric.nn.GIN", GIN_OF_PYG, width=16, pool=how)
        for how in ("mean", "max", "softmax")
    },
}


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("name", ENCODERS)
def test_the_gradient_of_each_block_is_a_central_difference(name: str, training: bool) -> None:
    torch.manual_seed(0)
    model = Predictor(ENCODERS[name](), 2).double().train(training)
    batch = batch_for(model.encoder, SMILES)
    signs = torch.randn(len(SMILES), 2, dtype=torch.float64)

    def loss() -> Tensor:
        return (model(batch).sigmoid() * signs).sum()

    loss().backward()
    for block, module in model.blocks().items():
        weights = [weight for weight in module.parameters() if weight.grad is not None]
        if not weights:
            continue
        directions = [torch.randn_like(weight) for weight in weights]
        found = []
        with torch.no_grad():
            for step in (STEP, -2 * STEP, STEP):  # forth, back, and home
                for weight, direction in zip(weights, directions, strict=True):
                    weight += step * direction
                found.append(float(loss()))
        slope = sum(float((w.grad * d).sum()) for w, d in zip(weights, directions, strict=True) if w.grad is not None)
        assert slope == pytest.approx((found[0] - found[1]) / (2 * STEP), rel=1e-5, abs=1e-8), block
