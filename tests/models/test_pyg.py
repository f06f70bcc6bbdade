"""Modules of PyTorch Geometric and of users in its style as encoders: the numbers of a plain loop, all methods."""

from pathlib import Path

import pytest
import torch
from lab import Lab
from refusals import raises_usage
from torch import Tensor, nn
from torch_geometric.data import Batch as GeometricBatch
from torch_geometric.nn import global_add_pool, global_mean_pool
from torch_geometric.nn.models import GIN
from torch_geometric.utils import from_smiles

from roftbench.data.featurizers.pyg import PyGFeaturizer
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.models.encoder import Predictor, copy_state
from roftbench.models.pyg import PyG
from roftbench.runner.run import load_experiment

SMILES = ["CCO", "C", "c1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "CC(C)Cc1ccc(cc1)C(C)C(=O)O"]
MODELS = "torch_geometric.nn.models."
NETWORKS = {
    "GIN": {"hidden_channels": 16, "num_layers": 3, "dropout": 0.2},
    "GCN": {"hidden_channels": 16, "num_layers": 3, "norm": "batch"},
    "GAT": {"hidden_channels": 16, "num_layers": 2, "heads": 2, "edge_dim": 8},
    "GraphSAGE": {"hidden_channels": 16, "num_layers": 2, "jk": "cat"},
    "PNA": {
        "hidden_channels": 16, "num_layers": 2, "aggregators": ["mean", "max"], "scalers": ["identity"],
        "deg": [0, 30, 40, 20, 4],
    },
    "AttentiveFP": {"hidden_channels": 16, "out_channels": 12, "edge_dim": 8, "num_layers": 2, "num_timesteps": 2},
}  # fmt: skip
METHODS = ("full_ft", "l2_sp", "feature_map", "bss", "lp", "surgical_ft", "lp_ft", "wise_ft", "roftmol")
GPS = '''"""A GPS network with a parameter of its own, which returns graphs."""

import torch
from torch import nn
from torch_geometric.nn import GINEConv, GPSConv, global_add_pool


class GPS(nn.Module):
    def __init__(self, in_channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.embed = nn.Linear(in_channels, hidden)
        self.bond = nn.Linear(3, hidden)
        self.convs = nn.ModuleList(GPSConv(hidden, GINEConv(nn.Linear(hidden, hidden)), heads=2) for _ in range(2))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x, edge_index, edge_attr=None, batch=None):
        h, bonds = self.embed(x) * self.scale, self.bond(edge_attr)
        for conv in self.convs:
            h = conv(h, edge_index, batch, edge_attr=bonds)
        return global_add_pool(h, batch)
'''


def packed() -> Batch:
    featurizer = PyGFeaturizer()
    graphs = PackedGraphs.from_chunks([featurizer.pack(SMILES)])
    return graphs.batch(torch.arange(len(SMILES)))


def geometric() -> GeometricBatch:
    found: GeometricBatch = GeometricBatch.from_data_list([from_smiles(one) for one in SMILES])
    return found


class Whole(nn.Module):
    """Takes a whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(119, 4)

    def forward(self, data: GeometricBatch) -> Tensor:
        assert data.num_graphs in (2, len(SMILES))
        assert data.edge_attr.shape[1] == 3
        return global_add_pool(self.table(data.x[:, 0]), data.batch)


class Pair(nn.Module):
    """Returns two tensors, which no encoder does."""

    def forward(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Named(nn.Module):
    """Has children with the names of blocks, and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.own, self.layer0, self.head, self.added = (nn.Linear(16, 16) for _ in range(5))
        self.convs = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))
        self.scale = nn.Parameter(torch.ones(16))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return x


