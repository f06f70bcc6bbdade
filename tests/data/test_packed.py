"""A gathered batch against one put together graph by graph."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
import torch

from roftbench.data.featurizers.base import Graph
from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs

SMILES = [
    "OCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O",
    "C",
    "F/C=C\\Cl",
    "[Na+].[Cl-]",  # no bonds
    "C[C@H](N)C(=O)O.[K+]",  # the last atom without bonds
    "[K+].C[C@@H](N)C(=O)[O-]",  # the first
    "c1ccc2ccccc2c1",
    "O",
]
GRAPHS = [smiles_to_graph(text) for text in SMILES]
INDICES = {
    "all": range(8),
    "one": [0],
    "reversed": range(7, -1, -1),
    "repeated": [2, 0, 2, 2, 5, 0],
    "without bonds": [1, 3, 7, 3],
    "one atom": [7],
    "without bonds first and last": [3, 6, 1],
    "empty": [],
}


def naive(graphs: Sequence[Graph]) -> Batch:
    """Shift the nodes of each graph behind those of the ones before, then sort all edges by their target."""
    x = [node for graph in graphs for node in graph.x.tolist()]
    node_ptr, edges = [0], []
    for graph in graphs:
        for (source, target), attr in zip(graph.edge_index.T.tolist(), graph.edge_attr.tolist(), strict=True):
            edges.append((target + node_ptr[-1], source + node_ptr[-1], attr))
        node_ptr.append(node_ptr[-1] + len(graph.x))
    edges.sort(key=lambda edge: edge[0])  # stable
    edge_ptr = [sum(target < node for target, _, _ in edges) for node in range(len(x) + 1)]
    return Batch(
        torch.tensor(x, dtype=torch.int64).view(-1, 2),
        torch.tensor([[edge[1] for edge in edges], [edge[0] for edge in edges]], dtype=torch.int64),
        torch.tensor([edge[2] for edge in edges], dtype=torch.int64).view(-1, 2),
        torch.tensor(node_ptr),
        torch.tensor(edge_ptr),
    )


def assert_same(left: Batch | PackedGraphs, right: Batch | PackedGraphs) -> None:
    for field in fields(left):
        one, other = getattr(left, field.name), getattr(right, field.name)
        torch.testing.assert_close(one, other, rtol=0, atol=0, msg=lambda text, name=field.name: f"{name}: {text}")


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_batch_is_what_a_naive_construction_gives(index: Sequence[int]) -> None:
    batch = PackedGraphs.from_graphs(GRAPHS).batch(torch.tensor(list(index), dtype=torch.int64))
    assert_same(batch, naive([GRAPHS[i] for i in index]))
    assert batch.num_graphs == len(index)


@pytest.mark.parametrize("seed", range(3))
def test_batch_of_a_random_index(seed: int) -> None:
    index = np.random.default_rng(seed).integers(len(GRAPHS), size=40)
    batch = PackedGraphs.from_graphs(GRAPHS).batch(torch.from_numpy(index))
    assert_same(batch, naive([GRAPHS[i] for i in index]))


def test_pointers_say_where_nodes_and_edges_lie() -> None:
    index = [2, 1, 0]
    batch = PackedGraphs.from_graphs(GRAPHS).batch(torch.tensor(index))
    for position, graph in enumerate(index):
        nodes = slice(*batch.node_ptr[position : position + 2].tolist())
        assert batch.x[nodes].tolist() == GRAPHS[graph].x.tolist()
    for node in range(len(batch.x)):
        entering = slice(*batch.edge_ptr[node : node + 2].tolist())
        assert set(batch.edge_index[1, entering].tolist()) <= {node}
    assert batch.edge_ptr[-1] == batch.edge_index.shape[1] == len(batch.edge_attr)


def test_neighbors_come_in_both_directions() -> None:
    batch = PackedGraphs.from_graphs(GRAPHS).batch(torch.arange(len(GRAPHS)))
    bonds = {(s, t, *a) for (s, t), a in zip(batch.edge_index.T.tolist(), batch.edge_attr.tolist(), strict=True)}
    assert bonds == {(target, source, *attr) for source, target, *attr in bonds}


def test_packing_keeps_order_and_uses_small_integers() -> None:
    packed = PackedGraphs.from_graphs(iter(GRAPHS))
    assert len(packed) == len(GRAPHS)
    assert packed.sizes.tolist() == [len(graph.x) for graph in GRAPHS]
    assert {field.name: str(getattr(packed, field.name).dtype).removeprefix("torch.") for field in fields(packed)} == {
        "x": "uint8",
        "source": "int32",
        "edge_attr": "uint8",
        "degree": "int32",
        "node_ptr": "int64",
        "edge_ptr": "int64",
    }


def test_heavy_atoms_survive_the_small_integers() -> None:
    batch = PackedGraphs.from_graphs([smiles_to_graph("[Og]")]).batch(torch.tensor([0]))
    assert batch.x.tolist() == [[117, 0]]


def test_no_graphs_at_all() -> None:
    packed = PackedGraphs.from_graphs([])
    assert len(packed) == 0
    assert packed.sizes.tolist() == []
    assert_same(packed.batch(torch.empty(0, dtype=torch.int64)), naive([]))


def test_batches_leave_the_pack_alone() -> None:
    packed = PackedGraphs.from_graphs(GRAPHS)
    packed.batch(torch.tensor([6, 6])).x.zero_()
    assert_same(packed, PackedGraphs.from_graphs(GRAPHS))


def test_to_a_device_moves_all_but_the_pointers() -> None:
    packed = PackedGraphs.from_graphs(GRAPHS)
    assert_same(packed.to(torch.device("cpu")), packed)
    moved = packed.to(torch.device("meta"))
    on_the_host = {field.name for field in fields(packed) if getattr(moved, field.name).device.type == "cpu"}
    assert on_the_host == {"node_ptr", "edge_ptr"}


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_batches_gathered_together_are_those_gathered_alone(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("roftbench.data.packed.AT_ONCE", at_once)
    packed = PackedGraphs.from_graphs(GRAPHS)
    groups = [torch.tensor(index, dtype=torch.int64) for index in ([3, 0], [], [5, 5, 1], [2])]
    for batch, group in zip(packed.batches(groups), groups, strict=True):
        assert_same(batch, naive([GRAPHS[i] for i in group]))
