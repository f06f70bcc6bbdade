"""The encoders of Hu et al. against an edge-by-edge reference, and against the statistics that their files hold."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from encoders import randomized
from graphs import SMILES, batch_of
from norm_statistics import distances, lipo, shapes
from torch import Tensor, nn

from roftbench.config.model_cards import model_cards
from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.encoder import Nodes, Predictor
from roftbench.models.gat import GAT
from roftbench.models.gcn import GCN
from roftbench.models.gin import GIN
from roftbench.models.graphsage import GraphSAGE
from roftbench.models.hu import HuEncoder

KINDS: dict[str, type[HuEncoder]] = {"gin": GIN, "gcn": GCN, "graphsage": GraphSAGE, "gat": GAT}
IONS = ["[Cl-]", "[Na+]", "[Cl-].[K+]"]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


# --- The definition, one edge after the other


def with_loops(batch: Batch) -> list[tuple[int, int, int, int]]:
    """Return source, target, bond type and direction of every edge, the self-loops last."""
    edges = torch.cat([batch.edge_index.T, batch.edge_attr], dim=1).tolist()
    return [tuple(edge) for edge in edges] + [(i, i, 4, 0) for i in range(len(batch.x))]


def reference_layer(kind: str, layer: nn.Module, h: Tensor, edges: list[tuple[int, int, int, int]]) -> Tensor:
    """Return new node states, [N, d], as the page of the public files writes them down."""
    bond = [layer.edge_embedding1.weight[t] + layer.edge_embedding2.weight[d] for _, _, t, d in edges]
    out: list[Tensor | int] = [0] * len(h)
    if kind == "gat":
        return reference_attention(layer, h, edges, bond)
    z = h if kind == "gin" else layer.linear(h)
    leaving = [sum(source == i for source, *_ in edges) for i in range(len(h))]
    entering = [sum(target == i for _, target, *_ in edges) for i in range(len(h))]
    for (j, i, *_), e in zip(edges, bond, strict=True):
        message = z[j] + e
        if kind == "gcn":
            message = message / (leaving[j] * leaving[i]) ** 0.5
        if kind == "graphsage":
            message = message / entering[i]
        out[i] = out[i] + message
    states = torch.stack([torch.as_tensor(state) for state in out])
    if kind == "gin":
        return layer.mlp(states)
    return states / states.norm(dim=1, keepdim=True) if kind == "graphsage" else states


def reference_attention(
    layer: nn.Module, h: Tensor, edges: list[tuple[int, int, int, int]], bond: list[Tensor]
) -> Tensor:
    dim = h.shape[1]
    z = layer.weight_linear(h).view(-1, 2, dim)
    out = []
    for i in range(len(h)):
        heads = []
        for head in range(2):
            entering = [(j, e) for (j, target, *_), e in zip(edges, bond, strict=True) if target == i]
            messages = torch.stack([z[j, head] + e.view(2, dim)[head] for j, e in entering])
            pairs = torch.cat([z[i, head].expand(len(messages), dim), messages], dim=1)
            alpha = torch.softmax(F.leaky_relu(pairs @ layer.att[0, head], 0.2), dim=0)
            heads.append(alpha @ messages)
        out.append(sum(heads) / 2 + layer.bias)
    return torch.stack(out)


def reference(kind: str, encoder: HuEncoder, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return node states after and before the last batch norm."""
    h = encoder.x_embedding1.weight[batch.x[:, 0]] + encoder.x_embedding2.weight[batch.x[:, 1]]
    features, edges = h, with_loops(batch)
    for number, (layer, norm) in enumerate(zip(encoder.gnns, encoder.batch_norms, strict=True)):
        features = reference_layer(kind, layer, h, edges)
        h = norm(features) if number == len(encoder.gnns) - 1 else F.relu(norm(features))
    return h, features


