"""What the tests of the encoders with graphs and files of their own share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from lab import Lab, molecules, write_csv
from refusals import raises_usage
from torch import Tensor, nn

from roftbench.config.featurizers import graph_kind
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.encoder import HEAD, Encoder, Predictor, copy_state
from roftbench.models.gat import GAT
from roftbench.models.gcn import GCN
from roftbench.models.gin import GIN
from roftbench.models.graphium import Graphium
from roftbench.models.graphsage import GraphSAGE
from roftbench.models.minimol import MiniMol
from roftbench.store.record_schema import Record

SMILES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "[Na+]",
    "C",
    "F/C=C\\Cl",
    "[Na+].[Cl-]",
    "C[C@H](N)C(=O)O.[K+]",
    "c1ccc2ccccc2c1",
]

State = dict[str, Tensor]
Module = TypeVar("Module", bound=nn.Module)
SMALL: dict[str, Callable[[], Encoder]] = {
    "gin": lambda: GIN(2, 8),
    "gcn": lambda: GCN(2, 8),
    "graphsage": lambda: GraphSAGE(2, 8),
    "gat": lambda: GAT(2, 8),
    "minimol": lambda: MiniMol(num_layers=2, dim=8, hidden=8, node_dim=8, edge_dim=8),
    "graphium": lambda: Graphium(num_layers=2, dim=8, hidden=8, node_dim=8),
}


def batch_for(encoder: Encoder, smiles: Sequence[str] = SMILES) -> Batch:
    """Return molecules as the graphs that an encoder reads, in one batch."""
    graphs = PackedGraphs.from_chunks([graph_kind(encoder.featurizer).pack(smiles)])
    return graphs.batch(torch.arange(len(smiles)))


def embed(encoder: Encoder, smiles: Sequence[str] = SMILES) -> Tensor:
    """Return graph representations, [B, d], without gradient."""
    batch = batch_for(encoder, smiles)
    with torch.no_grad():
        return encoder.readout(encoder(batch).out, batch)


def random_state(shapes: Mapping[str, tuple[int, ...]]) -> State:
    """Return tensors of these shapes that keep a deep network's numbers in bounds; variances are positive."""
    torch.manual_seed(0)
    found: State = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            found[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            found[key] = torch.rand(shape) + 0.5
        else:
            found[key] = torch.randn(shape) * (shape[-1] ** -0.5 if len(shape) > 1 else 0.3)
    return found


def randomized(module: Module) -> Module:
    """Return a module with every tensor drawn anew, batch-norm statistics included."""
    rng = torch.Generator().manual_seed(0)
    for key, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=rng, dtype=tensor.dtype)
            tensor.copy_(noise.abs() + 0.5 if key.endswith("running_var") else 0.3 * noise)
    return module


def linear_shapes(name: str, in_dim: int, out_dim: int) -> dict[str, tuple[int, ...]]:
    """Return keys and shapes of a linear layer."""
    return {f"{name}.weight": (out_dim, in_dim), f"{name}.bias": (out_dim,)}


