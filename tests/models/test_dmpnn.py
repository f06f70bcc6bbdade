"""Directed message passing against chemprop itself, edge by edge, and with shared rows against none."""

from pathlib import Path
from typing import Any

import encoders
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from encoders import SMILES, batch_for
from torch import Tensor

from roftbench.data.featurizers.chemprop import REVERSE
from roftbench.data.packed import Batch
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.chemprop_file import read_model
from roftbench.models.directed_edges import DirectedEdges
from roftbench.models.dmpnn import DMPNN
from roftbench.models.encoder import Predictor
from roftbench.models.multi_hot import bond_kind

GOLDEN = Path(__file__).parents[1] / "golden"  # of scripts/golden/chemprop_models.py
FILES = {"plain": "chemprop_plain.pt", "trained": "chemprop_trained.ckpt", "block": "chemprop_block.pt"}
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "deep": {"depth": 5, "bias": True},
    "one step": {"depth": 1},
    "undirected": {"undirected": True},
    "prelu": {"activation": "prelu"},
    "silu": {"activation": "silu"},
    "sum": {"aggregation": "sum"},
    "norm": {"aggregation": "norm", "norm": 30.0, "batch_norm": True},
    "v1": {"features": "v1"},
    "rigr": {"features": "rigr"},
}
EVERY_OPTION = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def weighted(z: Tensor) -> Tensor:
    """Return Σ z · w for the weights of the golden gradients."""
    return (z * torch.linspace(-1, 1, z.numel(), dtype=z.dtype).view_as(z)).sum()