@EVERY_KIND
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("smiles", [SMILES, IONS], ids=["molecules", "ions"])
def test_equal_to_a_sum_edge_by_edge(kind: str, mode: str, smiles: list[str]) -> None:
    encoder = randomized(KINDS[kind](3, 8, dropout=0.0).double()).train(mode == "train")
    batch = batch_of(smiles)
    out, features = reference(kind, encoder, batch)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    (out * weight).sum().backward()
    expected = {key: parameter.grad for key, parameter in encoder.named_parameters()}
    encoder.zero_grad()
    nodes = encoder(batch)
    torch.testing.assert_close(nodes.out, out)
    torch.testing.assert_close(nodes.features, features)
    (nodes.out * weight).sum().backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, expected[key], atol=1e-9, rtol=1e-7, msg=lambda t, key=key: key + t)


@EVERY_KIND
def test_in_single_precision_it_is_as_exact_as_that_allows(kind: str) -> None:
    encoder, batch = randomized(KINDS[kind](5, 32)).eval(), batch_of(SMILES)
    expected = reference(kind, randomized(KINDS[kind](5, 32)).double().eval(), batch)[0]
    with torch.no_grad():
        out = encoder(batch).out
    scale = expected.abs().max().item()
    torch.testing.assert_close(out, expected.float(), atol=1e-5 * scale, rtol=1e-5)


@EVERY_KIND
@pytest.mark.parametrize("smiles", [["C", "O"], IONS, ["[Cl-]", "CCO"]], ids=["atoms", "ions", "atom and molecule"])
def test_gradients_are_finite_where_atoms_have_no_bonds(kind: str, smiles: list[str]) -> None:
    torch.manual_seed(0)
    model = Predictor(KINDS[kind](3, 16), 2)
    model(batch_of(smiles)).square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters() if parameter.grad is not None)
    assert model.encoder.x_embedding1.weight.grad.abs().sum() > 0


@EVERY_KIND
def test_large_states_do_not_overflow(kind: str) -> None:
    """The scores of the attention are exponentials: of hundreds, they must not become infinite."""
    encoder = randomized(KINDS[kind](2, 8))
    for table in encoder.blocks()["embed"].parameters():
        table.data.mul_(1e4)
    out = encoder.eval()(batch_of(SMILES)).out
    assert torch.isfinite(out).all()
    out.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_graphsage_states_have_length_one() -> None:
    features = randomized(GraphSAGE(2, 16)).eval()(batch_of(SMILES)).features
    torch.testing.assert_close(features.norm(dim=1), torch.ones(len(features)))


@EVERY_KIND
def test_the_four_kinds_have_the_same_blocks_and_each_tensor_in_one(kind: str) -> None:
    model = Predictor(KINDS[kind](3, 8), 1)
    assert list(model.blocks()) == ["embed", "layer0", "layer1", "layer2", "head"]
    assert set(model.keys_of_blocks()) == set(model.state_dict())


@EVERY_KIND
def test_the_same_batch_gives_the_same_bits(kind: str) -> None:
    encoder, batch = randomized(KINDS[kind](3, 16, dropout=0.0)), batch_of(SMILES)
    grads = []
    for _ in range(2):
        encoder.zero_grad()
        encoder(batch).out.square().sum().backward()
        grads.append([parameter.grad.clone() for parameter in encoder.parameters()])
    assert all(torch.equal(left, right) for left, right in zip(*grads, strict=True))


# --- The public files

FILES = [f"{kind}_{task}" for kind in ("gcn", "graphsage")
         for task in ("contextpred", "supervised", "supervised_contextpred")]  # fmt: skip


def public(shared: Path, name: str) -> str:
    return str(shared / "checkpoints" / f"{name}.pth")


@pytest.mark.parametrize("name", FILES)
def test_the_public_files_have_exactly_our_keys_and_shapes(shared: Path, name: str) -> None:
    state = torch.load(public(shared, name), map_location="cpu", weights_only=True)
    for encoder in (GCN(), GraphSAGE()):  # the shapes do not tell the kinds apart
        assert shapes(encoder) == {key: tuple(tensor.shape) for key, tensor in state.items()}


