"""Integrated gradients: complete for every architecture, and nothing but the atoms' inputs is scaled."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from roftbench.config.featurizers import graph_kind
from roftbench.data.featurizers.graphium import ELEMENTS
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.packed import PackedGraphs
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
from roftbench.predict.explanation.integrated_gradients import TOLERANCE, integrated_gradients, scaled

SMILES = ["OC(CN)c1ccccc1", "C", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "Clc1ccc(Cl)cc1"]
KWARGS = {"hidden_channels": 16, "num_layers": 2, "out_channels": 16}
ENCODERS: dict[str, Callable[[], Encoder]] = {
    "gin": lambda: GIN(num_layers=2, dim=16),
    "gcn": lambda: GCN(num_layers=2, dim=16),
    "gat": lambda: GAT(num_layers=2, dim=16),
    "graphsage": lambda: GraphSAGE(num_layers=2, dim=16),
    "molclr": lambda: MolCLRGCN(num_layers=2, dim=16, hidden=16),
    "moleculestm": lambda: MoleculeSTM(num_layers=2, dim=16),
    "graphgps": lambda: GraphGPS(num_layers=2, dim=16, num_heads=2, walk_dim=4),
    "graphium": lambda: Graphium(num_layers=2, dim=16, hidden=16, node_dim=16),
    "minimol": lambda: MiniMol(num_layers=3, dim=16, hidden=16, node_dim=16, edge_dim=8),
    "dmpnn": lambda: DMPNN(dim=16, depth=3),
    "pyg": lambda: PyG("torch_geometric.nn.GIN", KWARGS, width=16),
}


def graphs_of(encoder: Encoder, smiles: list[str]) -> PackedGraphs:
    return PackedGraphs.from_chunks([graph_kind(encoder.featurizer).pack(smiles)])


@pytest.mark.parametrize("name", ENCODERS)
def test_contributions_add_up_to_the_output_less_that_without_atoms(name: str) -> None:
    torch.manual_seed(0)
    model = Predictor(ENCODERS[name](), 2).eval().requires_grad_(False)
    graphs = graphs_of(model.encoder, SMILES)
    found = integrated_gradients(model.encoder, model, graphs, [1, 0])
    plain = torch.cat([model(graphs.batch(torch.tensor([i]))) for i in range(len(SMILES))])[:, [1, 0]].double().numpy()
    np.testing.assert_allclose(found.value, plain, rtol=1e-4, atol=1e-5)
    for atoms, low, high, smiles in zip(found.atoms, found.baseline, found.value, SMILES, strict=True):
        assert atoms.shape == (parse_smiles(smiles).GetNumAtoms(), 2)
        assert (np.abs(high - low - atoms.sum(axis=0)) <= TOLERANCE * np.abs(atoms).sum(axis=0) + 1e-5).all()
    assert np.abs(found.atoms[0]).max() > 1e-3


@pytest.mark.parametrize("name", ENCODERS)
def test_without_atoms_molecules_of_equal_shape_and_bonds_are_equal(name: str) -> None:
    torch.manual_seed(0)
    encoder = ENCODERS[name]().eval()
    batch = graphs_of(encoder, ["CCO", "NCF"]).batch(torch.tensor([0, 1]))
    with torch.no_grad():
        assert not torch.allclose(*encoder.represent(batch))
        with scaled(encoder.atom_inputs(), torch.zeros(6)):
            torch.testing.assert_close(*encoder.represent(batch))
        assert not torch.allclose(*encoder.represent(batch))  # the hooks are gone


def test_a_module_that_returns_no_row_per_atom_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"Linear returns \[2, 3\] for 4 atoms"),
        scaled([layer := nn.Linear(5, 3)], torch.ones(4)),
    ):
        layer(torch.ones(2, 5))


def test_atoms_that_a_featurizer_renumbers_are_found_again() -> None:
    kind = graph_kind("minimol")
    for smiles in ["OC(=O)c1ccccc1NS", "[Na+].CCO", "ClCBr"]:
        symbols = [atom.GetSymbol() for atom in parse_smiles(smiles).GetAtoms()]
        order = kind.order(smiles)
        assert sorted(order) == list(range(len(symbols)))
        classes = kind.pack([smiles])["x"][:, 5].astype(int)
        assert [ELEMENTS[i] for i in classes] == [symbols[i] for i in order]
    assert kind.order("OC(=O)c1ccccc1NS") != list(range(11))
    assert graph_kind("hu").order("CCO") == [0, 1, 2]
