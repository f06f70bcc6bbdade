"""MolCLR's GCN: its public file, computed atom by atom, and the statistics that the file holds."""

from pathlib import Path

import encoders
import pytest
import torch
from encoders import batch_for, batch_norm, linear
from norm_statistics import distances, lipo, shapes
from torch import Tensor

from roftbench.config.model_cards import model_cards
from roftbench.data.packed import Batch
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.encoder import Predictor, State
from roftbench.models.molclr import PROJECTION, MolCLRGCN

SMILES = [*encoders.SMILES, "C[C@H](N)C(=O)O", "[Na+].[Cl-]", "O=c1[nH]cnc2nc[nH]c12"]


@pytest.fixture(scope="module")
def path(shared: Path) -> str:
    return str(shared / "checkpoints" / "molclr_gcn.pth")


@pytest.fixture(scope="module")
def published(path: str) -> MolCLRGCN:
    encoder = MolCLRGCN()
    load_checkpoint(encoder, path, str(model_cards()["molclr_gcn"].sha256))
    return encoder.eval()


def reference(state: State, batch: Batch) -> Tensor:
    """Return representations, [B, 512], from the tensors of the file, one message after the other."""
    h = state["x_embedding1.weight"][batch.x[:, 0]] + state["x_embedding2.weight"][batch.x[:, 1]]
    edges = torch.cat([batch.edge_index.T, batch.edge_attr], dim=1).tolist()
    edges += [[i, i, 4, 0] for i in range(len(h))]
    for layer in range(5):
        sent = h @ state[f"gnns.{layer}.weight"]
        tables = [state[f"gnns.{layer}.edge_embedding{k}.weight"] for k in (1, 2)]
        sums = torch.zeros_like(h)
        for j, i, kind, direction in edges:
            sums[i] += sent[j] + tables[0][kind] + tables[1][direction]
        h = batch_norm(state, f"batch_norms.{layer}", sums + state[f"gnns.{layer}.bias"])
        h = h.relu() if layer < 4 else h
    means = torch.stack([h[a:b].mean(0) for a, b in zip(batch.node_ptr[:-1], batch.node_ptr[1:], strict=True)])
    return linear(state, "feat_lin", means)


def test_the_file_has_our_keys_and_a_projection_head(path: str, published: MolCLRGCN) -> None:
    state = torch.load(path, map_location="cpu", weights_only=True)
    head = {key for key in state if key.startswith(PROJECTION)}
    assert len(state) == 53
    assert len(head) == 4
    assert shapes(published) == {key: tuple(one.shape) for key, one in state.items() if key not in head}


def test_representations_are_those_of_the_definition(path: str, published: MolCLRGCN) -> None:
    state = torch.load(path, map_location="cpu", weights_only=True)
    batch = batch_for(published, SMILES)
    with torch.no_grad():
        z = published.represent(batch)
    assert z.shape == (len(SMILES), 512)
    expected = reference({key: one.double() for key, one in state.items()}, batch)
    torch.testing.assert_close(z.double(), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_molecules_have_the_statistics_that_the_file_remembers(published: MolCLRGCN) -> None:
    """Pretraining removed a quarter of atoms and bonds, so they agree less closely than in files of Hu et al."""
    batch = lipo(300)
    means, variances = distances(published, batch)
    assert max(means) < 0.8
    assert max(variances) < 0.9
    averaged = MolCLRGCN()
    averaged.load_state_dict(published.state_dict())
    for layer in averaged.gnns:
        layer.weight.data /= 3  # as if a mean were taken instead of the sum
    assert sum(distances(averaged, batch)[1]) > 1.5 * sum(variances)


def test_an_encoder_like_any_other() -> None:
    encoder = MolCLRGCN(2, dim=12, hidden=8, dropout=0.3)
    model = Predictor(encoder, 2)
    assert list(model.blocks()) == ["embed", "layer0", "layer1", "feat_lin", "head"]
    assert set(model.keys_of_blocks()) == set(model.state_dict())
    encoders.check_batch_companions_do_not_matter(encoder)
    encoders.check_graphs_without_edges(encoder)
    encoders.check_the_same_bits_every_time(encoder)
    encoders.check_only_the_trained_block_moves(encoder, "layer1")
