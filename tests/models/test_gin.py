"""The GIN against the reference numbers of ESOL and against PyTorch Geometric."""

import random
import warnings
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from encoders import randomized
from graphs import SMILES, batch_of
from rdkit import Chem
from torch import Tensor, nn
from torch.func import functional_call

from roftbench.data.color_refinement import whole_hop
from roftbench.data.packed import Batch
from roftbench.metrics import masked_loss
from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN, GINLayer

# --- Golden numbers: two random predictors on rows 0-31 of ESOL in one batch


@pytest.fixture(scope="module")
def batch(esol32: dict[str, Any]) -> Batch:
    return batch_of(esol32["meta"]["smiles"])


@pytest.fixture(scope="module")
def y(esol32: dict[str, Any]) -> Tensor:
    return torch.tensor(esol32["meta"]["y"], dtype=torch.float64)[:, None]


@pytest.fixture(scope="module")
def predictor(shared: Path) -> Callable[..., Predictor]:
    @cache
    def state(which: str) -> dict[str, Tensor]:
        tensors = torch.load(shared / "golden" / f"gin_state_{which}.pt", weights_only=True)
        names = ((key.partition("."), tensor) for key, tensor in tensors.items())
        return {f"{OURS[part]}.{key}": tensor for (part, _, key), tensor in names}

    def build(which: str, dtype: torch.dtype = torch.float32, dropout: float = 0.0) -> Predictor:
        model = Predictor(GIN(dropout=dropout), 1)
        model.load_state_dict(state(which))
        return model.to(dtype)

    return build


OURS = {"gnn": "encoder", "graph_pred_linear": "head"}  # first part of a key
EXACT = {torch.float32: ("", 1e-4), torch.float64: ("_f64", 1e-10)}  # suffix in the file, tolerance
both_dtypes = pytest.mark.parametrize("dtype", EXACT, ids=["float32", "float64"])
both_states = pytest.mark.parametrize("which", ["a", "b"])


def assert_near(tensor: Tensor, expected: Any, tolerance: float) -> None:
    wanted = torch.tensor(expected, dtype=tensor.dtype)
    torch.testing.assert_close(tensor.detach(), wanted, rtol=tolerance, atol=tolerance)


def test_the_batch_is_the_one_of_the_reference(esol32: dict[str, Any], batch: Batch) -> None:
    assert len(batch.x) == esol32["meta"]["num_nodes"]
    assert batch.edge_index.shape[1] == esol32["meta"]["num_edges"]


def test_number_of_parameters(esol32: dict[str, Any]) -> None:
    assert sum(parameter.numel() for parameter in Predictor(GIN(), 1).parameters()) == esol32["meta"]["n_params"]


@both_dtypes
@both_states
def test_golden_predictions_in_eval_mode(
    esol32: dict[str, Any], batch: Batch, y: Tensor, predictor: Callable[..., Predictor], which: str, dtype: torch.dtype
) -> None:
    suffix, tolerance = EXACT[dtype]
    expected, model = esol32[f"eval_{which}"], predictor(which, dtype, dropout=0.5).eval()
    outputs = model(batch)
    assert_near(outputs[:, 0], expected[f"pred{suffix}"], tolerance)
    assert_near(masked_loss("rmse")(outputs, y), expected["rmse"], 1e-4)


@pytest.mark.parametrize("mode", ["eval", "train_dropout0"])
@both_states
def test_golden_node_states_and_pooled_sums(
    esol32: dict[str, Any], batch: Batch, predictor: Callable[..., Predictor], which: str, mode: str
) -> None:
    expected, model = esol32[f"{mode}_{which}"], predictor(which).train(mode != "eval")
    out = model.encoder(batch).out
    z = model.encoder.readout(out, batch)
    assert list(out.shape) == expected["node_repr_shape"]
    assert list(z.shape) == expected["pooled_shape"]
    assert_near(out.mean(), expected["node_repr_mean"], 1e-4)
    assert_near(out.square().sum(), expected["node_repr_sumsq"], 1e-4)
    assert_near(out[0, :5], expected["node_repr_first_node_first5"], 1e-4)
    assert_near(out.mean(dim=0)[:5], expected["node_repr_mean_per_dim_first5"], 1e-4)
    assert_near(z.mean(), expected["pooled_mean"], 1e-4)
    assert_near(z.square().sum(), expected["pooled_sumsq"], 1e-4)


