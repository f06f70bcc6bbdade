"""Graphium's GIN and GINE against a plain reference, files of its names and shapes, and all methods."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from encoders import (
    SMILES,
    State,
    batch_for,
    check_an_encoder_like_any_other,
    check_files_are_refused,
    check_only_the_trained_block_moves,
    embed,
    linear,
    linear_shapes,
    loaded,
    random_state,
    run_small,
)
from lab import NINE, Lab
from torch import Tensor

from roftbench.config.model_cards import model_cards
from roftbench.data.featurizers.graphium import smiles_to_graph
from roftbench.models.encoder import copy_state
from roftbench.models.graphium import Graphium

SMALL = {"num_layers": 3, "dim": 12, "hidden": 10, "node_dim": 8, "edge_dim": 0}
WITH_BONDS = {**SMALL, "edge_dim": 6}
POSITIONS = "model.encoder_manager.pe_encoders"


@pytest.mark.parametrize("kwargs", [SMALL, WITH_BONDS], ids=["GIN", "GINE"])
def test_the_gradient_of_max_pooling_is_a_central_difference_where_atoms_are_equal(kwargs: dict[str, Any]) -> None:
    """Equivalent atoms of symmetric molecules share the maximum, where the gradient of `torch.segment_reduce` fails."""
    torch.manual_seed(0)
    encoder = Graphium(**kwargs, pooling="max").double().eval()
    for name, weight in encoder.named_parameters():
        if "_pos." in name:  # without positions, equivalent atoms have equal states
            torch.nn.init.zeros_(weight)
    batch = batch_for(encoder, ["c1ccccc1", "CC(C)(C)C", "Clc1ccc(Cl)cc1", "CCO"])
    signs = torch.randn(4, encoder.dim, dtype=torch.float64)

    out = encoder(batch).out[:6]
    assert ((out == out.amax(dim=0)).sum(dim=0) == 6).all()

    def loss() -> Tensor:
        return (encoder.readout(encoder(batch).out, batch) * signs).sum()

    loss().backward()
    weights = list(encoder.layers[-1].parameters())
    for weight in weights:
        assert weight.grad is not None
        direction = torch.randn_like(weight)
        found = []
        with torch.no_grad():
            for step in (1e-6, -2e-6, 1e-6):  # forth, back, and home
                weight += step * direction
                found.append(float(loss()))
        slope = float((weight.grad * direction).sum())
        assert slope == pytest.approx((found[0] - found[1]) / 2e-6, rel=1e-5, abs=1e-7)


def normed(name: str, in_dim: int, out_dim: int) -> dict[str, tuple[int, ...]]:
    """Return keys and shapes of a linear layer and its layer norm."""
    norm = {f"{name}.normalization.{part}": (out_dim,) for part in ("weight", "bias")}
    return linear_shapes(f"{name}.linear", in_dim, out_dim) | norm


def published(
    num_layers: int = 4, dim: int = 768, hidden: int = 768, node_dim: int = 64, edge_dim: int = 0, **_: Any
) -> State:
    """Return the state of graphium 2.4.7's network for largemix.yaml and gin.yaml, or gine.yaml."""
    shapes = linear_shapes(f"{POSITIONS}.la_pos.linear_in.linear", 2, 64)
    for k in (0, 1):
        shapes |= linear_shapes(f"{POSITIONS}.la_pos.pe_encoder.fully_connected.{k}.linear", 64, 64)
    shapes |= linear_shapes(f"{POSITIONS}.la_pos.post_mlp.fully_connected.0.linear", 64, 32)
    for name in ("rw_pos.first_normalization", "rw_pos.pe_encoder.first_normalization"):
        shapes |= {f"{POSITIONS}.{name}.{part}": (16,) for part in ("weight", "bias")}
    shapes |= normed(f"{POSITIONS}.rw_pos.pe_encoder.fully_connected.0", 16, 64)
    shapes |= normed(f"{POSITIONS}.rw_pos.pe_encoder.fully_connected.1", 64, 32)
    shapes |= normed("model.pre_nn.layers.0", 117, 256) | normed("model.pre_nn.layers.1", 256, node_dim)
    if edge_dim:
        shapes |= normed("model.pre_nn_edges.layers.0", 13, 128) | normed("model.pre_nn_edges.layers.1", 128, edge_dim)
    widths = [node_dim, *[hidden] * (num_layers - 1), dim]
    for layer, (one, other) in enumerate(pairwise(widths)):
        name = f"model.gnn.layers.{layer}"
        shapes |= {f"{name}.model.eps": (1,)} | normed(f"{name}.model.nn.fully_connected.0", one, one)
        shapes |= linear_shapes(f"{name}.model.nn.fully_connected.1.linear", one, other)
        shapes |= {f"{name}.norm_layer.{part}": (other,) for part in ("weight", "bias")}
        shapes |= linear_shapes(f"{name}.model.lin", edge_dim, one) if edge_dim else {}
    shapes |= normed("model.task_heads.graph_output_nn.graph.graph_output_nn.layers.0", dim, dim)
    shapes |= linear_shapes("model.task_heads.task_heads.pcba_1328.layers.1.linear", 128, 1328)
    return random_state(shapes)