GAT_FILES = {  # how far means (in standard deviations) and log variances may be off in each layer, the last apart
    "gat_contextpred": (0.5, 0.4),
    "gat_supervised": (0.6, 0.4),
    "gat_supervised_contextpred": (1.3, 1.3),  # its statistics agree with no variant of the layer; it says so
}


@pytest.mark.parametrize("name", GAT_FILES)
def test_the_public_gat_files_are_computed_as_defined(shared: Path, name: str) -> None:
    """Loaded strictly, their node states are those of a softmax edge by edge."""
    state = torch.load(public(shared, name), map_location="cpu", weights_only=True)
    encoder, batch = GAT().double().eval(), batch_of(SMILES[:4])
    assert shapes(encoder) == {key: tuple(tensor.shape) for key, tensor in state.items()}
    load_checkpoint(encoder, public(shared, name), str(model_cards()[name].sha256))
    with torch.no_grad():
        out, features = reference("gat", encoder, batch)
        nodes = encoder(batch)
    torch.testing.assert_close(nodes.out, out)
    torch.testing.assert_close(nodes.features, features)


@pytest.mark.parametrize("name", GAT_FILES)
def test_molecules_have_the_statistics_of_the_gat_files(shared: Path, many: Batch, name: str) -> None:
    encoder = GAT()
    load_checkpoint(encoder, public(shared, name), None)
    means, variances = distances(encoder, many)
    assert max(means) < GAT_FILES[name][0]
    assert max(variances[:4]) < GAT_FILES[name][1]


