"""MiniMol against the released package's numbers, its weights, and what every encoder must do."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import encoders
import numpy as np
import pytest
import torch
from lab import NINE, Lab
from minimol_reference import Reference, batch_of, graph, intermediate, reference
from refusals import raises_usage
from torch import Tensor

from roftbench.config.environment import RunContext
from roftbench.config.featurizers import graph_kind
from roftbench.config.job import Job
from roftbench.config.model_cards import model_cards
from roftbench.data.featurizers.graphium import GraphiumFeaturizer, smiles_to_graph
from roftbench.data.packed import Batch
from roftbench.errors import UsageError
from roftbench.models.checkpoints import load_checkpoint, load_published
from roftbench.models.dropout import Dropout
from roftbench.models.encoder import HEAD, Predictor, copy_state
from roftbench.models.graphium import UNUSED
from roftbench.models.graphium_layers import Layer
from roftbench.models.minimol import MiniMol
from roftbench.models.segment_ops import Wiring, sum_runs, take
from roftbench.runner.run import run_job
from roftbench.store.downloads import Places, Source, read
from roftbench.store.record_schema import GraphCount

SMALL: dict[str, int] = {"num_layers": 2, "dim": 12, "hidden": 10, "node_dim": 8, "edge_dim": 6}
SMILES = [
    *encoders.SMILES,
    "[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[O--].[Pr+3].[Pr+3].[Pr+3].[Pr+3].[Pr+3].[Pr+3]",
]
SOURCE: Source = model_cards()["minimol"].source()


@pytest.fixture(scope="session")
def places() -> Places:
    """Where the released weights are kept between runs; tests that need them are skipped where they cannot be had."""
    places = Places(Path(tempfile.gettempdir()) / f"roftbench-tests-{os.getuid()}" / "downloads")
    try:
        read(SOURCE, places)
    except UsageError as error:
        pytest.skip(f"the released weights cannot be had: {error}")
    return places


@pytest.fixture(scope="session")
def released(places: Places) -> MiniMol:
    encoder = MiniMol()
    load_published(encoder, SOURCE, places)
    return encoder.eval()


@pytest.fixture(scope="module")
def golden(shared: Path) -> Reference:
    return reference(shared)


@pytest.fixture
def small() -> MiniMol:
    torch.manual_seed(0)
    return MiniMol(**SMALL)


@pytest.fixture
def batch() -> Batch:
    return batch_of([smiles_to_graph(text) for text in SMILES])


def embed(encoder: MiniMol, batch: Batch) -> Tensor:
    with torch.no_grad():
        return encoder.readout(encoder(batch).out, batch)


# --- The released network


def test_embeddings_of_the_stored_inputs(released: MiniMol, golden: Reference) -> None:
    batch = batch_of(golden.graphs)
    assert np.abs(embed(released, batch).numpy() - golden.embedding).max() < 3e-5
    with torch.no_grad():
        out = released(batch).out
    mean = torch.segment_reduce(out, "mean", offsets=batch.node_ptr, axis=0)
    assert np.abs(mean.numpy() - golden.node_mean).max() < 3e-5


def test_embeddings_from_smiles(released: MiniMol, golden: Reference) -> None:
    found = embed(released, batch_of([smiles_to_graph(text) for text in golden.smiles])).numpy()
    length = np.linalg.norm(golden.embedding, axis=1)
    cosine = (found * golden.embedding).sum(axis=1) / (np.linalg.norm(found, axis=1) * length)
    relative = np.linalg.norm(found - golden.embedding, axis=1) / length
    assert cosine.min() > 0.999
    assert relative.max() < 0.03
    assert relative.mean() < 0.003
    assert np.abs(found - golden.embedding)[golden.stable].max() < 0.02
    alone = [i for i in range(len(found)) if len(golden.graphs[i].x) == 1]
    assert np.abs(found - golden.embedding)[alone].max() < 3e-5


@pytest.mark.parametrize("number", range(8))
def test_every_step_on_the_way(released: MiniMol, shared: Path, number: int) -> None:
    wanted = intermediate(shared)[number]
    names = ("feat", "laplacian_eigvec", "laplacian_eigval", "rw_return_probs", "edge_index", "edge_feat")
    batch = batch_of([graph(*(wanted[name] for name in names))])
    order = np.argsort(wanted["edge_index"][1], kind="stable")  # our batches have the edges by target
    with torch.no_grad():
        found = steps(released, batch)
    for name, tensor in found.items():
        expected = wanted[name][order] if name == "pre_nn_edges" else wanted[name]
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=0, atol=3e-5, err_msg=name)


def steps(encoder: MiniMol, batch: Batch) -> dict[str, Tensor]:
    """Return the network's intermediate results by their names in the reference."""
    vectors, values, returns = batch.x[:, 9:17], batch.x[:, 17:25], batch.x[:, 25:]
    found = {"la_pos": encoder.la_pos(vectors, values), "rw_pos": encoder.rw_pos(returns)}
    h = found["pre_nn"] = encoder.embed_nodes(batch.x)
    edges, kind = encoder.embed_edges(batch.edge_attr)
    assert kind is not None
    found["pre_nn_edges"] = edges[kind]
    wiring, state, carried = Wiring.of(batch), torch.zeros(1, encoder.hidden), torch.zeros(())
    for number, layer in enumerate(encoder.layers):
        assert isinstance(layer, Layer)
        h = found[f"gnn{number}_layer"] = layer(h, edges, kind, wiring)
        if layer.virtual_node is None:
            break
        h = carried = h + carried
        h, state = layer.virtual_node(h, state, wiring)
        found |= {f"gnn{number}_vn": state, f"gnn{number}_out": h}
    found["gnn15_out"], found["embedding"] = h, encoder.readout(h, batch)[0]
    shown = ("la_pos", "rw_pos", "pre_nn", "pre_nn_edges", "gnn0_", "gnn1_", "gnn14_out", "gnn15_out", "embedding")
    return {name: tensor for name, tensor in found.items() if name.startswith(shown)}


