"""MoleculeSTM's graph encoder against a plain reference, files of the published names and shapes, and all methods."""

from hashlib import sha256
from pathlib import Path

import pytest
import torch
from encoders import (
    SMILES,
    State,
    batch_norm,
    check_an_encoder_like_any_other,
    check_files_are_refused,
    check_only_the_trained_block_moves,
    embed,
    linear,
    linear_shapes,
    loaded,
    norm_shapes,
    random_state,
    run_small,
)
from lab import METHODS, NINE, Lab
from torch import Tensor
from whole import but_whole

from roftbench.config.model_cards import model_cards
from roftbench.data.featurizers.ogb import smiles_to_graph
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.encoder import copy_state
from roftbench.models.moleculestm import MoleculeSTM

SMALL = {"num_layers": 3, "dim": 8}
OF_FILE = "molecule_node_model."


def published(num_layers: int = 5, dim: int = 300) -> State:
    """Return a state dict of the published names and shapes: the model class, and issue 5, for the 4 chiralities."""
    shapes: dict[str, tuple[int, ...]] = {
        f"{OF_FILE}atom_encoder.atom_embedding_list.{k}.weight": (rows, dim)
        for k, rows in enumerate((119, 4, 12, 12, 10, 6, 6, 2, 2))
    }
    for layer in range(num_layers):
        name = f"{OF_FILE}gnns.{layer}"
        shapes |= {f"{name}.eps": (1,)}
        shapes |= {f"{name}.bond_encoder.bond_embedding_list.{k}.weight": (r, dim) for k, r in enumerate((5, 6, 2))}
        shapes |= linear_shapes(f"{name}.mlp.0", dim, 2 * dim) | norm_shapes(f"{name}.mlp.1", 2 * dim)
        shapes |= linear_shapes(f"{name}.mlp.3", 2 * dim, dim)
        shapes |= norm_shapes(f"{OF_FILE}batch_norms.{layer}", dim)
    return random_state(shapes | linear_shapes("graph_pred_linear", dim, 1))


def reference(state: State, smiles: str, num_layers: int) -> Tensor:
    """Return a molecule's representation, written out atom by atom."""
    graph = smiles_to_graph(smiles)
    tables = [state[f"{OF_FILE}atom_encoder.atom_embedding_list.{k}.weight"] for k in range(9)]
    h = torch.stack([sum((tables[k][c] for k, c in enumerate(row)), torch.zeros(())) for row in graph.x.tolist()])
    for layer in range(num_layers):
        name = f"{OF_FILE}gnns.{layer}"
        bonds = [state[f"{name}.bond_encoder.bond_embedding_list.{k}.weight"] for k in range(3)]
        z = (1 + state[f"{name}.eps"]) * h
        for (source, target), kinds in zip(graph.edge_index.T.tolist(), graph.edge_attr.tolist(), strict=True):
            z[target] = z[target] + (h[source] + sum(bonds[k][c] for k, c in enumerate(kinds))).clamp(min=0)
        inner = batch_norm(state, f"{name}.mlp.1", linear(state, f"{name}.mlp.0", z)).clamp(min=0)
        h = batch_norm(state, f"{OF_FILE}batch_norms.{layer}", linear(state, f"{name}.mlp.3", inner))
        if layer < num_layers - 1:
            h = h.clamp(min=0)
    return h.mean(dim=0)


def small(tmp_path: Path) -> tuple[MoleculeSTM, State]:
    """Return a small encoder with the weights of a file of the published names, and those."""
    state = published(**SMALL)
    return loaded(MoleculeSTM(**SMALL), state, tmp_path / "molecule_model.pth"), state


def test_representations_are_those_of_the_reference(tmp_path: Path) -> None:
    encoder, state = small(tmp_path)
    wanted = torch.stack([reference(state, text, SMALL["num_layers"]) for text in SMILES])
    torch.testing.assert_close(embed(encoder), wanted, rtol=1e-4, atol=1e-5)


def test_a_file_of_the_published_names_and_shapes_loads(tmp_path: Path) -> None:
    state = published()
    torch.save(state, tmp_path / "molecule_model.pth", _use_new_zipfile_serialization=False)
    encoder = MoleculeSTM()
    load_checkpoint(encoder, str(tmp_path / "molecule_model.pth"), None)
    assert all(torch.equal(tensor, state[OF_FILE + key]) for key, tensor in copy_state(encoder).items())
    assert len(state) == len(encoder.state_dict()) + 2
    assert sum(p.numel() for p in encoder.parameters()) == model_cards()["moleculestm"].parameters


def test_all_else_is_refused(tmp_path: Path) -> None:
    state = published(**SMALL)
    gone, chirality = f"{OF_FILE}gnns.1.eps", f"{OF_FILE}atom_encoder.atom_embedding_list.1.weight"
    cases = {
        r"missing gnns\.1\.eps$": {key: tensor for key, tensor in state.items() if key != gone},
        r"unexpected gnns\.3\.eps$": {**state, f"{OF_FILE}gnns.3.eps": torch.zeros(1)},
        r"list\.1\.weight is \(5, 8\), the encoder wants \(4, 8\)$": {**state, chirality: torch.zeros(5, 8)},
    }
    check_files_are_refused(lambda: MoleculeSTM(**SMALL), tmp_path / "weights.pth", cases)


def test_weights_saved_under_our_names_are_loaded_too(tmp_path: Path) -> None:
    encoder, _ = small(tmp_path)
    loaded(MoleculeSTM(**SMALL), encoder.state_dict(), tmp_path / "ours.pth")


def test_it_is_an_encoder_like_any_other(tmp_path: Path) -> None:
    encoder, _ = small(tmp_path)
    check_an_encoder_like_any_other(encoder, 3)


@pytest.mark.parametrize("block", ["embed", "layer0", "layer2"])
def test_only_the_trained_block_moves(block: str) -> None:
    check_only_the_trained_block_moves(MoleculeSTM(**SMALL), block)


def test_impossible_sizes() -> None:
    with pytest.raises(ValueError, match="num_layers ≥ 1"):
        MoleculeSTM(num_layers=0)


@pytest.mark.parametrize("method", but_whole(METHODS, {*METHODS} - {*NINE}))
def test_all_methods(lab: Lab, table: Path, method: str) -> None:
    record = run_small(lab, table, "moleculestm", SMALL, f"method={method}")
    assert record.job["graphs"] == {"name": "ogb", "version": 1}


def test_a_file_of_the_users_in_a_job(lab: Lab, table: Path, tmp_path: Path) -> None:
    path = tmp_path / "molecule_model.pth"
    torch.save(published(**SMALL), path)
    record = run_small(lab, table, "moleculestm", SMALL, f"model.checkpoint={path}", "method=lp")
    assert record.job["model"]["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert any("not verified on the real file" in text for text in record.warnings)
