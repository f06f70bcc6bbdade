"""Blocks, freezing and the head, on the GIN and on an encoder that is not one of ours."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.models.encoder import HEAD, Encoder, Nodes, Predictor, copy_state
from roftbench.models.gin import GIN

SMILES = ["CCO", "C", "c1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "[Na+].[Cl-]", "CC(C)Cc1ccc(cc1)C(C)C(=O)O"]


class Bag(Encoder):
    """Atoms without bonds: an embedding, a layer with a batch norm, and a pooling of its own."""

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim
        self.atoms = nn.Embedding(119, dim)
        self.linear = nn.Linear(dim, dim)
        self.norm = nn.BatchNorm1d(dim)
        self.dropout = nn.Dropout(0.5)

    def blocks(self) -> dict[str, nn.Module]:
        return {"atoms": self.atoms, "mix": nn.ModuleList([self.linear, self.norm, self.dropout])}

    def forward(self, batch: Batch) -> Nodes:
        features = self.linear(self.atoms(batch.x[:, 0]))
        return Nodes(self.dropout(self.norm(features)), features)


class Lost(Bag):
    """The embedding is in no block."""

    def blocks(self) -> dict[str, nn.Module]:
        return {"mix": super().blocks()["mix"]}


class LostBuffer(Bag):
    """A buffer of the encoder itself is in no block."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(1))


class Twice(Bag):
    """The batch norm is in two blocks."""

    def blocks(self) -> dict[str, nn.Module]:
        return {**super().blocks(), "norm": self.norm}


ENCODERS: dict[str, Callable[[], Encoder]] = {"gin": lambda: GIN(3, 8), "bag": Bag}
BLOCKS = [(name, block) for name, build in ENCODERS.items() for block in Predictor(build(), 1).blocks()]


@pytest.fixture
def batch() -> Batch:
    return PackedGraphs.from_graphs(map(smiles_to_graph, SMILES)).batch(torch.arange(len(SMILES)))


def predictor(name: str, num_tasks: int = 2) -> Predictor:
    torch.manual_seed(0)
    return Predictor(ENCODERS[name](), num_tasks)


def train_a_step(model: Predictor, batch: Batch) -> None:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=0.1, weight_decay=0.1)
    model(batch).square().sum().backward()
    optimizer.step()


def changed_blocks(model: Predictor, before: dict[str, Tensor]) -> dict[str, set[str]]:
    """Return, for each block, the keys whose tensors are not bit for bit what they were."""
    found: dict[str, set[str]] = {block: set() for block in model.blocks()}
    for key, block in model.keys_of_blocks().items():
        if not torch.equal(model.state_dict()[key], before[key]):
            found[block].add(key)
    return found


@pytest.mark.parametrize("name", ENCODERS)
def test_logits_are_the_head_of_the_pooled_node_states(name: str, batch: Batch) -> None:
    model = predictor(name, num_tasks=3).eval()
    out = model.encoder(batch).out
    parts = torch.tensor_split(out, batch.node_ptr[1:-1])
    z = torch.stack([part.mean(dim=0) for part in parts])
    torch.testing.assert_close(model.represent(batch), z)
    torch.testing.assert_close(model(batch), z @ model.head.weight.T + model.head.bias)
    assert model(batch).shape == (len(SMILES), 3)


def test_an_encoder_may_pool_in_its_own_way(batch: Batch) -> None:
    class Summed(Bag):
        def readout(self, out: Tensor, batch: Batch) -> Tensor:
            return torch.segment_reduce(out, "sum", offsets=batch.node_ptr, axis=0)

    torch.manual_seed(0)
    summed, mean = Predictor(Summed(), 1).eval(), predictor("bag", 1).eval()
    summed.load_state_dict(mean.state_dict())
    sizes = batch.node_ptr.diff()[:, None]
    torch.testing.assert_close(summed.represent(batch), mean.represent(batch) * sizes)


def test_an_encoder_may_have_a_head_of_its_own(batch: Batch) -> None:
    class Deeper(Bag):
        def make_head(self, num_tasks: int) -> nn.Module:
            return nn.Sequential(nn.Linear(self.dim, 4), nn.ReLU(), nn.Linear(4, num_tasks))

    torch.manual_seed(0)
    model = Predictor(Deeper(), 3)
    assert model(batch).shape == (len(SMILES), 3)
    in_head = {key for key, block in model.keys_of_blocks().items() if block == HEAD}
    assert in_head == {"head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"}
    before = copy_state(model)
    model.set_trained([HEAD])
    train_a_step(model, batch)
    assert changed_blocks(model, before) == {"atoms": set(), "mix": set(), HEAD: in_head}