def test_a_molecule_alone_and_in_a_batch(released: MiniMol, golden: Reference) -> None:
    together = embed(released, batch_of(golden.graphs[:40]))
    for i in (0, 1, 9, 18, 25, 39):
        torch.testing.assert_close(embed(released, batch_of([golden.graphs[i]]))[0], together[i], rtol=0, atol=1e-5)


# --- Its weights


def test_the_whole_file_is_used_but_for_what_is_named(places: Places, released: MiniMol) -> None:
    state = torch.load(places.downloads / str(SOURCE.file), weights_only=True)
    assert len(state) == 344
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert sum(key.startswith(UNUSED[0]) for key in state) == 42
    assert sum(key.startswith(UNUSED[1]) for key in state) == 2
    assert len(released.state_dict()) == 344 - 44
    assert {tensor.dtype for tensor in released.state_dict().values()} == {torch.float32}
    assert sum(parameter.numel() for parameter in released.parameters()) == model_cards()["minimol"].parameters
    assert all((layer.eps == 0).all() for layer in released.layers)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda s: {**s, "model.gnn.layers.16.model.eps": torch.zeros(1)}, "unexpected layers.16.eps"),
        (lambda s: {**s, "model.other": torch.zeros(1)}, "unexpected other"),
        (lambda s: without(s, "model.gnn.layers.3.model.lin.bias"), "missing layers.3.lin.bias"),
        (
            lambda s: without(s, "model.encoder_manager.pe_encoders.rw_pos.pe_encoder.first_normalization.bias"),
            "missing rw_pos.0.bias",
        ),
        (
            lambda s: {**s, "model.pre_nn.layers.0.linear.bias": torch.zeros(3)},
            r"pre_nn.0.linear.bias is \(3,\), the encoder wants \(256,\)",
        ),
    ],
)
def test_all_else_is_strict(
    places: Places, tmp_path: Path, edit: Callable[[dict[str, Tensor]], dict[str, Tensor]], problem: str
) -> None:
    state = torch.load(places.downloads / str(SOURCE.file), weights_only=True)
    torch.save(edit(state), tmp_path / "weights.pth")
    with raises_usage(f"{problem}$", key="model.checkpoint"):
        load_checkpoint(MiniMol(), str(tmp_path / "weights.pth"), None)


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    assert name in state
    return {key: tensor for key, tensor in state.items() if key != name}


