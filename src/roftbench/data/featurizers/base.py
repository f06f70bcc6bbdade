"""Base class of featurizers, and the arrays in which they pack graphs.

This module runs in worker processes, so it imports nothing heavy.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from threadpoolctl import threadpool_limits

OWN = "own"  # the graphs of a data set that has no SMILES
HU = "hu"  # the graphs that every data set has: they decide which molecules are kept, and sizes and splits

Packed = dict[str, NDArray[Any]]


def atoms_of(molecule: Chem.Mol) -> Iterator[Chem.Atom]:
    """Return a molecule's atoms in order: `GetAtoms()` without three calls of Python per atom."""
    return map(molecule.GetAtomWithIdx, range(molecule.GetNumAtoms()))


def bonds_of(molecule: Chem.Mol) -> Iterator[Chem.Bond]:
    """Return a molecule's bonds in order; see `atoms_of`."""
    return map(molecule.GetBondWithIdx, range(molecule.GetNumBonds()))


def class_of(known: Sequence[Hashable], value: Hashable) -> int:
    """Return the position of a value among known ones, or behind the last for any other."""
    return known.index(value) if value in known else len(known)


def both_directions(bonds: Sequence[tuple[int, ...]], features: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return edge_index [2, E] and edge_attr [E, A] of bonds, each two ends and A features: both directions in turn."""
    table = np.repeat(np.array(bonds, dtype=np.int64).reshape(-1, 2 + features), 2, axis=0)
    ends = table[:, :2]
    ends[1::2] = ends[1::2, ::-1].copy()
    return np.ascontiguousarray(ends.T), np.ascontiguousarray(table[:, 2:])


class Graph(NamedTuple):
    """The graph of one molecule of N atoms, with E edges: each bond in both directions.

    Attributes:
        x: features of atoms, [N, F].
        edge_index: source and target of each edge, [2, E], int64.
        edge_attr: features of edges, [E, A], integers from 0 to 255.
    """

    x: NDArray[Any]
    edge_index: NDArray[np.int64]
    edge_attr: NDArray[np.int64]


class Featurizer(ABC):
    """Base class of featurizers: molecular graphs of one kind.

    Attributes:
        version: version of the graphs; raise it when a graph changes, and caches and keys of jobs change with it.
        x_type: type in which x is stored: uint8, float16 or float32.
        columns: number of columns of x and of edge_attr, F and A.
        linear_algebra: whether `graph` solves or multiplies matrices, for which one thread is then used.
    """

    version: ClassVar[int] = 1
    linear_algebra: ClassVar[bool] = False
    x_type: ClassVar[type] = np.uint8
    columns: ClassVar[tuple[int, int]]

    @abstractmethod
    def graph(self, smiles: str) -> Graph:
        """Return the graph of a SMILES that has a "hu" graph."""

    def order(self, smiles: str) -> list[int]:
        """Return the position in the SMILES of each atom of its graph; by default atoms are in the SMILES's order."""
        return list(range(len(self.graph(smiles).x)))

    def pack(self, smiles: Sequence[str]) -> Packed:
        """Return the packed graphs of some SMILES; see `pack`."""
        if self.linear_algebra:
            # For matrices as small as molecules, threads of BLAS only wait for one another, at work.
            with threadpool_limits(1, user_api="blas"):
                return self._packed(smiles)
        return self._packed(smiles)

    def _packed(self, smiles: Sequence[str]) -> Packed:
        return pack([self.graph(text) for text in smiles], self.x_type, self.columns)


@dataclass(frozen=True)
class GraphKind:
    """A featurizer as jobs refer to it.

    Attributes:
        name: an option of `conf/featurizer/`, or the import path of a plug-in's class.
        version: `Featurizer.version`.
        code: digest of the plug-in's code, None for a featurizer of the package.
        target: import path of the class, for an option of a user's config folder; None where the name leads to it.
        pack: `Featurizer.pack`, in a form that can be sent to a worker process.
        order: `Featurizer.order`; None for a plug-in, whose atoms are in the order of the SMILES.
    """

    name: str
    version: int
    code: str | None = None
    target: str | None = None
    pack: Callable[[Sequence[str]], Packed] = field(kw_only=True, compare=False)
    order: Callable[[str], list[int]] | None = field(default=None, kw_only=True, compare=False)

    def identity(self) -> dict[str, Any]:
        """Return what identifies the graphs in a job's key."""
        more = {"code": self.code, "target": self.target}
        return {"name": self.name, "version": self.version, **{k: v for k, v in more.items() if v is not None}}

    @property
    def label(self) -> str:
        """Name of the graphs, different for options of equal name in different config folders."""
        return " ".join(filter(None, (self.name, self.target)))


def pack(
    graphs: Sequence[Graph], x_type: type = np.uint8, columns: tuple[int, int] = (2, 2), edge_type: type = np.uint8
) -> Packed:
    """Return graphs as flat arrays of small numbers, with the shapes of `roftbench.data.packed.PackedGraphs`.

    Args:
        graphs: the graphs, in order; there may be none.
        x_type: type of x.
        columns: number of columns of x and of edge_attr.
        edge_type: type of edge_attr.
    """
    order = [np.argsort(graph.edge_index[1], kind="stable") for graph in graphs]
    return {
        "x": _stack([graph.x for graph in graphs], x_type, (0, columns[0])),
        "source": _stack([g.edge_index[0][index] for g, index in zip(graphs, order, strict=True)], np.int32, (0,)),
        "edge_attr": _stack(
            [g.edge_attr[index] for g, index in zip(graphs, order, strict=True)], edge_type, (0, columns[1])
        ),
        "degree": _stack([np.bincount(g.edge_index[1], minlength=len(g.x)) for g in graphs], np.int32, (0,)),
        "num_nodes": np.array([len(graph.x) for graph in graphs], dtype=np.int64),
        "num_edges": np.array([len(graph.edge_attr) for graph in graphs], dtype=np.int64),
    }


def _stack(arrays: Sequence[NDArray[Any]], dtype: type, empty: tuple[int, ...]) -> NDArray[Any]:
    return np.concatenate([np.empty(empty, dtype), *arrays], dtype=dtype, casting="unsafe")
