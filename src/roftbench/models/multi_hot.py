"""Multi-hot vectors of atoms and bonds as chemprop 2 makes them, from the graphs of its featurizer here."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from roftbench.data.featurizers.chemprop import (
    AROMATIC,
    ATOM_CLASSES,
    BOND_CLASSES,
    MASS,
    MAX_NUMBER,
)


@dataclass(frozen=True)
class Kind:
    """One of chemprop's kinds of vectors.

    Attributes:
        numbers: atomic numbers with a column of their own.
        hybridizations: positions in `data.featurizers.chemprop.HYBRIDIZATIONS` with a column of their own.
        resonance_invariant: whether only atomic number, degree, hydrogens, mass and rings count (Zalte et al. 2025).
    """

    numbers: tuple[int, ...]
    hybridizations: tuple[int, ...] = ()
    resonance_invariant: bool = False

    def columns(self) -> list[list[int]]:
        """Return the class of every value of each integer column of x that is used; the last class is "other"."""
        kept = [list(range(size)) for size in ATOM_CLASSES[:-1]]
        numbers, hybridizations = (
            _classes(self.numbers, MAX_NUMBER + 1),
            _classes(self.hybridizations, ATOM_CLASSES[-1]),
        )
        return [numbers, kept[0], kept[3]] if self.resonance_invariant else [numbers, *kept, hybridizations]

    @property
    def used(self) -> list[int]:
        """Positions of these columns in x."""
        return [0, 1, 4] if self.resonance_invariant else list(range(AROMATIC))


_COMMON = (*range(1, 37), 53)
KINDS = {
    "v1": Kind(tuple(range(1, 101)), (1, 2, 4, 5, 6)),
    "v2": Kind(_COMMON, tuple(range(7))),
    "organic": Kind((1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 35, 53), (0, 1, 2, 4)),
    "rigr": Kind(_COMMON, resonance_invariant=True),
}


class MultiHot(nn.Module):
    """Vectors of one kind: `num_atom` columns for atoms, `num_bond` for bonds; without parameters."""

    position: Tensor
    bonds: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        kind = KINDS[name]
        columns = kind.columns()
        starts = [0, *torch.tensor([max(column) + 1 for column in columns], device="cpu").cumsum(0).tolist()]
        self.used, self.rest = kind.used, [MASS] if kind.resonance_invariant else [AROMATIC, MASS]
        self.num_atom = starts[-1] + len(self.rest)
        position = torch.zeros(len(columns), MAX_NUMBER + 1, dtype=torch.long, device="cpu")
        for i, column in enumerate(columns):
            position[i, : len(column)] = torch.tensor(column, device="cpu") + starts[i]
        bonds = _bond_table(kind.resonance_invariant)
        self.num_bond = bonds.shape[1]
        self.register_buffer("position", position, persistent=False)
        self.register_buffer("bonds", bonds, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors of atoms, [N, num_atom], from x [N, 8]."""
        rows = torch.arange(len(self.used), device=x.device)
        hot = self.position[rows, x[:, self.used].long()]
        vectors = x.new_zeros(len(x), self.num_atom).scatter_(1, hot, 1.0)
        vectors[:, -len(self.rest) :] = x[:, self.rest]
        return vectors


def bond_kind(edge_attr: Tensor) -> Tensor:
    """Return the row in `MultiHot.bonds` of each edge, [E], from edge_attr [E, 5]."""
    kind = edge_attr[:, 0]
    for column, size in enumerate(BOND_CLASSES[1:], start=1):
        kind = kind * size + edge_attr[:, column]
    return kind


def _bond_table(resonance_invariant: bool) -> Tensor:
    """Return the vectors of all kinds of bonds, [140, 14] or [140, 2]; the first column, "no bond", is 0."""
    types, conjugated, ring, stereo = torch.cartesian_prod(
        *(torch.arange(size, device="cpu") for size in BOND_CLASSES)
    ).unbind(1)
    none = torch.zeros(len(types), 1, device="cpu")
    if resonance_invariant:
        return torch.cat([none, ring[:, None]], dim=1)
    one_hot = [
        torch.nn.functional.one_hot(one, size) for one, size in ((types, BOND_CLASSES[0]), (stereo, BOND_CLASSES[3]))
    ]
    return torch.cat([none, one_hot[0][:, :-1], conjugated[:, None], ring[:, None], one_hot[1]], dim=1)


def _classes(own: Sequence[int], size: int) -> list[int]:
    """Return the class of each value below `size`: its position in `own`, or the class after the last."""
    return [own.index(value) if value in own else len(own) for value in range(size)]