def gradients(encoder: DMPNN, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    encoder.zero_grad()
    z = encoder.represent(batch)
    weighted(z).backward()
    return z.detach(), {key: one.grad for key, one in encoder.named_parameters() if one.grad is not None}


# --- chemprop's own numbers


@pytest.mark.parametrize("name", FILES)
def test_equal_to_chemprop_on_100_molecules(name: str) -> None:
    path = GOLDEN / FILES[name]
    weights = read_model(path.read_bytes(), str(path))
    assert weights is not None
    encoder = DMPNN(**weights.arguments)
    load_checkpoint(encoder, str(path), None)
    with np.load(GOLDEN / "chemprop.npz") as file:
        smiles = [str(text) for text in file["smiles"]]
        expected = {
            key.removeprefix(f"{name}."): torch.from_numpy(file[key]) for key in file.files if key.startswith(name)
        }
    assert len(smiles) == 100
    z, found = gradients(encoder.eval(), batch_for(encoder, smiles))
    assert (z - expected["z"]).abs().max() < 1e-5
    assert {f"grad.{key}" for key in found} == expected.keys() - {"z"}
    for key, gradient in found.items():
        wanted = expected[f"grad.{key}"]
        assert (gradient - wanted).abs().max() < 1e-5 * wanted.abs().max(), key


def their_model(options: dict[str, Any]) -> tuple[Any, Any]:
    """Return chemprop's model with some options of ours, in double precision, and a function from SMILES to graphs."""
    pytest.importorskip("chemprop")
    from chemprop import data, featurizers, models, nn
    from chemprop.featurizers.atom import get_multi_hot_atom_featurizer
    from chemprop.featurizers.bond import RIGRBondFeaturizer
    from rdkit import Chem

    kept = {key: one for key, one in options.items() if key in ("depth", "bias", "undirected", "activation")}
    if kept.get("activation") == "silu":
        kept["activation"] = torch.nn.SiLU()
    kind = options.get("features", "v2")
    bonds = RIGRBondFeaturizer() if kind == "rigr" else featurizers.MultiHotBondFeaturizer()
    make = featurizers.SimpleMoleculeMolGraphFeaturizer(get_multi_hot_atom_featurizer(kind), bonds)
    passing = nn.BondMessagePassing(d_v=make.atom_fdim, d_e=make.bond_fdim, d_h=24, **kept)
    pools = {"mean": nn.MeanAggregation(), "sum": nn.SumAggregation(), "norm": nn.NormAggregation(norm=30.0)}
    model = models.MPNN(
        passing,
        pools[options.get("aggregation", "mean")],
        nn.RegressionFFN(input_dim=24),
        options.get("batch_norm", False),
    )

    def graphs(smiles: list[str]) -> Any:
        batch = data.BatchMolGraph([make(Chem.MolFromSmiles(text)) for text in smiles])
        batch.V, batch.E = batch.V.double(), batch.E.double()
        return batch

    return model.double().train(), graphs


@EVERY_OPTION
def test_equal_to_an_installed_chemprop(options: dict[str, Any]) -> None:
    """Where chemprop can be imported: vectors bit by bit, representations and gradients in double precision."""
    torch.manual_seed(0)
    theirs, graphs = their_model(options)
    encoder = DMPNN(dim=24, **options).double().train()
    state = {key.removeprefix("message_passing."): one for key, one in theirs.state_dict().items()}
    encoder.load_state_dict({key: state[key] for key in encoder.state_dict()})
    with np.load(GOLDEN / "chemprop.npz") as file:
        smiles = [str(text) for text in file["smiles"]]
    batch, given = batch_for(encoder, smiles), graphs(smiles)
    assert torch.equal(encoder.vectors(batch.x).double(), given.V)
    z, found = gradients(encoder, batch)
    expected = theirs.fingerprint(given)
    torch.testing.assert_close(z, expected, rtol=0, atol=1e-12)
    weighted(expected).backward()
    wanted = {key.removeprefix("message_passing."): one.grad for key, one in theirs.named_parameters()}
    for key, gradient in found.items():
        torch.testing.assert_close(gradient, wanted[key], rtol=1e-10, atol=1e-10, msg=lambda t, key=key: key + t)


# --- The definition, one edge after the other


def reference(encoder: DMPNN, batch: Batch) -> Tensor:
    """Return node states, [N, dim], by the sums that the definition names."""
    ends = batch.edge_index.T.tolist()
    atoms = encoder.vectors(batch.x).to(encoder.W_o.weight.dtype)
    bonds = encoder.vectors.bonds[bond_kind(batch.edge_attr)].to(atoms.dtype)
    none = torch.zeros(encoder.dim, dtype=atoms.dtype)
    start = [encoder.W_i(torch.cat([atoms[u], bonds[e]])) for e, (u, _) in enumerate(ends)]
    states = [encoder.tau(one.clone()) for one in start]
    for _ in range(1, encoder.depth):
        if encoder.undirected:
            states = [(states[e] + states[ends.index([v, u])]) / 2 for e, (u, v) in enumerate(ends)]
        sums = [sum((states[f] for f, (w, to) in enumerate(ends) if to == u and w != v), none) for u, v in ends]
        states = [encoder.tau(start[e] + encoder.W_h(one)) for e, one in enumerate(sums)]
    entering = [sum((states[e] for e, (_, to) in enumerate(ends) if to == i), none) for i in range(len(atoms))]
    return torch.stack([encoder.tau(encoder.W_o(torch.cat(pair))) for pair in zip(atoms, entering, strict=True)])


@EVERY_OPTION
def test_equal_to_a_sum_edge_by_edge(options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    encoder = DMPNN(dim=6, **options).double().eval()
    batch = batch_for(encoder, SMILES[:5])
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch).out, reference(encoder, batch), rtol=1e-10, atol=1e-10)


def test_aggregations_by_hand() -> None:
    batch = batch_for(DMPNN(dim=4), ["CCO", "C"])
    out = torch.arange(16.0).view(4, 4)
    sums = torch.stack([out[:3].sum(0), out[3]])
    for name, expected in (("mean", sums / torch.tensor([[3.0], [1.0]])), ("sum", sums), ("norm", sums / 50)):
        encoder = DMPNN(dim=4, aggregation=name, norm=50.0)
        torch.testing.assert_close(encoder.readout(out, batch), expected)