class Flat(nn.Module):
    """Has no edges."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def encoder(name: str, **given: object) -> PyG:
    torch.manual_seed(3)
    return PyG(MODELS + name, dict(NETWORKS[name]), width=16, **given)  # type: ignore[arg-type]


def test_a_network_gives_what_it_gives_for_a_batch_of_pytorch_geometric() -> None:
    found = PyG(MODELS + "GIN", dict(NETWORKS["GIN"]), inputs="float").eval()
    data = geometric()
    assert isinstance(found.module, GIN)
    with torch.no_grad():
        expected = global_mean_pool(found.module(data.x.float(), data.edge_index), data.batch)
        torch.testing.assert_close(found.represent(packed()), expected, rtol=1e-5, atol=1e-6)
    assert found.dim == 16


def test_full_fine_tuning_is_a_plain_loop_of_pytorch_geometric_over_three_epochs(lab: Lab) -> None:
    """One batch holds all training molecules, so that the order of molecules has no effect."""
    kwargs = "++model.kwargs={hidden_channels: 16, num_layers: 3}"
    words = (f"model.module={MODELS}GIN", kwargs, "model.inputs=float", "train.epochs=3", "train.batch_size=64")
    job, context = lab.job("model=pyg", "method=full_ft", "train.lr=0.01", *words)
    experiment = load_experiment(job, context)
    model: Predictor = experiment.model  # type: ignore[attr-defined]
    start = copy_state(model)
    dataset, train = experiment.dataset, experiment.parts.train
    record = lab.done("model=pyg", "method=full_ft", "train.lr=0.01", *words)

    network, head = GIN(9, 16, 3), nn.Linear(16, 1)
    network.load_state_dict({k.removeprefix("encoder.module."): v for k, v in start.items() if "module." in k})
    head.load_state_dict({k.removeprefix("head."): v for k, v in start.items() if k.startswith("head.")})
    data = GeometricBatch.from_data_list([from_smiles(dataset.smiles[i]) for i in train])
    y = torch.tensor(dataset.y[train], dtype=torch.float32)
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=0.01)
    for epoch in range(3):
        network.train()
        optimizer.zero_grad()
        out = head(global_mean_pool(network(data.x.float(), data.edge_index), data.batch))
        loss = torch.nn.functional.mse_loss(out, y).sqrt()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        assert record.history[epoch].train_loss == pytest.approx(loss.item(), rel=1e-5)
    network.eval()
    rows = experiment.parts.val
    data = GeometricBatch.from_data_list([from_smiles(dataset.smiles[i]) for i in rows])
    with torch.no_grad():
        out = head(global_mean_pool(network(data.x.float(), data.edge_index), data.batch))
    error = (out.numpy() - dataset.y[rows]) ** 2
    assert record.history[-1].val_score == pytest.approx(error.mean() ** 0.5, rel=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_in_a_block_and_layers_pair_their_parts(name: str) -> None:
    model = Predictor(encoder(name), 1)
    owners = model.keys_of_blocks()
    assert set(owners) == set(model.state_dict())
    assert next(iter(model.blocks())) == "embed"
    if name == "GCN":
        assert {owners["encoder.module.convs.1.lin.weight"], owners["encoder.module.norms.1.module.weight"]} == {
            "layer1"
        }
    torch.testing.assert_close(
        model.eval()(packed()), model(packed()), rtol=0, atol=0
    )  # without dropout in evaluation mode


@pytest.mark.parametrize("name", NETWORKS)
def test_all_methods_run_on_networks_of_pytorch_geometric(lab: Lab, name: str) -> None:
    kwargs = str(NETWORKS[name]).replace("'", "")
    block = next(one for one in encoder(name).blocks() if one not in ("embed", "own"))
    for method in METHODS:
        extra = [f"method.block={block}"] if method == "surgical_ft" else []
        record = lab.done(
            "model=pyg", f"model.module={MODELS}{name}", f"++model.kwargs={kwargs}", "model.width=16",
            f"method={method}", "train.epochs=1", *extra,
        )  # fmt: skip
        assert record.scores.test["rmse"] is not None


def test_a_network_of_a_plug_in_is_trained_kept_and_part_of_the_key(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "gps_net.py").write_text(GPS)
    words = ("model=pyg", "model.module=gps_net.GPS", f"plugins=[{tmp_path / 'gps_net.py'}]", "model.inputs=float")
    job, context = lab.job(*words, "method=surgical_ft", "method.block=layer1")
    assert job.model.code is not None
    model = load_experiment(job, context).model  # type: ignore[attr-defined]
    assert list(model.blocks()) == ["own", "embed", "bond", "layer0", "layer1", "head"]
    before = copy_state(model)
    lab.done(*words, "method=surgical_ft", "method.block=layer1", "run.keep=true")
    kept = lab.store.model_path(job.key)
    assert kept.exists()
    assert model.encoder.per_graph
    assert before.keys() == model.state_dict().keys()


def test_a_shared_dropout_is_active_only_while_a_block_is_trained() -> None:
    model = Predictor(encoder("GIN"), 1)
    model.set_trained(["head"])
    torch.testing.assert_close(model(packed()), model(packed()), rtol=0, atol=0)
    model.set_trained(["layer0", "head"])
    assert not torch.equal(model(packed()), model(packed()))
    model.eval()
    torch.testing.assert_close(model(packed()), model(packed()), rtol=0, atol=0)


def test_a_module_may_take_a_whole_batch_and_return_graphs() -> None:
    found = PyG(f"{__name__}.Whole", inputs="codes")
    assert (found.per_graph, found.dim) == (True, 4)
    batch = packed()
    expected = torch.stack([found.module.table(codes[:, 0]).sum(0) for codes in batch.x.split([3, 1, 9, 6, 15])])
    torch.testing.assert_close(found.represent(batch), expected)
    assert found(batch).out.shape == (34, 4)


def test_blocks_can_be_named_and_pooling_can_have_weights() -> None:
    found = encoder("GIN", blocks={"early": ["convs.0"], "late": ["convs.1", "convs.2"]}, pool="softmax",
                    pool_kwargs={"learn": True})  # fmt: skip
    assert list(found.blocks()) == ["embed", "early", "late", "pool"]
    assert Predictor(found, 1).keys_of_blocks()["encoder.module.convs.2.nn.lins.0.weight"] == "late"


def test_children_with_the_names_of_other_blocks_are_blocks_of_their_own() -> None:
    model = Predictor(PyG(f"{__name__}.Named", width=16), 1)
    renamed = ["module.embed", "module.own", "module.layer0", "module.head", "module.added"]
    assert list(model.blocks()) == ["embed", "own", *renamed, "layer0", "layer1", "head"]
    owners = model.keys_of_blocks()
    assert owners["encoder.module.head.weight"] == "module.head"
    assert owners["encoder.module.scale"] == "own"
    given = PyG(f"{__name__}.Named", width=16, blocks={"head": ["own"], "embed": ["embed"]})
    assert list(given.blocks()) == ["embed", "own", "module.head", "module.embed"]
    assert given.blocks()["own"].state_dict().keys() == {"scale"}


def test_weights_of_a_file_load_by_the_names_of_the_module_or_below_a_prefix(lab: Lab, tmp_path: Path) -> None:
    source = GIN(9, 16, 3)
    words = ("model=pyg", f"model.module={MODELS}GIN", "++model.kwargs={hidden_channels: 16, num_layers: 3}")
    for prefix, other in (("", {}), ("gnn.", {"readout.weight": torch.ones(1)})):
        file = tmp_path / f"weights_{len(prefix)}.pt"
        torch.save({**{f"{prefix}{key}": one for key, one in source.state_dict().items()}, **other}, file)
        job, context = lab.job(*words, "model.inputs=float", f"model.checkpoint={file}", f"model.prefix='{prefix}'")
        loaded = load_experiment(job, context).model.encoder.module.state_dict()  # type: ignore[attr-defined]
        assert all(torch.equal(loaded[key], one) for key, one in source.state_dict().items())


def test_what_cannot_be_an_encoder_is_refused(lab: Lab) -> None:
    with raises_usage(key="model.kwargs"):
        lab.job("model=pyg", f"model.module={MODELS}GIN")
    with raises_usage(key="model.module", got="os.system"):
        lab.job("model=pyg", "model.module=os.system")
    with raises_usage(key="model.module"):
        lab.job("model=pyg", "model.module=torch_geometric.data.Data")
    with raises_usage(key="pool", got="average"):
        encoder("GIN", pool="average")
    with raises_usage(key="blocks", got="convs.9"):
        encoder("GIN", blocks={"late": ["convs.9"]})
    for name in ("Pair", "Flat"):
        with raises_usage(key="module"):
            PyG(f"{__name__}.{name}")
