"""The reference numbers of MiniMol: inputs and embeddings of the released package, as graphs of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from roftbench.data.featurizers.base import Graph, pack
from roftbench.data.featurizers.graphium import ATOM_CLASSES, BOND_CLASSES, GraphiumFeaturizer
from roftbench.data.packed import Batch, PackedGraphs

EIGENVECTORS, EIGENVALUES, RETURNS = slice(9, 17), slice(17, 25), slice(25, 41)  # columns of x


@dataclass(frozen=True)
class Reference:
    """SMILES of 128 molecules, their inputs, embeddings [128, 512] and mean node states; stable on any processor."""

    smiles: list[str]
    graphs: list[Graph]
    embedding: NDArray[np.float32]
    node_mean: NDArray[np.float32]
    stable: NDArray[np.bool_]


def reference(shared: Path) -> Reference:
    """Read the reference file."""
    with np.load(shared / "golden" / "minimol_reference.npz") as file:
        data = dict(file)
    nodes, edges = data["node_ptr"], data["edge_ptr"]
    graphs = []
    for i in range(len(data["smiles"])):
        atoms, bonds = slice(nodes[i], nodes[i + 1]), slice(edges[i], edges[i + 1])
        graphs.append(
            graph(
                data["feat"][atoms],
                data["laplacian_eigvec"][atoms],
                data["laplacian_eigval"][atoms],
                data["rw_return_probs"][atoms],
                data["edge_index"][:, bonds],
                data["edge_feat"][bonds],
            )
        )
    smiles = [str(text) for text in data["smiles"]]
    return Reference(smiles, graphs, data["embedding"], data["node_mean"], data["pe_stable"])


def intermediate(shared: Path) -> list[dict[str, NDArray[Any]]]:
    """Return what the released network computes on the way, by name, for each of 8 molecules."""
    with np.load(shared / "golden" / "minimol_intermediate.npz") as file:
        return [
            {name.removeprefix(f"m{i}_"): file[name] for name in file.files if name.startswith(f"m{i}_")}
            for i in range(len(file["smiles"]))
        ]


def graph(
    feat: NDArray[Any],
    vectors: NDArray[Any],
    values: NDArray[Any],
    returns: NDArray[Any],
    edge_index: NDArray[Any],
    edge_feat: NDArray[Any],
) -> Graph:
    """Return the original's arrays in our columns: one-hot vectors as classes."""
    x = np.concatenate([feat[:, :5], classes(feat[:, 5:], ATOM_CLASSES), vectors, values, returns], axis=1)
    edge_attr = np.concatenate([classes(edge_feat, BOND_CLASSES), edge_feat[:, 12:]], axis=1)
    return Graph(x.astype(np.float16), edge_index.astype(np.int64), edge_attr.astype(np.int64))


def classes(one_hot: NDArray[Any], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return the classes [M, K] of one-hot vectors side by side, each of which must be one."""
    ends = np.cumsum(sizes)
    parts = [one_hot[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]
    assert all((part.sum(axis=1) == 1).all() and np.isin(part, (0, 1)).all() for part in parts)
    return np.stack([part.argmax(axis=1) for part in parts], axis=1)


def batch_of(graphs: Sequence[Graph]) -> Batch:
    """Return graphs as one batch."""
    packed = pack(graphs, GraphiumFeaturizer.x_type, GraphiumFeaturizer.columns)
    return PackedGraphs.from_chunks([packed]).batch(torch.arange(len(graphs)))