# --- Shared rows


@pytest.mark.parametrize("options", [{}, {"depth": 5, "bias": True}, {"depth": 1}], ids=["default", "deep", "one step"])
def test_sharing_changes_nothing(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    encoder = DMPNN(dim=12, **options).double()
    batch = batch_for(encoder)
    shared = gradients(encoder, batch)
    of = DirectedEdges.of
    monkeypatch.setattr(DirectedEdges, "of", lambda batch, depth, share: of(batch, depth, share=False))
    whole = gradients(encoder, batch)
    torch.testing.assert_close(shared[0], whole[0], rtol=1e-12, atol=1e-12)
    for key, gradient in shared[1].items():
        torch.testing.assert_close(gradient, whole[1][key], rtol=1e-10, atol=1e-10)


def test_fewer_rows_are_multiplied_where_edges_are_alike() -> None:
    batch = batch_for(DMPNN(dim=4))
    edges = DirectedEdges.of(batch, 3, share=True)
    rows = [len(edges.first), *(len(one.offsets) for one in edges.messages)]
    assert rows == sorted(rows)
    assert rows[0] < 0.5 * batch.edge_index.shape[1]
    assert rows[-1] <= batch.edge_index.shape[1]
    assert len(edges.nodes) < 0.8 * len(batch.x)
    whole = DirectedEdges.of(batch, 3, share=False)
    assert (len(whole.nodes), whole.every) == (len(batch.x), None)
    assert [len(whole.first), *(len(one.offsets) for one in whole.messages)] == [batch.edge_index.shape[1]] * 3
    assert torch.equal(whole.reverse, batch.edge_ptr[batch.edge_index[0]] + batch.edge_attr[:, REVERSE])


def test_dropout_is_drawn_for_each_edge() -> None:
    """Equal edges have different masks in training, so the two ends of ethane differ."""
    encoder = DMPNN(dim=64, dropout=0.5)
    batch = batch_for(encoder, ["CC"])
    torch.manual_seed(0)
    first, second = encoder.train()(batch).features
    assert not torch.equal(first, second)
    first, second = encoder.eval()(batch).features
    assert torch.equal(first, second)
    encoder.W_h.eval()
    encoder.W_o.train()
    first, second = encoder(batch).features  # the last dropout alone is active
    assert torch.equal(first, second)


# --- What every encoder must do


@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True, "aggregation": "norm", "norm": 10.0}], ids=["plain", "norm"]
)
def test_an_encoder_like_any_other(options: dict[str, Any]) -> None:
    torch.manual_seed(3)
    encoder = DMPNN(dim=16, **options)
    blocks = ["W_i", "W_h", "W_o", *(["bn"] if options else []), "head"]
    model = Predictor(encoder, 2)
    assert list(model.blocks()) == blocks
    assert set(model.keys_of_blocks()) == set(model.state_dict())
    encoders.check_batch_companions_do_not_matter(encoder)
    encoders.check_graphs_without_edges(encoder)
    encoders.check_the_same_bits_every_time(encoder)
    encoders.check_only_the_trained_block_moves(encoder, "W_h")


def test_under_autocast_it_computes_the_same_in_lower_precision() -> None:
    torch.manual_seed(4)
    encoder = DMPNN(dim=32)
    batch = batch_for(encoder)
    exact = encoder.represent(batch)
    with torch.autocast("cpu", torch.bfloat16):
        rough = encoder.represent(batch)
    F.mse_loss(rough.float(), torch.zeros_like(exact)).backward()
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.02)
    assert all(torch.isfinite(one.grad).all() for one in encoder.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        *({"dim": 0}, {"depth": 0}, {"depth": 10**9}, {"dropout": 1.0}, {"norm": 0.0}),
        *({"features": "v3"}, {"activation": "sine"}, {"aggregation": "attentive"}),
    ],
)
def test_impossible_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DMPNN(**wrong)