def test_weights_saved_under_our_names_are_loaded_too(small: MiniMol, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "weights.pth")
    other = MiniMol(**SMALL)
    load_checkpoint(other, str(tmp_path / "weights.pth"), None)
    assert all(torch.equal(tensor, small.state_dict()[key]) for key, tensor in other.state_dict().items())


# --- An encoder like any other


def test_every_tensor_is_in_one_block() -> None:
    with torch.device("meta"):
        model = Predictor(MiniMol(), 1)
    assert list(model.blocks()) == ["embed", *(f"layer{i}" for i in range(16)), HEAD]
    owner = model.keys_of_blocks()
    assert owner["encoder.layers.3.virtual_node.node_projection.weight"] == "layer3"
    assert owner["encoder.pre_nn_edges.0.linear.weight"] == owner["encoder.la_pos.linear_in.linear.bias"] == "embed"
    assert sum(block == "layer15" for block in owner.values()) == 11


def test_batch_composition(small: MiniMol) -> None:
    encoders.check_batch_companions_do_not_matter(small, SMILES)


@pytest.mark.parametrize("smiles", [["[Na+]"], ["C", "O"], SMILES[-1:]], ids=["one atom", "two", "seventeen ions"])
def test_no_edges_at_all(small: MiniMol, smiles: list[str]) -> None:
    batch = batch_of([smiles_to_graph(text) for text in smiles])
    for mode in (True, False):
        small.train(mode).zero_grad()
        out = small.readout(small(batch).out, batch)
        assert out.shape == (len(smiles), 12)
        assert torch.isfinite(out).all()
        out.sum().backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in small.parameters())


def test_the_readout_is_the_maximum(small: MiniMol, batch: Batch) -> None:
    out = small.eval()(batch).out
    parts = torch.tensor_split(out, batch.node_ptr[1:-1])
    assert torch.equal(small.readout(out, batch), torch.stack([part.amax(dim=0) for part in parts]))


def test_the_same_bits_every_time(small: MiniMol) -> None:
    encoders.check_the_same_bits_every_time(small)


def test_states_of_kinds_of_edges_are_those_of_the_edges(small: MiniMol, batch: Batch) -> None:
    small.eval()
    kinds, kind = small.embed_edges(batch.edge_attr)
    assert kinds.shape == (70, 6)
    small.pre_nn_edges.train()
    small.edge_dropout = False
    assert small.embed_edges(batch.edge_attr)[1] is not None
    small.edge_dropout = True
    small.pre_nn_edges[0].dropout.p = 0.0
    edges, none = small.embed_edges(batch.edge_attr)
    assert none is None
    torch.testing.assert_close(kinds[kind], edges, rtol=0, atol=1e-6)


def test_sums_and_their_gradients() -> None:
    torch.manual_seed(0)
    index = torch.tensor([3, 0, 0, 2, 3, 3])
    order = torch.argsort(index, stable=True)
    begins = torch.tensor([0, 2, 2, 3])
    table = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    rows = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    owner = index[order]
    assert torch.equal(take(table, index, order, begins), table[index])
    wanted = torch.zeros(4, 3, dtype=torch.float64).index_add(0, owner, rows)
    torch.testing.assert_close(sum_runs(rows, owner, begins), wanted)
    assert torch.autograd.gradcheck(lambda t: take(t, index, order, begins), table)
    assert torch.autograd.gradcheck(lambda r: sum_runs(r, owner, begins), rows)