def layer_norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def full(state: State, name: str, x: Tensor) -> Tensor:
    """Linear and layer norm."""
    return layer_norm(state, f"{name}.normalization", linear(state, f"{name}.linear", x))


def reference(state: State, smiles: str, sizes: dict[str, int]) -> Tensor:
    """Return a molecule's node states, [N, dim], with sums over bonds one by one."""
    graph = smiles_to_graph(smiles)
    x = torch.from_numpy(graph.x).float()
    pairs = torch.stack([x[:, 17:25], x[:, 9:17]], dim=2)
    la = f"{POSITIONS}.la_pos"
    inner = linear(state, f"{la}.linear_in.linear", pairs)
    inner = linear(state, f"{la}.pe_encoder.fully_connected.0.linear", inner).clamp(min=0)
    inner = linear(state, f"{la}.pe_encoder.fully_connected.1.linear", inner).sum(dim=1)
    places = linear(state, f"{la}.post_mlp.fully_connected.0.linear", inner)
    rw = f"{POSITIONS}.rw_pos.pe_encoder"
    inner = full(state, f"{rw}.fully_connected.0", layer_norm(state, f"{rw}.first_normalization", x[:, 25:]))
    places = places + full(state, f"{rw}.fully_connected.1", inner.clamp(min=0)).clamp(min=0)
    hot = [F.one_hot(x[:, 5 + k].long(), size).float() for k, size in enumerate((44, 20, 8, 8))]
    h = torch.cat([places, x[:, :5], *hot], dim=1)
    h = full(state, "model.pre_nn.layers.1", full(state, "model.pre_nn.layers.0", h).clamp(min=0))
    kinds = torch.from_numpy(graph.edge_attr)
    bonds = torch.cat([F.one_hot(kinds[:, 0], 5), F.one_hot(kinds[:, 1], 7), kinds[:, 2:]], dim=1).float()
    if sizes["edge_dim"]:
        bonds = full(state, "model.pre_nn_edges.layers.1", full(state, "model.pre_nn_edges.layers.0", bonds).relu())
    previous = torch.zeros(())
    for layer in range(sizes["num_layers"]):
        name = f"model.gnn.layers.{layer}"
        z = (1 + state[f"{name}.model.eps"]) * h
        for (source, target), bond in zip(graph.edge_index.T.tolist(), bonds, strict=True):
            message = (h[source] + linear(state, f"{name}.model.lin", bond)).relu() if sizes["edge_dim"] else h[source]
            z[target] = z[target] + message
        z = F.gelu(full(state, f"{name}.model.nn.fully_connected.0", z))
        h = F.gelu(
            layer_norm(state, f"{name}.norm_layer", linear(state, f"{name}.model.nn.fully_connected.1.linear", z))
        )
        if layer < sizes["num_layers"] - 1:
            h = previous = h + previous
    return h


