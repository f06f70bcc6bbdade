"""Colors of atoms against their definition, written as nested tuples, and hops against the messages of an atom."""

from collections.abc import Hashable, Sequence
from functools import cache

import pytest
import torch
from graphs import SMILES
from lab import PLACES
from torch import Tensor

from roftbench.config.dataset_specs import dataset_specs
from roftbench.data.color_refinement import Hop, Shared, whole_hop
from roftbench.data.featurizers.hu import smiles_to_graph
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.data.table.load import read_table

DEPTH = 5


@pytest.fixture(scope="module")
def graphs() -> PackedGraphs:
    """The telling molecules, then the first of ESOL."""
    spec = dataset_specs()["esol"]
    assert spec is not None
    return PackedGraphs.from_graphs(map(smiles_to_graph, [*SMILES, *read_table(spec, PLACES).smiles[:60]]))


def messages(batch: Batch) -> list[list[tuple[int, tuple[int, ...]]]]:
    """Return for each atom where its messages come from, with the bond; its own comes first, with a bond of zeros."""
    found = [[(atom, (0, 0))] for atom in range(len(batch.x))]
    for (source, target), attr in zip(batch.edge_index.T.tolist(), batch.edge_attr.tolist(), strict=True):
        found[target].append((source, tuple(attr)))
    return found


def surroundings(batch: Batch, depth: int) -> list[Hashable]:
    """Return what each atom sees within `depth` bonds, in a form that does not depend on the order of atoms."""
    received = messages(batch)

    @cache
    def seen(atom: int, depth: int) -> Hashable:
        own = (tuple(batch.x[atom].tolist()), len(received[atom]))
        if depth == 0:
            return own
        others = sorted(((bond, seen(source, depth - 1)) for source, bond in received[atom][1:]), key=repr)
        return (seen(atom, depth - 1), tuple(others))

    return [seen(atom, depth) for atom in range(len(batch.x))]


def numbered(values: Sequence[Hashable]) -> list[int]:
    """Return the number of each value, in the order in which they first appear."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]


def shared(batch: Batch) -> Shared:
    assert batch.shared is not None
    return batch.shared


@pytest.mark.parametrize("depth", range(1, DEPTH + 1))
def test_atoms_have_one_color_where_they_see_the_same(graphs: PackedGraphs, depth: int) -> None:
    batch = graphs.batch(torch.arange(len(graphs)), depth)
    expected = numbered(surroundings(batch, depth))
    assert shared(batch).color.tolist() == expected
    assert max(expected) + 1 < len(expected)  # there is something to share


def test_the_first_atom_of_each_color_stands_for_it(graphs: PackedGraphs) -> None:
    batch = graphs.batch(torch.arange(len(graphs)), 1)
    colors = numbered(surroundings(batch, 0))
    assert shared(batch).atoms.tolist() == [colors.index(color) for color in range(max(colors) + 1)]


def test_every_atom_receives_the_messages_of_its_color(graphs: PackedGraphs) -> None:
    batch = graphs.batch(torch.arange(len(graphs)), DEPTH)
    received = messages(batch)
    for depth, hop in enumerate(shared(batch).hops):
        old, new = (numbered(surroundings(batch, one)) for one in (depth, depth + 1))
        check_lists(hop, num_old=max(old) + 1, num_new=max(new) + 1)
        for atom, color in enumerate(new):
            first, *others = arriving(hop, color)
            own, *bonds = ((old[source], bond) for source, bond in received[atom])
            assert first == own
            assert sorted(others) == sorted(bonds)
            assert hop.degree[old[atom]] == len(received[atom])


def arriving(hop: Hop, new: int) -> list[tuple[int, tuple[int, ...]]]:
    part = slice(*hop.offsets[new : new + 2].tolist())
    return [
        (source, tuple(bond)) for source, bond in zip(hop.source[part].tolist(), hop.attr[part].tolist(), strict=True)
    ]


def check_lists(hop: Hop, num_old: int, num_new: int) -> None:
    """Both orders of a hop's messages hold the same ones."""
    assert (len(hop.degree), len(hop.starts), len(hop.offsets)) == (num_old, num_old + 1, num_new + 1)
    entering = torch.repeat_interleave(hop.offsets.diff())
    leaving = torch.repeat_interleave(hop.starts.diff())
    by_target, by_source = (hop.source, entering), (leaving, hop.target)
    assert sorted(zip(*map(Tensor.tolist, by_target), strict=True)) == sorted(
        zip(*map(Tensor.tolist, by_source), strict=True)
    )


def test_a_hop_of_all_atoms(graphs: PackedGraphs) -> None:
    batch = graphs.batch(torch.arange(len(graphs)))
    hop = whole_hop(batch.edge_index, batch.edge_attr, batch.edge_ptr)
    check_lists(hop, len(batch.x), len(batch.x))
    assert [arriving(hop, atom) for atom in range(len(batch.x))] == messages(batch)
    assert hop.degree.tolist() == [len(found) for found in messages(batch)]


def test_atoms_can_be_listed_by_color(graphs: PackedGraphs) -> None:
    found = shared(graphs.batch(torch.arange(len(graphs)), 2))
    assert sorted(found.order.tolist()) == list(range(len(found.color)))
    assert found.color[found.order].tolist() == torch.repeat_interleave(found.starts.diff()).tolist()


@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_batches_share_nothing_with_each_other(
    graphs: PackedGraphs, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("roftbench.data.packed.AT_ONCE", at_once)
    groups = [torch.tensor(index, dtype=torch.int64) for index in ([4, 0, 30], [], [1], [30, 30, 2, 3], [3], [7, 40])]
    for batch, group in zip(graphs.batches(groups, 3), groups, strict=True):
        one, alone = (flat(shared(each)) for each in (batch, graphs.batch(group, 3)))
        assert one == alone


def test_layers_that_are_done_are_left_out(graphs: PackedGraphs) -> None:
    groups = list(torch.arange(30).split(11))
    for rest, whole in zip(graphs.batches(groups, 4, layers_done=2), graphs.batches(groups, 4), strict=True):
        found, expected = flat(shared(rest)), flat(shared(whole))
        assert found[1:] == expected[1 + 2 * len(vars(shared(whole).hops[0])) :]
        colors = numbered(surroundings(whole, 2))
        assert found[0] == [colors.index(color) for color in range(max(colors) + 1)]
    assert graphs.batch(torch.arange(3), 2).shared is not None
    assert next(graphs.batches([torch.arange(3)], 2, layers_done=2)).shared is None


def flat(found: Shared) -> list[list[int]]:
    hops = [tensor.tolist() for hop in found.hops for tensor in vars(hop).values()]
    return [found.atoms.tolist(), *hops, found.color.tolist(), found.order.tolist(), found.starts.tolist()]


def test_two_of_the_same_molecule_cost_no_more_than_one(graphs: PackedGraphs) -> None:
    once, twice = (shared(graphs.batch(torch.tensor(index), DEPTH)) for index in ([5], [5, 5]))
    assert [len(hop.source) for hop in once.hops] == [len(hop.source) for hop in twice.hops]


def test_nothing_is_shared_unless_asked_for_and_on_a_cpu(graphs: PackedGraphs) -> None:
    assert graphs.batch(torch.arange(3)).shared is None
    assert graphs.batch(torch.arange(3), 0).shared is None
    assert graphs.to(torch.device("meta")).batch(torch.arange(3), 2).shared is None
