"""GraphGPS against a plain reference, files of the published names, shapes and container, its head, and all methods."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from encoders import (
    SMILES,
    State,
    batch_for,
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
from lab import METHODS, NINE, Lab, moved
from torch import Tensor, nn
from whole import but_whole

from roftbench.config.model_cards import model_cards
from roftbench.data.featurizers.ogb import add_walks, smiles_to_graph
from roftbench.methods.base import head_shrinkage
from roftbench.models.encoder import HEAD, Predictor, copy_state
from roftbench.models.graphgps import GraphGPS

SMALL = {"num_layers": 2, "dim": 16, "num_heads": 4, "walk_dim": 5}
NODES, EDGES = "model.encoder.node_encoder", "model.encoder.edge_encoder"


def published(num_layers: int = 16, dim: int = 256, num_heads: int = 8, walk_dim: int = 20) -> State:
    """Return the published model's state: names of its classes, issue 35 for prefix and 4 chiralities, 16 steps."""
    shapes: dict[str, tuple[int, ...]] = {
        f"{NODES}.encoder1.atom_embedding_list.{k}.weight": (rows, dim - walk_dim)
        for k, rows in enumerate((119, 4, 12, 12, 10, 6, 6, 2, 2))
    }
    shapes |= norm_shapes(f"{NODES}.encoder2.raw_norm", 16)
    shapes |= linear_shapes(f"{NODES}.encoder2.pe_encoder", 16, walk_dim)
    shapes |= {f"{EDGES}.bond_embedding_list.{k}.weight": (rows, dim) for k, rows in enumerate((5, 6, 2))}
    for layer in range(num_layers):
        name = f"model.layers.{layer}"
        for part in "ABCDE":
            shapes |= linear_shapes(f"{name}.local_model.{part}", dim, dim)
        for norm in ("local_model.bn_node_x", "local_model.bn_edge_e", "norm1_local", "norm1_attn", "norm2"):
            shapes |= norm_shapes(f"{name}.{norm}", dim)
        shapes |= {f"{name}.self_attn.in_proj_weight": (3 * dim, dim), f"{name}.self_attn.in_proj_bias": (3 * dim,)}
        shapes |= linear_shapes(f"{name}.self_attn.out_proj", dim, dim)
        shapes |= linear_shapes(f"{name}.ff_linear1", dim, 2 * dim) | linear_shapes(f"{name}.ff_linear2", 2 * dim, dim)
    for k, (one, other) in enumerate(((dim, dim // 2), (dim // 2, dim // 4), (dim // 4, 1))):
        shapes |= linear_shapes(f"model.post_mp.FC_layers.{k}", one, other)
    return random_state(shapes)


def container(state: State) -> dict[str, Any]:
    """Return what GraphGym writes: the model's state beside those of optimizer and scheduler."""
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}}
    optimizer = {"state": moments, "param_groups": [{"lr": 2e-4, "betas": (0.9, 0.999), "params": [0]}]}
    return {"model_state": state, "optimizer_state": optimizer, "scheduler_state": {"last_epoch": 148}}


def reference(state: State, smiles: str, sizes: dict[str, int]) -> Tensor:
    """Return a molecule's representation: bonds one by one, attention by PyTorch's own module."""
    graph = add_walks(smiles_to_graph(smiles))
    x = torch.from_numpy(graph.x)
    tables = [state[f"{NODES}.encoder1.atom_embedding_list.{k}.weight"] for k in range(9)]
    atoms = torch.stack([sum((tables[k][c] for k, c in enumerate(row)), torch.zeros(())) for row in x[:, :9].int()])
    walks = linear(state, f"{NODES}.encoder2.pe_encoder", batch_norm(state, f"{NODES}.encoder2.raw_norm", x[:, 9:]))
    h = torch.cat([atoms, walks], dim=1)
    bonds = [state[f"{EDGES}.bond_embedding_list.{k}.weight"] for k in range(3)]
    edges = [sum((bonds[k][c] for k, c in enumerate(row)), torch.zeros(())) for row in graph.edge_attr.tolist()]
    ends = graph.edge_index.T.tolist()
    for layer in range(sizes["num_layers"]):
        name = f"model.layers.{layer}"
        a, b, c, d, e = (f"{name}.local_model.{part}" for part in "ABCDE")
        gates = [
            linear(state, d, h[target]) + linear(state, e, h[source]) + linear(state, c, edge)
            for (source, target), edge in zip(ends, edges, strict=True)
        ]
        local = []
        for node in range(len(h)):
            top, bottom = torch.zeros(h.shape[1]), torch.full(h.shape[1:], 1e-6)
            for (source, target), gate in zip(ends, gates, strict=True):
                if target == node:
                    top = top + gate.sigmoid() * linear(state, b, h[source])
                    bottom = bottom + gate.sigmoid()
            local.append(linear(state, a, h[node]) + top / bottom)
        nodes = h + F.gelu(batch_norm(state, f"{name}.local_model.bn_node_x", torch.stack(local)))
        edges = [
            edge + F.gelu(batch_norm(state, f"{name}.local_model.bn_edge_e", gate))
            for edge, gate in zip(edges, gates, strict=True)
        ]
        attention = nn.MultiheadAttention(h.shape[1], sizes["num_heads"], batch_first=True)
        inside = f"{name}.self_attn."
        attention.load_state_dict({k.removeprefix(inside): t for k, t in state.items() if k.startswith(inside)})
        attended = h + attention(h[None], h[None], h[None])[0][0]
        h = batch_norm(state, f"{name}.norm1_local", nodes) + batch_norm(state, f"{name}.norm1_attn", attended)
        inner = F.gelu(linear(state, f"{name}.ff_linear1", h))
        h = batch_norm(state, f"{name}.norm2", h + linear(state, f"{name}.ff_linear2", inner))
    return h.mean(dim=0).detach()


def small(tmp_path: Path) -> tuple[GraphGPS, State]:
    """Return a small encoder with the weights of a file of the published names, and those."""
    state = published(**SMALL)
    return loaded(GraphGPS(**SMALL), container(state), tmp_path / "148.ckpt"), state


def test_representations_are_those_of_the_reference(tmp_path: Path) -> None:
    encoder, state = small(tmp_path)
    wanted = torch.stack([reference(state, text, SMALL) for text in SMILES])
    torch.testing.assert_close(embed(encoder), wanted, rtol=1e-4, atol=1e-5)


def test_a_file_of_the_published_names_and_shapes_loads(tmp_path: Path) -> None:
    state = published()
    encoder = loaded(GraphGPS(), container(state), tmp_path / "148.ckpt")
    parameters = [key for key in state if "running_" not in key and "tracked" not in key]
    assert sum(state[key].numel() for key in parameters) == 13_807_345  # as GraphGPS's README says
    assert len(encoder.state_dict()) == len(state) - 6
    assert sum(p.numel() for p in encoder.parameters()) == model_cards()["graphgps"].parameters
    assert sum(p.numel() for p in Predictor(encoder, 1).parameters()) == 13_807_345
    assert torch.equal(encoder.layers[15].self_attn.in_proj_weight, state["model.layers.15.self_attn.in_proj_weight"])


def test_names_without_the_prefix_and_our_own_load_too(tmp_path: Path) -> None:
    encoder, state = small(tmp_path)
    for number, one in enumerate(({k.removeprefix("model."): t for k, t in state.items()}, encoder.state_dict())):
        other = loaded(GraphGPS(**SMALL), one, tmp_path / f"{number}.pth")
        assert all(torch.equal(t, encoder.state_dict()[key]) for key, t in copy_state(other).items())


def test_all_else_is_refused(tmp_path: Path) -> None:
    state, gone = published(**SMALL), "model.layers.1.self_attn.in_proj_bias"
    cases = {
        r"missing layers\.1\.self_attn\.in_proj_bias$": {key: state[key] for key in state if key != gone},
        r"unexpected layers\.2\.norm2\.weight$": {**state, "model.layers.2.norm2.weight": torch.zeros(16)},
        r"unexpected model\.pre_mp\.weight$": {**state, "model.pre_mp.weight": torch.zeros(1)},
        r"raw_norm\.weight is \(20,\), .* \(16,\)$": {**state, f"{NODES}.encoder2.raw_norm.weight": torch.ones(20)},
    }
    contents = {problem: container(edited) for problem, edited in cases.items()}
    check_files_are_refused(lambda: GraphGPS(**SMALL), tmp_path / "148.ckpt", contents)


def test_it_is_an_encoder_like_any_other(tmp_path: Path) -> None:
    encoder, _ = small(tmp_path)
    check_an_encoder_like_any_other(encoder, 2)


@pytest.mark.parametrize("block", ["embed", "layer0", "layer1"])
def test_only_the_trained_block_moves(block: str) -> None:
    check_only_the_trained_block_moves(GraphGPS(**SMALL), block)


def test_attention_stays_within_a_molecule_in_training_too() -> None:
    encoder = GraphGPS(**SMALL, dropout=0, attention_dropout=0).eval()
    attention = encoder.layers[0].self_attn.train()
    assert attention.dropout == 0
    batch = batch_for(encoder)
    out = encoder.readout(encoder(batch).out, batch)
    out[6].sum().backward()  # of naphthalene: no gradient reaches what only other molecules have
    rows = encoder.atom_encoder.atom_embedding_list[0].weight.grad.abs().sum(dim=1)
    assert rows.nonzero().flatten().tolist() == [5]


def test_the_head_halves_twice_and_is_one_block() -> None:
    model = Predictor(GraphGPS(**SMALL), 3)
    assert [tuple(p.shape) for p in model.head.parameters()] == [(8, 16), (8,), (4, 8), (4,), (3, 4), (3,)]
    batch = batch_for(model.encoder)
    z = model.eval().represent(batch)
    inner = F.gelu(F.linear(z, model.head[0].weight, model.head[0].bias))
    inner = F.gelu(F.linear(inner, model.head[2].weight, model.head[2].bias))
    torch.testing.assert_close(model(batch), F.linear(inner, model.head[4].weight, model.head[4].bias))
    owner = model.keys_of_blocks()
    assert sorted(key for key, block in owner.items() if block == HEAD) == sorted(
        f"head.{k}.{part}" for k in (0, 2, 4) for part in ("weight", "bias")
    )
    squares = sum(p.square().sum() for p in model.head.parameters())
    torch.testing.assert_close(head_shrinkage(model), 0.5 * squares)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"num_layers": 0}, "num_layers=0"), ({"num_heads": 5}, "num_heads=5"), ({"walk_dim": 16}, "walk_dim=16")],
)
def test_impossible_sizes(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphGPS(**{**SMALL, **wrong})
    with pytest.raises(ValueError, match=r"got 1\.0, 0\.1$"):
        GraphGPS(**SMALL, dropout=1.0)


@pytest.mark.parametrize(
    "method", but_whole([name for name in METHODS if name not in ("adapter", "gpf", "gpf_plus")], {*METHODS} - {*NINE})
)
def test_all_methods(lab: Lab, table: Path, method: str) -> None:
    record = run_small(lab, table, "graphgps", SMALL, f"method={method}")
    assert record.job["graphs"] == {"name": "ogb_rwse", "version": 1}


@pytest.mark.parametrize("method", ["lp", "roftmol"])
def test_the_whole_head_is_trained(lab: Lab, table: Path, method: str) -> None:
    sizes = [f"model.{name}={value}" for name, value in SMALL.items()]
    data = ("dataset=csv", f"dataset.path={table}", "split=random", "label_ratio=full", "train.epochs=1")
    experiment = lab.experiment("model=graphgps", "model.checkpoint=null", *sizes, *data, f"method={method}")
    experiment.work()
    keys = moved(experiment.start.state, copy_state(experiment.model))
    assert {key for key in keys if key.startswith("head.")} == {key for key in experiment.start.state if "head." in key}
    assert (method == "lp") == all(key.startswith("head.") for key in keys)