def test_gradients_are_those_of_plain_indexing(small: MiniMol, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def plain_sum(rows: Tensor, owner: Tensor, offsets: Tensor) -> Tensor:
        return torch.zeros(len(offsets), rows.shape[1]).index_add(0, owner, rows)

    def gradients() -> list[Tensor]:
        small.eval().zero_grad()
        small.readout(small(batch).out, batch).square().sum().backward()
        return [p.grad.clone() for p in small.parameters() if p.grad is not None]

    ours = gradients()
    monkeypatch.setattr("roftbench.models.graphium_layers.sum_runs", plain_sum)
    monkeypatch.setattr("roftbench.models.graphium_layers.take", lambda table, index, *_: table[index])
    for one, other in zip(ours, gradients(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", ["embed", "layer0", "layer1"])
def test_only_the_trained_block_drops_out(small: MiniMol, batch: Batch, block: str) -> None:
    model = Predictor(small, 1)
    for dropout in (m for m in model.modules() if isinstance(m, Dropout)):
        dropout.p = 0.5
    model.set_trained([HEAD])
    assert torch.equal(model.represent(batch), model.represent(batch))
    before = copy_state(model)
    model.set_trained([block])
    assert not torch.equal(model.represent(batch), model.represent(batch))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(batch).square().sum().backward()
    optimizer.step()
    owner = model.keys_of_blocks()
    moved = {owner[key] for key, tensor in model.state_dict().items() if not torch.equal(tensor, before[key])}
    assert moved == {block}


def test_eigenvalues_are_flipped_in_training_alone(batch: Batch) -> None:
    encoder = MiniMol(**SMALL, dropout=0, positional_dropout=0)
    vectors, values = batch.x[:, 9:17], batch.x[:, 17:25]
    kept = encoder.eval().la_pos(vectors, values)
    torch.manual_seed(0)
    flipped = encoder.train().la_pos(vectors, values)
    torch.manual_seed(0)
    signs = 2.0 * torch.randint(2, (8,)) - 1
    assert not torch.equal(kept, flipped)
    encoder.la_pos.flip = False
    assert torch.equal(encoder.la_pos(vectors, values), kept)
    assert torch.equal(encoder.la_pos(vectors, values * signs), flipped)


@pytest.mark.parametrize("wrong", [{"num_layers": 0}, {"hidden": 0}, {"dropout": 1.0}, {"positional_dropout": -0.1}])
def test_impossible_sizes(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MiniMol(**{**SMALL, **wrong})


# --- Jobs


def small_job(lab: Lab, table: Path, *overrides: str) -> tuple[Job, RunContext]:
    sizes = [f"model.{name}={value}" for name, value in SMALL.items()]
    data = ("dataset=csv", f"dataset.path={table}", "split=random", "label_ratio=full")
    epochs = ("train.epochs=1", "train.interpolation_epochs=1")
    return lab.job("model=minimol", "model.checkpoint=null", *sizes, *data, *epochs, *overrides)


@pytest.mark.parametrize("method", NINE)  # the others with MiniMol: tests/methods/test_every_encoder.py
def test_all_methods(lab: Lab, table: Path, method: str) -> None:
    outcome = run_job(*small_job(lab, table, f"method={method}"))
    assert outcome.status == "done", outcome.record
    assert outcome.record.count.graphs == GraphCount(train=32, val=4, test=4)
    assert outcome.record.job["graphs"] == {"name": "minimol", "version": 1}


def test_the_version_of_the_features_is_in_the_key(lab: Lab, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, _ = small_job(lab, table)
    plain, _ = lab.job()
    assert "graphs" not in plain.identity()
    keys = job.key, plain.key
    monkeypatch.setattr(GraphiumFeaturizer, "version", 2)
    newer = replace(job.model, featurizer=graph_kind("minimol"))
    assert replace(job, model=newer).key != keys[0]
    assert replace(plain).key == keys[1]


def test_the_released_model_in_a_job(lab: Lab, table: Path, places: Places) -> None:
    data = ("dataset=csv", f"dataset.path={table}", "split=random", "label_ratio=full")
    job, env = lab.job("model=minimol", *data, "method=lp", "train.epochs=1")
    outcome = run_job(job, replace(env, places=replace(places, offline=True)))
    assert outcome.status == "done", outcome.record
    assert outcome.record.job["model"]["sha256"] == SOURCE.sha256
