"""Atoms with equal states in message passing, found by color refinement (Weisfeiler and Leman, 1968).

Without randomness, the state of an atom after k layers depends only on its surroundings within k bonds. Atoms of one
color of depth k therefore share it, and it is computed once (Sourek et al., arXiv 2007.06567; Bollen et al., arXiv
2304.14793). The 2,002 atoms of ESOL's validation part (scaffold split) have 6 % as many colors at depth 1 and 74 % at
depth 5.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Hop:
    """Messages of one layer: V new states from U old ones by M messages. All tensors are int64.

    Messages are sorted by the new state that they enter; the first one into each state comes from the atom itself.

    Attributes:
        source: old state that each message leaves, [M].
        attr: bond of each message, zeros for an atom's own, [M, A].
        offsets: messages offsets[v]:offsets[v + 1] enter new state v, [V + 1].
        degree: number of messages that enter an atom of each old state, [U].
        target: new states that messages enter, sorted by source instead, for the gradient, [M].
        starts: in that order, messages starts[u]:starts[u + 1] leave old state u, [U + 1].
    """

    source: Tensor
    attr: Tensor
    offsets: Tensor
    degree: Tensor
    target: Tensor
    starts: Tensor


@dataclass(frozen=True)
class Shared:
    """First layers of a batch of N atoms, computed once per color.

    Attributes:
        atoms: an atom of each color before the first hop, [U].
        hops: messages per layer, from colors of one depth to those of the next.
        color: color of each atom after the last hop, [N].
        order: atoms sorted by that color, [N].
        starts: where the atoms of each color begin in `order`, [V + 1].
    """

    atoms: Tensor
    hops: tuple[Hop, ...]
    color: Tensor
    order: Tensor
    starts: Tensor


def whole_hop(edge_index: Tensor, edge_attr: Tensor, edge_ptr: Tensor) -> Hop:
    """Return the messages of a layer between all atoms of a batch; see `roftbench.data.packed.Batch`.

    As each bond has both directions, the lists of entering and leaving messages are equal.
    """
    nodes = torch.arange(len(edge_ptr), device=edge_ptr.device)
    offsets = edge_ptr + nodes
    place = torch.arange(1, edge_index.shape[1] + 1, device=edge_ptr.device) + edge_index[1]
    source = nodes.new_empty(edge_index.shape[1] + len(nodes) - 1)
    attr = edge_attr.new_zeros(len(source), edge_attr.shape[1])
    source[offsets[:-1]] = nodes[:-1]
    source[place], attr[place] = edge_index[0], edge_attr
    return Hop(source, attr, offsets, offsets.diff(), source, offsets)


def share(
    x: Tensor,
    edge_index: Tensor,
    edge_attr: Tensor,
    edge_ptr: Tensor,
    node_cuts: Sequence[int],
    depth: int,
    done: int = 0,
) -> Iterator[Shared]:
    """Yield for each of several batches the colors and messages of its first layers.

    The batches are concatenated on the host, edges sorted by the node that they enter. Colors are not shared between
    batches.

    Args:
        x: features of nodes, integers, [N, F].
        edge_index: source and target of each edge, [2, E].
        edge_attr: features of edges, integers, [E, A].
        edge_ptr: first edge into each node, [N + 1].
        node_cuts: batch i has the nodes node_cuts[i]:node_cuts[i + 1].
        depth: number of layers.
        done: number of layers that are left out at the beginning, less than `depth`.
    """
    (source, target), ptr = edge_index.numpy(), edge_ptr.numpy()
    bond = columns_as_numbers(edge_attr.numpy())
    owner = np.repeat(np.arange(len(node_cuts) - 1), np.diff(node_cuts))
    colors = [columns_as_numbers(np.column_stack([owner, np.diff(ptr), x.numpy()]))]
    for _ in range(depth):
        colors.append(refined(colors[-1], source, target, bond, ptr))
    colors = colors[done:]
    firsts = [first_of_each(color) for color in colors]
    # Colors are numbered as they first appear, and so those of a batch follow one another.
    cuts = [np.searchsorted(first, node_cuts).tolist() for first in firsts]
    hops = [
        _hop(old, len(first_old), first, source, edge_attr.numpy(), ptr)
        for old, (first_old, first) in zip(colors[:-1], pairwise(firsts), strict=True)
    ]
    order, starts = by_value(colors[-1], len(firsts[-1]))
    atoms, color = torch.from_numpy(firsts[0]), torch.from_numpy(colors[-1])
    for i, (n0, n1) in enumerate(pairwise(node_cuts)):
        ranges = [(cut[i], cut[i + 1]) for cut in cuts]
        (u0, u1), (v0, v1) = ranges[0], ranges[-1]
        yield Shared(
            atoms[u0:u1] - n0,
            tuple(_part(hop, *old, *new) for hop, (old, new) in zip(hops, pairwise(ranges), strict=True)),
            color[n0:n1] - v0,
            order[n0:n1] - n0,
            starts[v0 : v1 + 1] - n0,
        )


def _numbered(keys: Integers) -> Integers:
    """Return the keys numbered from 0 in order of first appearance."""
    return pd.factorize(keys)[0].astype(np.int64, copy=False)


def columns_as_numbers(table: NDArray[np.integer]) -> Integers:
    """Return the rows of a table of integers ≥ 0, [n, m], as numbers, [n], equal for equal rows."""
    numbers = np.zeros(len(table), np.int64)
    for column in table.T:
        numbers = _numbered(numbers * (int(column.max(initial=0)) + 1) + column)
    return numbers


def refined(color: Integers, source: Integers, target: Integers, bond: Integers, ptr: Integers) -> Integers:
    """Return the colors of the next depth: equal for equal colors of an atom and, with bonds, of its neighbors."""
    degree = np.diff(ptr)
    seen = color[source] * (bond.max(initial=0) + 1) + bond
    size = int(seen.max(initial=0)) + 1
    seen = np.sort(target * size + seen) % size  # neighbors in an order independent of the file
    for number in range(int(degree.max(initial=0))):
        has = degree > number
        column = np.zeros_like(color)
        column[has] = 1 + seen[ptr[:-1][has] + number]
        color = _numbered(color * (size + 1) + column)
    return color


def first_of_each(color: Integers) -> Integers:
    """Return the first atom of each color, ascending, as colors are numbered by first appearance."""
    highest = np.maximum.accumulate(color)
    return np.flatnonzero(np.diff(highest, prepend=-1))


def by_value(values: Integers, size: int) -> tuple[Tensor, Tensor]:
    """Return positions sorted by value, and where those of each value begin, [size + 1]."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=size))])
    return torch.from_numpy(np.argsort(values, kind="stable")), torch.from_numpy(starts)