@pytest.mark.parametrize("name", ["gat_contextpred", "gat_supervised"])
def test_the_statistics_see_another_attention(
    shared: Path, many: Batch, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With equal weights instead of attention, or with the ends of a bond exchanged, they are further off."""
    encoder = GAT()
    load_checkpoint(encoder, public(shared, name), None)
    means, variances = distances(encoder, many)
    for layer in encoder.gnns:
        layer.att.data = torch.cat(layer.att.data.chunk(2, dim=-1)[::-1], dim=-1)
    assert sum(distances(encoder, many)[0]) > 3 * sum(means)

    def equal(self: Any, z: Tensor, tables: Tensor, counts: Tensor, hop: Any) -> Tensor:
        degree = hop.offsets.diff()
        return (1 / degree.float()).repeat_interleave(degree)[:, None].expand(-1, 2)

    monkeypatch.setattr("roftbench.models.gat.GATLayer._attention", equal)
    found = distances(encoder, many)
    assert sum(found[0]) > 2 * sum(means)
    assert sum(found[1][:4]) > 2 * sum(variances[:4])


@pytest.fixture(scope="module")
def many() -> Batch:
    """500 molecules of Lipo."""
    return lipo(500)


@pytest.fixture(scope="module")
def few() -> Batch:
    """Molecules enough to see that nothing agrees."""
    return lipo(60)


@pytest.mark.parametrize("name", FILES)
def test_molecules_have_the_statistics_that_the_files_remember(
    shared: Path, many: Batch, few: Batch, name: str
) -> None:
    """That proves the convolution: with the wrong kind, which loads without complaint, nothing agrees."""
    right, wrong = (GCN(), GraphSAGE()) if name.startswith("gcn") else (GraphSAGE(), GCN())
    for encoder in (right, wrong):
        load_checkpoint(encoder, public(shared, name), None)
    means, variances = distances(right, many)
    assert max(means) < 0.25
    layers = 3 if name == "gcn_contextpred" else 5  # its last two layers saw another variance in pretraining
    assert max(variances[:layers]) < 0.6
    means, variances = distances(wrong, few)
    assert means[0] > 5
    assert min(variances) > 6


DEPARTURES: dict[str, Callable[[Tensor], Tensor]] = {
    "whole powers of the degree": lambda degree: 1 / degree,
    "degree without the self-loop": lambda degree: (degree - 1).clamp_min(1) ** -0.5,
}


@pytest.mark.parametrize("case", DEPARTURES)
def test_the_statistics_see_a_wrong_normalization(
    shared: Path, many: Batch, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = GCN()
    load_checkpoint(encoder, public(shared, "gcn_supervised"), None)
    means, variances = distances(encoder, many)
    assert max(means) < 0.1
    assert max(variances) < 0.2
    monkeypatch.setattr("roftbench.models.gcn._scale", lambda degree, dtype: DEPARTURES[case](degree).to(dtype))
    assert max(distances(encoder, many)[0]) > 0.2


# --- What atoms have in common, worked out once


def outcome(encoder: HuEncoder, batch: Batch) -> list[Tensor]:
    """Return states, z, statistics and gradients of a pass with the same random numbers every time."""
    encoder = deepcopy(encoder)
    torch.manual_seed(5)
    nodes = encoder(batch)
    z = encoder.pool(nodes, batch)
    (z * torch.linspace(-1, 1, z.numel(), dtype=z.dtype).view_as(z)).sum().backward()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in encoder.parameters()]
    return [nodes.out.detach(), nodes.features.detach(), z.detach(), *encoder.buffers(), *gradients]


@EVERY_KIND
@pytest.mark.parametrize("training", [[], [0, 1, 2], [2], [1]], ids=["none", "all", "last", "middle"])
def test_sharing_changes_nothing(kind: str, training: list[int]) -> None:
    """Neither states nor gradients nor statistics, whichever layers train."""
    encoder = randomized(KINDS[kind](3, 8, 0.3)).double().eval()
    for layer in training:
        encoder.batch_norms[layer].train()
    expected_layers = min([*training, 2]) + 1
    assert encoder.shared_layers() == expected_layers
    graphs = PackedGraphs.from_graphs(map(smiles_to_graph, SMILES))
    whole, folded = (graphs.batch(torch.arange(len(SMILES)), layers) for layers in (0, expected_layers))
    for one, other in zip(outcome(encoder, folded), outcome(encoder, whole), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def rows_of_products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that from now on gets the rows of each product of states with weights."""
    rows: list[int] = []
    linear = F.linear

    def counting(x: Tensor, *given: Any) -> Tensor:
        rows.append(len(x))
        return linear(x, *given)

    monkeypatch.setattr(F, "linear", counting)
    return rows


@EVERY_KIND
def test_fewer_sums_are_made_where_atoms_are_alike(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = KINDS[kind](3, 8).eval()
    rows = rows_of_products(monkeypatch)
    graphs = PackedGraphs.from_graphs(map(smiles_to_graph, SMILES))
    seen = []
    for layers in (0, encoder.shared_layers()):
        rows.clear()
        encoder(graphs.batch(torch.arange(len(SMILES)), layers))
        seen.append(sum(rows))
    assert 0 < seen[1] < 0.8 * seen[0]


@EVERY_KIND
@pytest.mark.parametrize("frozen", [1, 2, 3])
@pytest.mark.parametrize("shares", [True, False])
def test_the_rest_goes_on_where_frozen_layers_end(kind: str, frozen: int, *, shares: bool) -> None:
    encoder = randomized(KINDS[kind](4, 8, 0.3)).double().train()
    encoder.blocks()["embed"].eval().requires_grad_(False)
    for layer in range(frozen):
        encoder.blocks()[f"layer{layer}"].eval().requires_grad_(False)
    assert encoder.frozen_layers() == frozen
    graphs, index = PackedGraphs.from_graphs(map(smiles_to_graph, SMILES)), torch.arange(len(SMILES))
    states = encoder.run_frozen_layers(graphs.batch(index, frozen if shares else 0))
    for mode in ("train", "eval"):
        if mode == "eval":
            encoder.eval()
        rest = next(graphs.batches([index], encoder.shared_layers() if shares else 0, frozen))
        assert (rest.shared is not None) == shares
        resumed, whole = rest.with_states(states, frozen), graphs.batch(index)
        for one, other in zip(outcome(encoder, resumed), outcome(encoder, whole), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_frozen_layers_are_those_that_nothing_moves() -> None:
    encoder = GIN(3, 8).requires_grad_(False).eval()
    assert encoder.frozen_layers() == 2  # one is left to go on with
    encoder.batch_norms[1].train()
    assert encoder.frozen_layers() == 1
    encoder.gnns[0].mlp[0].bias.requires_grad_()
    assert encoder.frozen_layers() == 0
    encoder = GIN(3, 8).requires_grad_(False).eval()
    encoder.x_embedding2.requires_grad_()
    assert encoder.frozen_layers() == 0
    assert Own(3, 8).requires_grad_(False).eval().frozen_layers() == 0


class Own(GIN):
    """Goes its own way, which may not know what it is to begin with."""

    def forward(self, batch: Batch) -> Nodes:
        """Return what a GIN does."""
        return super().forward(batch)


def test_a_batch_that_shares_more_than_the_mode_allows_is_worked_out_whole() -> None:
    """Dropout would give atoms of one color one mask."""
    encoder = randomized(GIN(3, 8, 0.5)).double().train()
    graphs = PackedGraphs.from_graphs(map(smiles_to_graph, SMILES))
    whole, folded = (graphs.batch(torch.arange(len(SMILES)), layers) for layers in (0, 3))
    for one, other in zip(outcome(encoder, folded), outcome(encoder, whole), strict=True):
        assert torch.equal(one, other)


@EVERY_KIND
@pytest.mark.parametrize("shared_layers", [0, 3])
def test_what_is_affine_at_the_end_may_come_after_pooling(kind: str, shared_layers: int) -> None:
    """Pooled states, and all gradients, are those of the pooled `out`."""
    encoder = randomized(KINDS[kind](3, 8, 0.3)).double().eval()
    batch = PackedGraphs.from_graphs(map(smiles_to_graph, SMILES)).batch(torch.arange(len(SMILES)), shared_layers)
    found = []
    for z in (encoder.represent(batch), encoder.readout(encoder(batch).out, batch)):
        encoder.zero_grad()
        (z * torch.linspace(-1, 1, z.numel(), dtype=z.dtype).view_as(z)).sum().backward()
        found.append([z.detach(), *(p.grad for p in encoder.parameters() if p.grad is not None)])
    assert len(found[0]) > 10
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_the_last_product_is_made_for_graphs_instead_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, batch = GIN(3, 8).eval(), batch_of(SMILES)
    rows = rows_of_products(monkeypatch)
    encoder.represent(batch)
    assert [rows.count(len(batch.x)), rows.count(len(SMILES))] == [5, 1]


class Largest(GIN):
    """Pools in its own way."""

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Return the largest number of each dimension."""
        return torch.segment_reduce(out, "max", offsets=batch.node_ptr, axis=0)


def test_another_way_to_pool_reads_the_finished_states() -> None:
    encoder, batch = Largest(3, 8).eval(), batch_of(SMILES)
    parts = torch.tensor_split(encoder(batch).out, batch.node_ptr[1:-1])
    torch.testing.assert_close(encoder.represent(batch), torch.stack([part.amax(0) for part in parts]))


@pytest.mark.parametrize("product_first", [0.0, 1e9], ids=["product first", "sum first"])
def test_the_product_may_come_before_the_sum(product_first: float, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = randomized(GIN(3, 8, 0.0)).double().eval()
    batch = PackedGraphs.from_graphs(map(smiles_to_graph, SMILES)).batch(torch.arange(len(SMILES)), 3)
    expected = outcome(encoder, batch)
    monkeypatch.setattr("roftbench.models.gin.PRODUCT_FIRST", product_first)
    rows = rows_of_products(monkeypatch)
    for one, other in zip(outcome(encoder, batch), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    assert (9 in rows) == (product_first == 0)  # the bonds' embeddings take part