def small(tmp_path: Path, sizes: dict[str, int], **more: Any) -> tuple[Graphium, State]:
    """Return a small encoder with the weights of a file of graphium's names, and those."""
    state = published(**sizes)
    return loaded(Graphium(**sizes, **more), {"state_dict": state, "epoch": 99}, tmp_path / "weights.pth"), state


@pytest.mark.parametrize("sizes", [SMALL, WITH_BONDS], ids=["gin", "gine"])
@pytest.mark.parametrize("pooling", ["mean", "max", "sum"])
def test_representations_are_those_of_the_reference(tmp_path: Path, sizes: dict[str, int], pooling: str) -> None:
    encoder, state = small(tmp_path, sizes, pooling=pooling)
    pool = {"mean": lambda h: h.mean(dim=0), "max": lambda h: h.amax(dim=0), "sum": lambda h: h.sum(dim=0)}[pooling]
    wanted = torch.stack([pool(reference(state, text, sizes)) for text in SMILES])
    torch.testing.assert_close(embed(encoder), wanted, rtol=1e-4, atol=2e-5)


def test_a_gin_does_not_see_bonds(tmp_path: Path) -> None:
    encoder, _ = small(tmp_path, SMALL)
    batch = batch_for(encoder)
    batch.edge_attr.zero_()
    with torch.no_grad():
        assert torch.equal(encoder.readout(encoder(batch).out, batch), embed(encoder))


def test_a_file_of_largemix_loads(tmp_path: Path) -> None:
    state = published()
    encoder = loaded(Graphium(), state, tmp_path / "weights.pth")
    unused = [key for key in state if "task_heads" in key or ".rw_pos.first_normalization." in key]
    assert len(encoder.state_dict()) == len(state) - len(unused)
    assert sum(p.numel() for p in encoder.parameters()) == model_cards()["graphium"].parameters
    assert torch.equal(encoder.layers[3].norm_layer.bias, state["model.gnn.layers.3.norm_layer.bias"])


def test_all_else_is_refused(tmp_path: Path) -> None:
    state, gone = published(**SMALL), "model.gnn.layers.2.model.eps"
    virtual = "model.gnn.virtual_node_layers.0.fc_layer.linear.bias"
    cases = {
        r"missing layers\.2\.eps$": {key: tensor for key, tensor in state.items() if key != gone},
        r"unexpected layers\.0\.v": {**state, virtual: torch.zeros(1)},
        r"unexpected pre_nn_edges\.0\.linear\.weight": published(**WITH_BONDS),
    }
    check_files_are_refused(lambda: Graphium(**SMALL), tmp_path / "weights.pth", cases)


@pytest.mark.parametrize("sizes", [SMALL, WITH_BONDS], ids=["gin", "gine"])
def test_it_is_an_encoder_like_any_other(tmp_path: Path, sizes: dict[str, int]) -> None:
    encoder, _ = small(tmp_path, sizes)
    check_an_encoder_like_any_other(encoder, 3)
    assert set(copy_state(encoder)) == set(copy_state(Graphium(**sizes)))


@pytest.mark.parametrize("block", ["embed", "layer0", "layer2"])
def test_only_the_trained_block_moves(block: str) -> None:
    check_only_the_trained_block_moves(Graphium(**SMALL), block)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"num_layers": 0}, "num_layers"), ({"edge_dim": -1}, "edge_dim"), ({"pooling": "men"}, "mean")],
)
def test_impossible_sizes(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graphium(**{**SMALL, **wrong})


@pytest.mark.parametrize("method", NINE)  # the others with MiniMol: tests/methods/test_every_encoder.py
def test_all_methods(lab: Lab, table: Path, method: str) -> None:
    record = run_small(lab, table, "graphium", SMALL, f"method={method}")
    assert record.job["graphs"] == {"name": "minimol", "version": 1}
