"""Methods that add modules to the network: their functions against plain loops, what they train, and what is saved."""

from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from encoders import SMALL, batch_for
from lab import Lab, moved, numbers
from torch import Tensor, nn

import roftbench
from roftbench.data.packed import Batch
from roftbench.errors import SkipJob
from roftbench.methods.adapter import AdapterTuning, Bottleneck
from roftbench.methods.base import Method
from roftbench.methods.gpf import GPF
from roftbench.methods.gpf_plus import GPFPlus
from roftbench.methods.lora import LoRA
from roftbench.models.encoder import ADDED, HEAD, Encoder, Nodes, Predictor
from roftbench.models.gin import GIN
from roftbench.models.pyg import PyG
from roftbench.runner.modes import chosen_parameters
from roftbench.runner.network import extended
from roftbench.store.record_schema import Record

NAMES = ["adapter", "gpf", "gpf_plus", "lora"]
METHODS: dict[str, Method] = {
    "adapter": AdapterTuning(rank=3), "gpf": GPF(), "gpf_plus": GPFPlus(prompts=3), "lora": LoRA(rank=3),
}  # fmt: skip
ENCODERS = {
    **SMALL,
    "pyg GIN": lambda: PyG("torch_geometric.nn.models.GIN", {"hidden_channels": 8, "num_layers": 2, "norm": "batch"}),
    "pyg GCN": lambda: PyG("torch_geometric.nn.models.GCN", {"hidden_channels": 8, "num_layers": 2}),
}


def network(encoder: Encoder, method: Method, *, moves: bool = True) -> tuple[Predictor, Predictor]:
    """Return a network in evaluation mode, and the same with a method's modules, random ones if it moves."""
    torch.manual_seed(1)
    plain = Predictor(encoder, 1)
    more = extended(plain, method)
    if moves:
        for tensor in more.added.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) - 0.3).abs_()
    return plain.eval(), more.eval()