@both_dtypes
@both_states
def test_golden_training_pass(
    esol32: dict[str, Any], batch: Batch, y: Tensor, predictor: Callable[..., Predictor], which: str, dtype: torch.dtype
) -> None:
    suffix, tolerance = EXACT[dtype]
    expected, model = esol32[f"train_dropout0_{which}"], predictor(which, dtype).train()
    outputs = model(batch)
    loss = masked_loss("rmse")(outputs, y.to(dtype))
    assert_near(outputs[:, 0], expected[f"pred{suffix}"], tolerance)
    assert_near(loss, expected[f"rmse_loss{suffix}"], tolerance)
    for i, norm in enumerate(model.encoder.batch_norms):
        assert_near(norm.running_mean.sum(), expected["bn_running_mean_sum_after_1_step"][i], 1e-4)
        assert_near(norm.running_var.sum(), expected["bn_running_var_sum_after_1_step"][i], 1e-4)

    loss.backward()
    norms = expected[f"grad_norm{suffix}"]
    # In float32 a ReLU's input that is nearly zero may fall on either side: the reference's own two columns differ by
    # up to 6e-4. In float64 none does.
    tolerance = 2e-3 if dtype == torch.float32 else 1e-9
    parameters = dict(model.named_parameters())
    assert len(parameters) == len(norms)
    for key, norm in norms.items():
        part, _, rest = key.partition(".")
        found = parameters[f"{OURS[part]}.{rest}"].grad.norm().item()
        assert found == pytest.approx(norm, rel=tolerance, abs=1e-5 if dtype == torch.float32 else 1e-12), key


def test_golden_features_are_those_before_the_last_batch_norm(
    esol32: dict[str, Any], batch: Batch, predictor: Callable[..., Predictor]
) -> None:
    a, b = (predictor(which).eval().encoder(batch).features for which in "ab")
    expected = esol32["regularisers"]
    assert list(a.shape) == expected["feature_shape"]
    assert_near((a - b).square().sum() / 2, expected["BehavioralRegularization_source_b_eval_target_eval"], 1e-4)


def test_golden_adam_step(esol32: dict[str, Any], batch: Batch, y: Tensor, predictor: Callable[..., Predictor]) -> None:
    """One step of lr 1e-3 from state a, then predictions in eval mode.

    The biases before a batch norm have no gradient: what the reference computes for them in float32 is rounding noise,
    of which Adam's first step makes ±lr, whatever its size. So the reference is one draw of those 1500 signs; the
    tolerance is what other draws give.
    """

    def after_a_step(seed: int) -> Tensor:
        model = predictor("a", torch.float64).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        masked_loss("rmse")(model(batch), y).backward()
        rng = torch.Generator().manual_seed(seed)
        for layer in model.encoder.gnns:
            assert layer.mlp[2].bias.grad.norm() < 1e-10
            layer.mlp[2].bias.grad = torch.randn(300, generator=rng, dtype=torch.float64)
        optimizer.step()
        with torch.no_grad():
            return model.eval()(batch)[:, 0]

    draws = torch.stack([after_a_step(seed) for seed in range(6)])
    expected = esol32["after_one_adam_step_a_eval"]
    reference = torch.tensor(expected["pred"], dtype=torch.float64)
    before = torch.tensor(esol32["eval_a"]["pred"], dtype=torch.float64)
    noise = (draws - draws.mean(0)).abs().max()
    assert (reference - draws.mean(0)).abs().max() < 1.5 * noise
    assert noise < 0.1 * (reference - before).abs().max()  # the step itself is far larger
    assert (draws.mean(0) - y[:, 0]).square().mean().sqrt().item() == pytest.approx(expected["rmse"], abs=0.01)


# --- PyTorch Geometric