def test_blocks_are_those_of_the_encoder_and_then_the_head() -> None:
    assert list(predictor("gin").blocks()) == ["embed", "layer0", "layer1", "layer2", HEAD]
    assert list(predictor("bag").blocks()) == ["atoms", "mix", HEAD]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_key_belongs_to_exactly_one_block(name: str) -> None:
    model = predictor(name)
    keys = model.keys_of_blocks()
    assert list(keys) == list(model.state_dict())
    assert set(keys.values()) == set(model.blocks())
    for block, module in model.blocks().items():
        assert sum(owner == block for owner in keys.values()) == len(module.state_dict())


def test_keys_of_the_gin_by_block() -> None:
    keys = predictor("gin").keys_of_blocks()
    assert keys["encoder.x_embedding2.weight"] == "embed"
    assert keys["encoder.gnns.1.edge_embedding1.weight"] == "layer1"
    assert keys["encoder.batch_norms.2.running_var"] == "layer2"
    assert keys["head.bias"] == HEAD


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Lost, r"in no block of Lost: encoder\.atoms\.weight$"),
        (LostBuffer, r"in no block of LostBuffer: encoder\.scale$"),
        (Twice, "in two blocks: mix and norm"),
    ],
)
def test_an_encoder_whose_blocks_do_not_fit_is_refused(encoder: Callable[[], Encoder], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Predictor(encoder(), 1).keys_of_blocks()


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_what_is_frozen_stays_bit_for_bit(name: str, block: str, batch: Batch) -> None:
    model = predictor(name)
    model.train()  # the mode it may come in
    model.set_trained([block])
    before = copy_state(model)
    train_a_step(model, batch)
    changed = changed_blocks(model, before)
    assert {part for part, keys in changed.items() if keys} == {block}
    assert changed[block] == {key for key, owner in model.keys_of_blocks().items() if owner == block}
    gradients = {key for key, parameter in model.named_parameters() if parameter.grad is not None}
    assert gradients == {key for key, parameter in model.named_parameters() if model.keys_of_blocks()[key] == block}


@pytest.mark.parametrize("name", ENCODERS)
def test_frozen_in_train_mode_keeps_weights_and_moves_running_statistics(name: str, batch: Batch) -> None:
    model = predictor(name)
    model.set_trained([HEAD], frozen_mode="train")
    before = copy_state(model)
    train_a_step(model, batch)
    changed = changed_blocks(model, before)
    assert changed.pop(HEAD) == {"head.weight", "head.bias"}
    statistics = {key for key in before if key.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert set.union(*changed.values()) == statistics
    assert len(statistics) == (9 if name == "gin" else 3)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_frozen_encoder_has_no_dropout(name: str, batch: Batch) -> None:
    model = predictor(name)
    model.set_trained([HEAD])
    frozen = model.represent(batch)
    assert torch.equal(frozen, model.represent(batch))
    model.eval()
    assert torch.equal(frozen, model.represent(batch))
    model.set_trained([HEAD], frozen_mode="train")
    assert not torch.equal(model.represent(batch), model.represent(batch))


@pytest.mark.parametrize("name", ENCODERS)
def test_dropout_follows_the_block_that_is_trained(name: str, batch: Batch) -> None:
    model = predictor(name)
    for block in model.encoder.blocks():
        model.set_trained([block])
        silent = block in ("embed", "atoms")  # no dropout of its own
        assert torch.equal(model.represent(batch), model.represent(batch)) == silent, block


@pytest.mark.parametrize("name", ENCODERS)
def test_blocks_can_be_thawed_again(name: str, batch: Batch) -> None:
    model = predictor(name)
    model.set_trained([HEAD])
    model.eval()
    model.set_trained(model.blocks())
    assert all(parameter.requires_grad for parameter in model.parameters())
    before = copy_state(model)
    train_a_step(model, batch)
    assert {block for block, keys in changed_blocks(model, before).items() if keys} == set(model.blocks())


def test_a_copied_state_is_out_of_reach_of_training(batch: Batch) -> None:
    model = predictor("gin")
    state = copy_state(model)
    assert list(state) == list(model.state_dict())
    kept = {key: tensor.tolist() for key, tensor in state.items()}
    train_a_step(model, batch)
    assert {key: tensor.tolist() for key, tensor in state.items()} == kept
    assert not any(tensor.requires_grad for tensor in state.values())
    moved = model.eval()(batch)
    model.load_state_dict(state)
    assert not torch.equal(model(batch), moved)
    train_a_step(model, batch)  # loading copies too
    assert {key: tensor.tolist() for key, tensor in state.items()} == kept
