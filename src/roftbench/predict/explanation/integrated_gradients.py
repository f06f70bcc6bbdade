"""Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) on the atoms' input states of a graph network.

The input states of all atoms are scaled from 0 to 1, and an atom's contribution is the integral of the gradient with
respect to its own scale. At 0 the molecule keeps its bonds and its shape, and no atom is known: that is the baseline.
Contributions add up to output minus baseline (completeness); the integral is refined until they do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from roftbench.data.packed import Batch, PackedGraphs
from roftbench.models.encoder import Encoder

PARTS, POINTS = 8, 4  # parts of the path at first, and points of the Gauss-Legendre rule on each
MOST_PARTS = 96  # into which it is divided where the integral is not exact enough
TOLERANCE = 0.01  # largest gap, relative to the sum of the absolute contributions
ATOMS = 4096  # in a batch, limited by the memory of a backward pass

Matrix = NDArray[np.float64]
Outputs = Callable[[Batch], Tensor]  # from a batch to values [B, T], differentiable


class Attribution(NamedTuple):
    """Contributions of the atoms of each of K molecules, [N_k, T], and the molecules' baselines and values, [K, T]."""

    atoms: list[Matrix]
    baseline: Matrix
    value: Matrix


class _Part(NamedTuple):
    """The integral over a part of the path, [N, T], and the output at both of its ends, [2, T]."""

    start: float
    stop: float
    integral: Matrix
    ends: Matrix

    @property
    def gap(self) -> Matrix:
        """Difference of the outputs less the integral, [T]."""
        gap: Matrix = self.ends[1] - self.ends[0] - self.integral.sum(axis=0)
        return gap


def integrated_gradients(encoder: Encoder, outputs: Outputs, graphs: PackedGraphs, tasks: Sequence[int]) -> Attribution:
    """Return the contributions of all atoms, in the order of the graphs.

    Args:
        encoder: the encoder, whose `atom_inputs` are scaled.
        outputs: the network, in evaluation mode, or a map of the encoder's representations.
        graphs: K graphs on the network's device.
        tasks: positions of the T tasks among the outputs.
    """
    found, ends = [], np.empty((2, len(graphs), len(tasks)))
    for graph in range(len(graphs)):
        path = _Path(encoder, outputs, graphs, graph, tasks)
        parts = path.whole()
        found.append(np.sum([part.integral for part in parts], axis=0))
        ends[0, graph], ends[1, graph] = parts[0].ends[0], parts[-1].ends[1]
    return Attribution(found, *ends)


class _Path:
    """The integral of one graph's gradients, which is computed with copies of the graph at different scales."""

    def __init__(
        self, encoder: Encoder, outputs: Outputs, graphs: PackedGraphs, graph: int, tasks: Sequence[int]
    ) -> None:
        self.encoder, self.outputs, self.graphs, self.graph, self.tasks = encoder, outputs, graphs, graph, list(tasks)
        self.atoms = int(graphs.sizes[graph])
        points, weights = np.polynomial.legendre.leggauss(POINTS)
        self.points, self.weights = (points + 1) / 2, weights / 2

    def whole(self) -> list[_Part]:
        """Return parts of the path from 0 to 1, halved where that makes the gap small."""
        parts = self._parts(list(pairwise(np.linspace(0, 1, PARTS + 1).tolist())))
        while (room := MOST_PARTS - len(parts)) > 0:
            allowed = TOLERANCE * np.abs(np.sum([part.integral for part in parts], axis=0)).sum(axis=0)
            gaps = np.abs([part.gap for part in parts])
            if (np.abs(np.sum([part.gap for part in parts], axis=0)) <= allowed).all():
                break
            wide = np.flatnonzero((gaps > allowed / len(parts) / 2).any(axis=1))
            chosen = {*wide[np.argsort(-gaps[wide].max(axis=1), kind="stable")][:room].tolist()}
            halves = [half for number in sorted(chosen) for half in _halves(parts[number])]
            kept = [part for number, part in enumerate(parts) if number not in chosen]
            parts = sorted(kept + self._parts(halves), key=lambda part: part.start)
        return parts

    def _parts(self, ranges: Sequence[tuple[float, float]]) -> list[_Part]:
        """Return the integrals over some ranges of scales."""
        scales = [[a, *(a + (b - a) * self.points), b] for a, b in ranges]
        values, gradients = self._at(np.array(scales).ravel())
        shape = (len(ranges), POINTS + 2)
        values, gradients = values.reshape(*shape, -1), gradients.reshape(*shape, self.atoms, -1)
        return [
            _Part(a, b, (b - a) * np.tensordot(self.weights, gradient[1:-1], axes=1), value[[0, -1]])
            for (a, b), value, gradient in zip(ranges, values, gradients, strict=True)
        ]

    def _at(self, scales: NDArray[np.float64]) -> tuple[Matrix, Matrix]:
        """Return the outputs [S, T] and their gradients [S, N, T] at some scales."""
        found = [self._batch(part) for part in torch.from_numpy(scales).float().split(max(1, ATOMS // self.atoms))]
        values, gradients = zip(*found, strict=True)
        return np.concatenate(values), np.concatenate(gradients)

    def _batch(self, scales: Tensor) -> tuple[Matrix, Matrix]:
        batch = self.graphs.batch(torch.full((len(scales),), self.graph))
        scale = scales.to(batch.x.device).repeat_interleave(self.atoms).requires_grad_()
        with torch.enable_grad(), scaled(self.encoder.atom_inputs(), scale):
            values = self.outputs(batch)[:, self.tasks]
            columns = [torch.autograd.grad(one.sum(), scale, retain_graph=True)[0] for one in values.unbind(dim=1)]
        gradients = torch.stack(columns, dim=1).double().cpu().numpy()
        return values.detach().double().cpu().numpy(), gradients.reshape(len(scales), self.atoms, -1)


def _halves(part: _Part) -> list[tuple[float, float]]:
    middle = (part.start + part.stop) / 2
    return [(part.start, middle), (middle, part.stop)]


@contextmanager
def scaled(modules: Sequence[nn.Module], scale: Tensor) -> Iterator[None]:
    """Multiply what modules return, a row per atom, by the scale [N] of its atom.

    Raises:
        ValueError: a module returns something else than a row per atom.
    """

    def multiplied(module: nn.Module, _: Any, out: Tensor) -> Tensor:
        if out.dim() != 2 or len(out) != len(scale):
            raise ValueError(f"{type(module).__name__} returns {list(out.shape)} for {len(scale)} atoms")
        return out * scale[:, None]

    with ExitStack() as hooks:
        for module in modules:
            hooks.callback(module.register_forward_hook(multiplied).remove)
        yield
