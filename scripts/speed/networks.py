"""Training steps of other networks: a module of PyTorch Geometric beside a plain loop, and the D-MPNN of chemprop."""

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import global_mean_pool
from torch_geometric.nn.models import GIN
from torch_geometric.utils import from_smiles

from roftbench.config.compose import composed
from roftbench.config.parse import parse
from roftbench.data.featurizers.pyg import ATOM_CLASSES
from roftbench.models.directed_edges import DirectedEdges
from roftbench.models.dmpnn import DMPNN
from roftbench.runner.network import NetworkExperiment
from scripts.speed.setting import say
from scripts.speed.step import Ours
from scripts.speed.timing import Row, alternate

WIDTH, LAYERS = 128, 5
CLOCK = time.process_time  # of one thread, whatever else the machine does
Work = Callable[[], None]


def networks(arguments: argparse.Namespace) -> list[Row]:
    """A training step of PyTorch Geometric's GIN as an encoder, and of chemprop's D-MPNN."""
    repeats, number = (1, 1) if arguments.quick else (9, 10)
    with TemporaryDirectory() as cache:
        say("steps of a GIN of PyTorch Geometric and of the D-MPNN")
        return [_geometric(cache, repeats, number), *_directed(cache, repeats, number)]


def _experiment(cache: str, *words: str) -> NetworkExperiment:
    common = ["dataset=esol", "label_ratio=n500", "method=full_ft", "run.device=cpu", f"paths.cache={cache}"]
    folders = [f"paths.results={cache}/unused", f"run.threads={torch.get_num_threads()}"]
    job, context, _ = parse(composed([*common, *folders, *words], None))
    return NetworkExperiment.load(job, context)


def _first(experiment: NetworkExperiment) -> tuple[Tensor, list[str], Tensor]:
    """Return the first batch of 32 training molecules: their numbers, SMILES and labels [32, T]."""
    index = experiment.objective.train[: experiment.job.train.batch_size]
    return index, [experiment.dataset.smiles[i] for i in index], torch.from_numpy(experiment.objective.y)[index].float()


class PlainGIN(nn.Module):
    """The same network as a user of PyTorch Geometric writes it: embedded codes, GIN, mean, a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.atoms = nn.ModuleList(nn.Embedding(size, WIDTH) for size in ATOM_CLASSES)
        self.gin = GIN(WIDTH, WIDTH, LAYERS)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, data: Batch) -> Tensor:
        """Return predictions, [B, 1]."""
        x = torch.stack([table(data.x[:, i]) for i, table in enumerate(self.atoms)]).sum(0)
        return self.head(global_mean_pool(self.gin(x, data.edge_index), data.batch))  # type: ignore[no-any-return]


def _geometric(cache: str, repeats: int, number: int) -> Row:
    kwargs = f"++model.kwargs={{hidden_channels:{WIDTH},num_layers:{LAYERS}}}"
    words = ("model=pyg", "model.module=torch_geometric.nn.models.GIN", f"model.width={WIDTH}", kwargs)
    experiment = _experiment(cache, *words)
    index, smiles, y = _first(experiment)
    ours, model = Ours(experiment), PlainGIN()
    graphs = [from_smiles(text) for text in smiles]
    for graph, label in zip(graphs, y.split(1), strict=True):
        graph.y = label
    step = _stepping(model, lambda: (batch := Batch.from_data_list(graphs), batch.y))
    times = alternate(
        {"ours": partial(ours.steps, [index] * number), "plain": partial(_times, step, number)}, repeats, CLOCK
    )
    name = f"training step, GIN of PyG {LAYERS} × {WIDTH} (reference: plain PyG loop)"
    return Row(name, times["ours"] / number, times["plain"] / number, None, "≤ 1.1 × the plain loop")


def _directed(cache: str, repeats: int, number: int) -> list[Row]:
    experiment = _experiment(cache, "model=chemprop", "model.checkpoint=null")
    index, smiles, y = _first(experiment)
    ours, encoder = Ours(experiment), experiment.model.encoder
    assert isinstance(encoder, DMPNN)
    batch = experiment.objective.graphs.batch(index)
    variants: dict[str, Work] = {
        "ours": partial(ours.steps, [index] * number),
        "shared": partial(
            _times, _products(encoder, DirectedEdges.of(batch, encoder.depth, share=True), batch), number
        ),
        "all": partial(_times, _products(encoder, DirectedEdges.of(batch, encoder.depth, share=False), batch), number),
    }
    if find_spec("chemprop") is not None:
        variants["chemprop"] = partial(_times, _chemprop(smiles, y), number)
    spans = {name: span / number for name, span in alternate(variants, repeats, CLOCK).items()}
    name = f"training step, D-MPNN {encoder.depth} × {encoder.dim}, {len(batch.x)} atoms"
    theirs = spans.get("chemprop")
    return [
        Row(f"{name} (reference: chemprop; floor: products of distinct edges)", spans["ours"], theirs, spans["shared"]),
        Row(
            "the same (floor: products of all edges)",
            spans["ours"],
            theirs,
            spans["all"],
            "≤ 1.3 × floor, ≥ 2 × chemprop",
        ),
    ]


def _products(encoder: DMPNN, edges: DirectedEdges, batch: Any) -> Work:
    """Return the matrix products of a step: W_i on its first edges, W_h on the rows of each step, W_o on its atoms."""
    wide, dim = encoder.vectors.num_atom, encoder.dim
    into, again = torch.randn(wide + encoder.vectors.num_bond, dim), torch.randn(dim, dim)
    out = torch.randn(wide + dim, dim)
    steps = [len(sums.starts) for sums in edges.messages]
    first, atoms = torch.randn(len(edges.first), len(into)), torch.randn(len(edges.nodes), len(out))
    rows = [torch.randn(count, dim) for count in steps]
    ends = torch.randn(len(edges.nodes), dim), torch.randn(len(edges.first), dim)

    def work() -> None:
        _ = first @ into, first.T @ ends[1]
        for one in rows:
            _ = one @ again, one @ again.T, one.T @ one
        _ = atoms @ out, atoms.T @ ends[0], ends[0] @ out[wide:].T

    return work


def _chemprop(smiles: list[str], y: Tensor) -> Work:
    """Return a step of chemprop's own network on graphs that it has featurized."""
    with warnings.catch_warnings(action="ignore"):
        from chemprop import data, featurizers
        from chemprop import nn as chemprop_nn
    from rdkit import Chem

    make = featurizers.SimpleMoleculeMolGraphFeaturizer()
    graphs = [make(Chem.MolFromSmiles(text)) for text in smiles]
    passing, pool = chemprop_nn.BondMessagePassing(), chemprop_nn.MeanAggregation()
    head = nn.Linear(passing.output_dim, y.shape[1])

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.passing, self.head = passing, head

        def forward(self, batch: Any) -> Tensor:
            return self.head(pool(self.passing(batch), batch.batch))  # type: ignore[no-any-return]

    return _stepping(Network(), lambda: (data.BatchMolGraph(graphs), y))


def _stepping(model: nn.Module, batch: Callable[[], tuple[Any, Tensor]]) -> Work:
    """Return a textbook training step: collate, forward, MSE, backward, Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

    def step() -> None:
        given, y = batch()
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(given), y)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def _times(work: Work, number: int) -> None:
    for _ in range(number):
        work()