def layers_of_gin(model: Predictor, batch: Batch, before: Any, beside: Any) -> Tensor:
    """Return the node states of a GIN by a loop over bonds: `before` maps atoms, `beside` adds to each layer's norm."""
    gin: Any = model.encoder
    h = before(gin.x_embedding1(batch.x[:, 0]) + gin.x_embedding2(batch.x[:, 1]))
    for i, (layer, norm) in enumerate(zip(gin.gnns, gin.batch_norms, strict=True)):
        a = h + layer.edge_embedding1.weight[4] + layer.edge_embedding2.weight[0]
        for (sender, receiver), (kind, direction) in zip(batch.edge_index.T, batch.edge_attr, strict=True):
            if sender != receiver:
                a[receiver] += h[sender] + layer.edge_embedding1.weight[kind] + layer.edge_embedding2.weight[direction]
        new = F.relu(a @ layer.mlp[0].weight.T + layer.mlp[0].bias) @ layer.mlp[2].weight.T + layer.mlp[2].bias
        new = F.batch_norm(new, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        new = new + beside(i, h, a)
        h = F.relu(new) if i + 1 < len(gin.gnns) else new
    return h


def bottleneck(model: Any, x: Tensor) -> Tensor:
    """Return the plain definition, on a module whose statistics move in training as those of `model`."""
    return model.norm(model.up(F.relu(model.down(x))))


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("method", ["adapter", "lora"])
@pytest.mark.parametrize("training", [False, True])
def test_the_network_is_the_pretrained_one_bit_for_bit_at_the_start(name: str, method: str, training: bool) -> None:
    plain, more = network(ENCODERS[name](), METHODS[method], moves=False)
    batch = batch_for(plain.encoder)
    found = []
    for model in (plain, more):
        torch.manual_seed(2)  # of dropout
        found.append(model.train(training).encoder(batch))
    assert torch.equal(found[0].out, found[1].out)
    assert torch.equal(found[0].features, found[1].features)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("method", NAMES)
def test_modules_change_the_network_and_all_of_them_learn(name: str, method: str) -> None:
    plain, more = network(ENCODERS[name](), METHODS[method])
    batch = batch_for(plain.encoder)
    assert not torch.allclose(plain(batch), more(batch))
    more.train()(batch).square().sum().backward()
    assert all(one.grad is not None for one in more.added.parameters())
    assert set(more.blocks()) - set(plain.blocks()) == {ADDED}


def test_adapters_add_to_a_layer_what_their_definition_says() -> None:
    _, more = network(GIN(2, 8), METHODS["adapter"])
    batch = batch_for(more.encoder)

    def beside(i: int, h: Tensor, a: Tensor) -> Tensor:
        own: Any = more.added[f"layer{i}"]
        return own.scale[0] * bottleneck(own.before, h) + own.scale[1] * bottleneck(own.after, a)

    with torch.no_grad():
        expected = layers_of_gin(more, batch, lambda h: h, beside)
        torch.testing.assert_close(more.encoder(batch).out, expected, rtol=1e-4, atol=1e-5)


def test_the_norm_of_an_adapter_is_that_of_torch_in_training_too() -> None:
    torch.manual_seed(0)
    own = Bottleneck(6, 3, 5)
    for one in own.parameters():
        nn.init.normal_(one)
    other, x = deepcopy(own), torch.randn(40, 6)
    for _ in range(3):
        low, weight, bias = own(x)
        found, expected = low @ weight.T + bias, bottleneck(other, x)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        towards = torch.randn_like(found)
        for result in (found, expected):
            (result * towards).sum().backward()
    for (name, left), right in zip(own.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-3, atol=1e-3, msg=name)
    torch.testing.assert_close(own.state_dict(), other.state_dict(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["gpf", "gpf_plus"])
def test_prompts_are_added_to_the_embedded_atoms(method: str) -> None:
    _, more = network(GIN(2, 8), METHODS[method])
    state, batch = more.added.state_dict(), batch_for(more.encoder)

    def before(h: Tensor) -> Tensor:
        p = state["prompt.p"]
        if method == "gpf":
            return h + p
        return h + torch.softmax(h @ state["prompt.scores.weight"].T + state["prompt.scores.bias"], 1) @ p

    with torch.no_grad():
        expected = layers_of_gin(more, batch, before, lambda i, h, a: 0)
        torch.testing.assert_close(more.encoder(batch).out, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["gin", "gcn", "graphsage", "gat", "minimol", "pyg GIN"])
def test_lora_is_the_network_with_its_products_added_to_the_matrices(name: str) -> None:
    plain, more = network(ENCODERS[name](), LoRA(rank=3, scale=0.5))
    merged = plain.state_dict()
    products = [(one.b @ one.a).detach() for one in more.added.values()]
    parametrized = [key for key in more.state_dict() if key.endswith("parametrizations.weight.original")]
    assert len(parametrized) == len(products) > 0
    for key, product in zip(parametrized, products, strict=True):
        merged[key.replace("parametrizations.weight.original", "weight")] += 0.5 * product
    plain.load_state_dict(merged)
    batch = batch_for(plain.encoder)
    torch.testing.assert_close(more(batch), plain(batch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "count"), [("adapter", 106_961), ("lora", 72_301), ("gpf", 601), ("gpf_plus", 6_311)]
)
def test_numbers_of_trained_parameters_are_those_of_the_papers(method: str, count: int) -> None:
    """AdapterGNN: 0.107 M, 5.7 % of a GIN; LoRA of rank 8: 72,000 (beside the head)."""
    own = {"adapter": AdapterTuning(), "lora": LoRA(), "gpf": GPF(), "gpf_plus": GPFPlus()}[method]
    model = extended(Predictor(GIN(), 1), own)
    [stage] = own.stages()
    chosen = chosen_parameters(model, stage.blocks or list(model.blocks()), stage)
    assert sum(one.numel() for one in chosen.values()) == count


@pytest.mark.parametrize("model", ["tiny_gin", "gcn", "gat"])
@pytest.mark.parametrize("method", NAMES)
def test_a_job_trains_its_modules_and_the_head_alone(lab: Lab, model: str, method: str) -> None:
    small = () if model == "tiny_gin" else ("model.checkpoint=null", "model.num_layers=2", "model.dim=16")
    experiment = lab.experiment(f"method={method}", f"model={model}", *small, "train.lr=0.01")
    experiment.work()
    changed = moved(experiment.start.state, experiment.chosen.state)
    parameters = {name for name, _ in experiment.model.named_parameters()}
    block_of = experiment.model.keys_of_blocks()
    if method == "adapter":
        assert {key for key in changed & parameters if block_of[key] not in (ADDED, HEAD)} == {
            key for key in parameters if key.startswith("encoder.") and ("norm" in key or key.endswith(".bias"))
        }
        assert {key for key in changed - parameters if key.startswith("encoder.")} == {
            key for key in block_of if key.startswith("encoder.") and key not in parameters
        }  # running statistics
    else:
        assert {block_of[key] for key in changed} == {ADDED, HEAD}
        assert {key for key in parameters if block_of[key] == ADDED} <= changed


@pytest.mark.parametrize("method", NAMES)
def test_states_that_atoms_share_give_the_numbers_of_each_atom(lab: Lab, method: str) -> None:
    experiment = lab.experiment(f"method={method}", "train.lr=0.05")
    experiment.work()
    index = experiment.objective.test[:40]
    found = experiment.predict(experiment.chosen, index)[:, 0]
    with torch.no_grad():
        plain = experiment.model(experiment.objective.graphs.batch(index))
    assert found == pytest.approx(plain[:, 0].numpy(), abs=1e-4)


@pytest.mark.parametrize("method", NAMES)
def test_a_stored_stage_gives_the_same_numbers(lab: Lab, method: str) -> None:
    first = lab.done(f"method={method}")
    path = lab.store.record_path(first.key)
    path.unlink()
    again = lab.done(f"method={method}")
    assert [name for name in again.seconds if "reused" in name] == ["ft (reused)"]
    assert numbers(again) == numbers(first)
    assert numbers(lab.elsewhere("anew").done(f"method={method}")) == numbers(first)


def test_a_saved_model_has_the_modules_of_the_chosen_candidate(lab: Lab) -> None:
    search = ("method=lora", "method.rank=1", "method.search=true", "train.lr=0.01", "run.keep=true")
    record = lab.done(*search)
    ranks = {one.params["rank"]: one.val["rmse"] for one in record.candidates}
    assert list(ranks) == [2, 8, 32]
    assert record.chosen["rank"] == min(ranks, key=lambda rank: ranks[rank]) != record.job["method"]["params"]["rank"]
    model = roftbench.load(lab.store.model_path(record.key), device="cpu")
    experiment = lab.experiment("method=lora")
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    expected = [row[0] for row in record.test_predictions.prediction]
    assert model.predict(smiles).iloc[:, 1].to_numpy() == pytest.approx(expected, abs=1e-4)


def test_a_head_of_two_layers_is_trained_and_saved(lab: Lab) -> None:
    record = lab.done("method=gpf", "method.head=mlp", "run.keep=true")
    model = roftbench.load(lab.store.model_path(record.key), device="cpu")
    head: nn.Module = model.members[0].models[0].head  # type: ignore[attr-defined]
    assert {key: tuple(one.shape) for key, one in head.state_dict().items()} == {
        "0.weight": (16, 16), "0.bias": (16,), "2.weight": (1, 16), "2.bias": (1,),
    }  # fmt: skip
    assert record.scores != lab.done("method=gpf").scores


@pytest.mark.parametrize("method", ["adapter", "gpf", "gpf_plus"])
def test_an_encoder_that_names_no_layers_is_skipped_with_the_reason(lab: Lab, method: str) -> None:
    outcome = lab.run(f"method={method}", "model=graphgps", "model.checkpoint=null", "model.num_layers=1")
    assert outcome.status == "skipped", outcome.record
    assert "GraphGPS names no layers" in outcome.record.error


class Tables(Encoder):
    """An encoder without a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.atoms = 4, nn.Embedding(120, 4)

    def blocks(self) -> dict[str, nn.Module]:
        return {"atoms": self.atoms}

    def forward(self, batch: Batch) -> Nodes:
        h = self.atoms(batch.x[:, 0])
        return Nodes(h, h)


def test_lora_needs_a_matrix() -> None:
    with pytest.raises(SkipJob, match="no matrix"):
        extended(Predictor(Tables(), 1), LoRA())


def test_jobs_of_other_modules_have_other_stages(lab: Lab) -> None:
    records: list[Record] = [lab.done("method=lora", f"method.rank={rank}") for rank in (2, 3)]
    assert len(lab.stages()) == 2
    assert records[0].scores != records[1].scores