def reference_gin(num_layers: int, dim: int) -> nn.Module:
    """Return the network of Hu et al. with an embedding for each bond, under the same key names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch_geometric's import calls deprecated parts of torch
        from torch_geometric.nn import MessagePassing, global_mean_pool
        from torch_geometric.utils import add_self_loops

    class Layer(MessagePassing):
        def __init__(self) -> None:
            super().__init__(aggr="add")
            self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
            self.edge_embedding1 = nn.Embedding(6, dim)
            self.edge_embedding2 = nn.Embedding(3, dim)

        def forward(self, h: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
            edge_index, _ = add_self_loops(edge_index, num_nodes=len(h))
            loops = torch.tensor([[4, 0]]).expand(len(h), 2)
            attr = torch.cat([edge_attr, loops])
            return self.propagate(
                edge_index, h=h, bond=self.edge_embedding1(attr[:, 0]) + self.edge_embedding2(attr[:, 1])
            )

        def message(self, h_j: Tensor, bond: Tensor) -> Tensor:
            return h_j + bond

        def update(self, aggr_out: Tensor) -> Tensor:
            return self.mlp(aggr_out)

    class Reference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x_embedding1, self.x_embedding2 = nn.Embedding(120, dim), nn.Embedding(3, dim)
            self.gnns = nn.ModuleList(Layer() for _ in range(num_layers))
            self.batch_norms = nn.ModuleList(nn.BatchNorm1d(dim) for _ in range(num_layers))

        def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
            h = self.x_embedding1(batch.x[:, 0]) + self.x_embedding2(batch.x[:, 1])
            features = h
            for i, (conv, norm) in enumerate(zip(self.gnns, self.batch_norms, strict=True)):
                features = conv(h, batch.edge_index, batch.edge_attr)
                h = norm(features) if i == num_layers - 1 else F.relu(norm(features))
            graph_of_node = torch.repeat_interleave(torch.arange(batch.num_graphs), batch.node_ptr.diff())
            return h, features, global_mean_pool(h, graph_of_node)

    return Reference()


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize(("num_layers", "dim"), [(1, 8), (3, 16)])
def test_equal_to_pytorch_geometric(num_layers: int, dim: int, mode: str) -> None:
    ours = randomized(GIN(num_layers, dim, dropout=0.0).double()).train(mode == "train")
    theirs = reference_gin(num_layers, dim).double().train(mode == "train")
    theirs.load_state_dict(ours.state_dict())
    batch = batch_of(SMILES)
    nodes, (out, features, z) = ours(batch), theirs(batch)
    torch.testing.assert_close(nodes.out, out)
    torch.testing.assert_close(nodes.features, features)
    torch.testing.assert_close(ours.readout(nodes.out, batch), z)

    weight = torch.randn(z.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (ours.readout(nodes.out, batch) * weight).sum().backward()
    (z * weight).sum().backward()
    for (key, left), (_, right) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert right.grad.abs().max() > 0 or (mode == "train" and key.endswith("mlp.2.bias")), key
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-7, atol=1e-10, msg=lambda text, key=key: key + text)
    for (key, left), right in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(left, right, msg=lambda text, key=key: key + text)  # running statistics


# --- What must hold without a reference


def test_keys_and_shapes_are_those_of_the_public_checkpoints() -> None:
    expected = {"x_embedding1.weight": (120, 300), "x_embedding2.weight": (3, 300)}
    for i in range(5):
        expected |= {
            f"gnns.{i}.mlp.0.weight": (600, 300),
            f"gnns.{i}.mlp.0.bias": (600,),
            f"gnns.{i}.mlp.2.weight": (300, 600),
            f"gnns.{i}.mlp.2.bias": (300,),
            f"gnns.{i}.edge_embedding1.weight": (6, 300),
            f"gnns.{i}.edge_embedding2.weight": (3, 300),
            f"batch_norms.{i}.weight": (300,),
            f"batch_norms.{i}.bias": (300,),
            f"batch_norms.{i}.running_mean": (300,),
            f"batch_norms.{i}.running_var": (300,),
            f"batch_norms.{i}.num_batches_tracked": (),
        }
    assert {key: tuple(tensor.shape) for key, tensor in GIN().state_dict().items()} == expected


def test_keys_other_than_the_convolutions_are_those_of_the_shared_checkpoints(shared: Path) -> None:
    public = torch.load(shared / "checkpoints" / "gcn_contextpred.pth", map_location="cpu", weights_only=True)
    theirs = {key: tensor.shape for key, tensor in public.items() if ".linear." not in key}
    ours = {key: tensor.shape for key, tensor in GIN().state_dict().items() if ".mlp." not in key}
    assert ours == theirs


def test_a_single_atom_hears_only_its_self_loop() -> None:
    encoder, batch = randomized(GIN(1, 8).double()).eval(), batch_of(["[Cl-]"])
    layer = encoder.gnns[0]
    h = encoder.x_embedding1.weight[16] + encoder.x_embedding2.weight[0]
    features = layer.mlp(h + layer.edge_embedding1.weight[4] + layer.edge_embedding2.weight[0])
    nodes = encoder(batch)
    torch.testing.assert_close(nodes.features, features[None])
    torch.testing.assert_close(nodes.out, encoder.batch_norms[0](features[None]))
    torch.testing.assert_close(encoder.readout(nodes.out, batch), nodes.out)


def test_single_atoms_can_be_trained_on() -> None:
    model, batch = Predictor(GIN(2, 8), 1), batch_of(["C", "O", "[Na+]"])
    model(batch).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


def test_in_eval_mode_a_graph_does_not_see_its_batch() -> None:
    model = Predictor(randomized(GIN(3, 16).double()), 2).double().eval()
    together = model(batch_of(SMILES))
    alone = torch.cat([model(batch_of([smiles])) for smiles in SMILES])
    torch.testing.assert_close(together, alone)


def test_the_order_of_the_atoms_does_not_matter() -> None:
    encoder = randomized(GIN(3, 16).double()).eval()
    molecule = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
    order = list(range(molecule.GetNumAtoms()))
    random.Random(0).shuffle(order)
    batch = batch_of(
        [Chem.MolToSmiles(molecule), Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False)]
    )
    assert batch.x[:13].tolist() != batch.x[13:].tolist()
    first, second = encoder.readout(encoder(batch).out, batch)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize(("left", "right"), [("C[C@H](N)O", "C[C@@H](N)O"), ("F/C=C/F", "F/C=C\\F"), ("C=C", "CC")])
def test_every_kind_of_index_reaches_the_output(left: str, right: str) -> None:
    encoder, batch = randomized(GIN(2, 16).double()).eval(), batch_of([left, right])
    first, second = encoder.readout(encoder(batch).out, batch)
    assert (first - second).abs().max() > 1e-3


def test_dropout_is_active_in_training_only() -> None:
    encoder, batch = GIN(2, 16, dropout=0.5), batch_of(SMILES)
    torch.manual_seed(0)
    first, second = encoder(batch).out, encoder(batch).out
    assert not torch.equal(first, second)
    assert 0.4 < (first == 0).float().mean() < 0.6  # the last layer has no ReLU: these zeros are dropout's
    encoder.eval()
    assert torch.equal(encoder(batch).out, encoder(batch).out)
    assert (encoder(batch).out < 0).any()


def test_blocks_cover_every_tensor_exactly_once_and_in_order() -> None:
    encoder = GIN(4, 8)
    blocks = encoder.blocks()
    assert list(blocks) == ["embed", "layer0", "layer1", "layer2", "layer3"]
    owned = [id(tensor) for block in blocks.values() for tensor in block.state_dict(keep_vars=True).values()]
    assert len(owned) == len(set(owned))
    assert set(owned) == {id(tensor) for tensor in encoder.state_dict(keep_vars=True).values()}
    for i, (before, after) in enumerate(pairwise(list(blocks.values())[1:])):
        assert [id(module) for module in (*before, *after)] == [
            id(module) for j in (i, i + 1) for module in (encoder.gnns[j], encoder.batch_norms[j])
        ]


@pytest.mark.parametrize("sizes", [{"num_layers": 0}, {"dim": 0}, {"dropout": 1.0}, {"dropout": -0.1}], ids=str)
def test_impossible_sizes(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="num_layers ≥ 1, dim ≥ 1, 0 ≤ dropout < 1; got"):
        GIN(**sizes)


@pytest.mark.parametrize("frozen", [[], ["mlp.0.weight", "mlp.0.bias"], ["mlp.2.weight", "edge_embedding1.weight"]])
def test_gradients_of_a_layer_whatever_is_frozen(frozen: list[str]) -> None:
    """Our own functions against finite differences and against the plain composition of torch's."""
    torch.manual_seed(0)
    layer = GINLayer(6).double()
    for name in frozen:
        layer.get_parameter(name).requires_grad_(False)
    batch = batch_of(["CC(=O)Nc1ccccc1", "C"])
    hop = whole_hop(batch.edge_index, batch.edge_attr, batch.edge_ptr)
    counts = layer.count(hop, torch.float64)
    trained = {name: p for name, p in layer.named_parameters() if p.requires_grad}
    h = torch.randn(len(batch.x), 6, dtype=torch.float64, requires_grad=True)

    def forward(h: Tensor, *values: Tensor) -> Tensor:
        out: Tensor = functional_call(layer, dict(zip(trained, values, strict=True)), (h, hop, counts))
        return out

    assert torch.autograd.gradcheck(forward, (h, *trained.values()))
    layer(h, hop, counts).square().sum().backward()
    assert all((p.grad is None) == (name in frozen) for name, p in layer.named_parameters())