def norm_shapes(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    """Return keys and shapes of a batch norm."""
    parts = {f"{name}.{part}": (dim,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**parts, f"{name}.num_batches_tracked": ()}


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def batch_norm(state: State, name: str, x: Tensor) -> Tensor:
    scale = state[f"{name}.weight"] / (state[f"{name}.running_var"] + 1e-5).sqrt()
    return (x - state[f"{name}.running_mean"]) * scale + state[f"{name}.bias"]


def check_an_encoder_like_any_other(encoder: Encoder, num_layers: int) -> None:
    """What every encoder must do, apart from its numbers."""
    check_every_tensor_is_in_one_block(encoder, num_layers)
    check_batch_companions_do_not_matter(encoder)
    check_graphs_without_edges(encoder)
    check_the_same_bits_every_time(encoder)


def check_every_tensor_is_in_one_block(encoder: Encoder, num_layers: int) -> None:
    model = Predictor(encoder, 2)
    assert list(model.blocks()) == ["embed", *(f"layer{i}" for i in range(num_layers)), HEAD]
    assert list(model.keys_of_blocks()) == list(model.state_dict())


def check_batch_companions_do_not_matter(encoder: Encoder, smiles: Sequence[str] = SMILES) -> None:
    encoder.eval()
    together = embed(encoder, smiles)
    for i, text in enumerate(smiles):
        torch.testing.assert_close(embed(encoder, [text])[0], together[i], rtol=0, atol=1e-5)
    torch.testing.assert_close(embed(encoder, smiles[::-1]), together.flip(0), rtol=0, atol=1e-5)


def check_graphs_without_edges(encoder: Encoder) -> None:
    """Gradients and running statistics stay finite where no molecule of a batch has a bond."""
    batch = batch_for(encoder, ["C", "O", "[Na+].[Cl-]"])
    for mode in (True, False):
        encoder.train(mode).zero_grad()
        out = encoder.readout(encoder(batch).out, batch)
        out.sum().backward()
        assert torch.isfinite(out).all()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in encoder.parameters())
    assert all(torch.isfinite(tensor).all() for tensor in encoder.state_dict().values())


def check_the_same_bits_every_time(encoder: Encoder) -> None:
    batch = batch_for(encoder)
    before, found = copy_state(encoder), []
    for _ in range(2):
        encoder.load_state_dict(before)
        encoder.train().zero_grad()
        torch.manual_seed(1)
        encoder.readout(encoder(batch).out, batch).square().sum().backward()
        found.append([p.grad for p in encoder.parameters()] + list(copy_state(encoder).values()))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True) if one is not None)


def check_only_the_trained_block_moves(encoder: Encoder, block: str) -> None:
    """One step trains the block and nothing else; with the head alone in training nothing drops out."""
    model, batch = Predictor(encoder, 1), batch_for(encoder)
    model.train()
    model.set_trained([HEAD])
    assert torch.equal(model.represent(batch), model.represent(batch))
    model.set_trained([block])
    before = copy_state(model)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(batch).square().sum().backward()
    optimizer.step()
    owner = model.keys_of_blocks()
    assert {owner[key] for key, tensor in model.state_dict().items() if not torch.equal(tensor, before[key])} == {block}


def loaded(encoder: Encoder, content: object, path: Path) -> Encoder:
    """Return an encoder with the weights of a file with this content."""
    torch.save(content, path)
    load_checkpoint(encoder, str(path), None)
    return encoder.eval()


def check_files_are_refused(make: Callable[[], Encoder], path: Path, contents: Mapping[str, object]) -> None:
    """Each content of a file is refused with a message that matches its pattern."""
    for problem, content in contents.items():
        with raises_usage(problem, key="model.checkpoint", got=f"model.checkpoint={path}"):
            loaded(make(), content, path)


def forty(folder: Path) -> Path:
    """Write a table of forty molecules of ESOL, single atoms and salts among them."""
    job, _ = Lab(Path(), Path()).job()
    smiles, y = molecules("esol", job, 38)
    columns: dict[str, Any] = {"smiles": [*smiles, "[Na+].[Cl-]", "O"], "y": [*y, 0.5, 1.5]}
    return write_csv(folder / "forty.csv", columns)


def run_small(lab: Lab, table: Path, model: str, sizes: Mapping[str, int], *overrides: str) -> Record:
    """Run a job of one epoch with a small encoder of a kind, random weights unless told otherwise."""
    encoder = (f"model={model}", "model.checkpoint=null", *(f"model.{name}={value}" for name, value in sizes.items()))
    data = ("dataset=csv", f"dataset.path={table}", "split=random", "label_ratio=full")
    return lab.done(*encoder, *data, "train.epochs=1", "train.interpolation_epochs=1", *overrides)