def _hop(
    old: Integers,
    num_old: int,
    first: Integers,
    source: Integers,
    attr: NDArray[np.integer],
    ptr: Integers,
) -> Hop:
    """Return the hop from colors `old` [N] to those whose first atoms are `first` [V]."""
    sizes = ptr[first + 1] - ptr[first] + 1
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    owner = np.repeat(np.arange(len(first)), sizes)
    within = np.arange(len(owner)) - offsets[owner]
    bonded = within > 0
    edges = (ptr[first][owner] + within - 1)[bonded]
    came, bonds = np.empty(len(owner), np.int64), np.zeros((len(owner), attr.shape[1]), np.int64)
    came[~bonded], came[bonded] = old[first], old[source[edges]]
    bonds[bonded] = attr[edges]
    by_source, starts = by_value(came, num_old)
    entering = np.empty(num_old, np.int64)
    entering[old[first]] = sizes  # equal for atoms of one color
    states, attrs, enters, degrees, owners = map(torch.from_numpy, (came, bonds, offsets, entering, owner))
    return Hop(states, attrs, enters, degrees, owners[by_source], starts)


def _part(hop: Hop, u0: int, u1: int, v0: int, v1: int) -> Hop:
    """Return the part of a hop from old states u0:u1 to new ones v0:v1."""
    m0, m1 = hop.offsets[[v0, v1]].tolist()
    return Hop(
        hop.source[m0:m1] - u0,
        hop.attr[m0:m1],
        hop.offsets[v0 : v1 + 1] - m0,
        hop.degree[u0:u1],
        hop.target[m0:m1] - v0,
        hop.starts[u0 : u1 + 1] - m0,
    )
