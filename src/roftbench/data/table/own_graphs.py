"""Graphs that a saved data set of PyTorch Geometric brings itself, without SMILES: checked and as arrays."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.featurizers.base import Graph
from roftbench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

GRAPH = "graph"  # the column with the number of each graph, which takes the place of SMILES
FEATURES = ("x", "edge_index", "edge_attr")
LARGEST = 2**31 - 1  # integer features are stored in 32 bits


def own_graphs(what: str, rows: Sequence[Mapping[str, Any]]) -> list[Graph]:
    """Return the graphs of some attributes: x [N, F] and edge_attr [E, A], real or integer, and edge_index [2, E].

    Real numbers are stored as float32. A graph without edge_attr has A = 0.

    Raises:
        UsageError: a graph lacks nodes or has other shapes than the first, an edge leads to no node, or a number is not
            finite or too large.
    """
    found = [_graph(f"{what}: graph {number}", row) for number, row in enumerate(rows)]
    for number, graph in enumerate(found):
        for name, one, first in (("x", graph.x, found[0].x), ("edge_attr", graph.edge_attr, found[0].edge_attr)):
            if one.shape[1] != first.shape[1]:
                problem = f"{what}: {name} has {first.shape[1]} columns in graph 0 and {one.shape[1]} in graph {number}"
                raise UsageError(problem, key=name, hint="All graphs need the same features")
    return found


def _graph(what: str, row: Mapping[str, Any]) -> Graph:
    nodes = _features(f"{what}: x", "x", row.get("x"))
    if not len(nodes):
        raise UsageError(f"{what} has no nodes", key="x")
    edges: Any = row.get("edge_index")
    if not _is_tensor(edges) or edges.dim() != 2 or len(edges) != 2 or edges.is_floating_point():
        problem = f"{what}: edge_index must be integers of shape [2, edges], not {_words(edges)}"
        raise UsageError(problem, key="edge_index")
    ends: NDArray[np.int64] = edges.numpy().astype(np.int64)
    if ends.size and not 0 <= ends.min() <= ends.max() < len(nodes):
        problem = f"{what}: edge_index goes from {ends.min()} to {ends.max()}, but there are {len(nodes)} nodes"
        raise UsageError(problem, key="edge_index")
    given = row.get("edge_attr")
    bonds: NDArray[Any] = np.zeros((ends.shape[1], 0), np.int32)
    if given is not None:
        bonds = _features(f"{what}: edge_attr", "edge_attr", given)
        if len(bonds) != ends.shape[1]:
            problem = f"{what}: edge_attr has {len(bonds)} rows, edge_index {ends.shape[1]} edges"
            raise UsageError(problem, key="edge_attr")
    return Graph(nodes, ends, bonds)


def _features(what: str, key: str, given: Any) -> NDArray[Any]:
    """Return features as an array of two dimensions, float32 or int32."""
    tensor = given.unsqueeze(1) if _is_tensor(given) and given.dim() == 1 else given
    if not _is_tensor(tensor) or tensor.dim() != 2 or tensor.is_complex() or (key == "x" and not tensor.shape[1]):
        raise UsageError(f"{what} must be numbers of shape [rows, columns], not {_words(given)}", key=key)
    real = tensor.is_floating_point()
    values: NDArray[Any] = tensor.float().numpy() if real else tensor.long().numpy()
    if not (np.isfinite(values).all() if real else (np.abs(values) <= LARGEST).all()):
        raise UsageError(f"{what} holds a number that is not finite, or too large", key=key)
    return values if real else values.astype(np.int32)


def _is_tensor(value: Any) -> bool:
    import torch  # here: seconds that other tables need not spend

    return isinstance(value, torch.Tensor) and value.layout is torch.strided


def _words(value: "Tensor | Any") -> str:
    return f"{value.dtype} of shape {list(value.shape)}" if _is_tensor(value) else type(value).__name__
