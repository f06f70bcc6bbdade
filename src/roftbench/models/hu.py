"""Common parts of the encoders of Hu et al. (ICLR 2020): atom and bond tables, sums over neighbors, norms, blocks.

Key names are those of their public files, which load without translation.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.color_refinement import Hop, Shared, whole_hop
from roftbench.data.packed import Batch
from roftbench.models.acceleration import Accelerated, DeferredNodes, Map
from roftbench.models.encoder import Nodes, Site, is_hooked
from roftbench.models.layers import End, check_sizes, layer_blocks, run_layers
from roftbench.models.segment_ops import for_nodes

NUM_ATOM_TYPES = 120  # atomic number - 1; the last row is the mask of masking pretraining
NUM_CHIRALITIES = 3
NUM_BOND_TYPES = 6  # single, double, triple, aromatic, self-loop, mask
NUM_BOND_DIRECTIONS = 3
MASK_ATOM, SELF_LOOP, MASK_BOND = 119, 4, 5


class _Collect(torch.autograd.Function):
    """Σ_j h_j + (counts · tables)_i over the messages j that enter i: h [U, d], tables [K, d], counts [V, K]."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, tables: Tensor, counts: Tensor, hop: Hop) -> Tensor:
        ctx.save_for_backward(counts)
        ctx.hop = hop
        return F.embedding_bag(hop.source, h, hop.offsets[:-1], mode="sum").addmm_(counts, tables)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (counts,), hop = ctx.saved_tensors, ctx.hop
        grad = grads[0].contiguous()
        states, tables, *_ = ctx.needs_input_grad
        return (
            F.embedding_bag(hop.target, grad, hop.starts[:-1], mode="sum") if states else None,
            counts.T @ grad if tables else None,
            None,
            None,
        )


def as_autocast(*tensors: Tensor) -> list[Tensor]:
    """Return tensors in the type of autocast if it is on, for functions that autocast does not cover."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return list(tensors)
    return [tensor.to(torch.get_autocast_dtype(device)) for tensor in tensors]


class Convolution(nn.Module, ABC):
    """Base class of message passing steps with embeddings of bonds.

    Bond embeddings do not depend on node states, so their sum over the bonds of a node is a count of bonds times two
    small tables, and no [E, d] tensor is needed.
    """

    def __init__(self, width: int, **parts: nn.Module) -> None:
        """Register the modules that transform node states, then create bond tables of the given width."""
        super().__init__()
        self.own = nn.Identity()  # called only where it has hooks
        for name, part in parts.items():
            self.add_module(name, part)
        self.edge_embedding1 = nn.Embedding(NUM_BOND_TYPES, width)
        self.edge_embedding2 = nn.Embedding(NUM_BOND_DIRECTIONS, width)
        nn.init.xavier_uniform_(self.edge_embedding1.weight)
        nn.init.xavier_uniform_(self.edge_embedding2.weight)

    @abstractmethod
    def begin(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return states [V, k] from h [U, d] and the result of `count` for the hop."""

    @property
    def after_sum(self) -> nn.Module | None:
        """The module that reads the sum over neighbors; None if that sum is the convolution's output."""
        return None

    def finish(self, states: Tensor) -> Tensor:
        """Return new node states [V, d], an affine map of the result of `begin`; by default the identity."""
        return states

    def forward(self, h: Tensor, hop: Hop, counts: Tensor) -> Tensor:
        """Return new node states [V, d] from h [U, d] and the result of `count` for the hop."""
        if is_hooked(self.own):
            self.own(h[hop.source[hop.offsets[:-1]]])  # a node's own message comes first
        return self.finish(self.begin(h, hop, counts))

    @staticmethod
    def count(hop: Hop, dtype: torch.dtype) -> Tensor:
        """Return the number of bonds that enter each node, [V, 9], shared by all layers with the same hop."""
        return count_bonds(hop, torch.ones(len(hop.degree), dtype=dtype, device=hop.degree.device))

    def bond_tables(self) -> Tensor:
        """Return the embeddings of bond types and directions in the order of the columns of `count`, [9, width]."""
        return torch.cat([self.edge_embedding1.weight, self.edge_embedding2.weight])


def collect(h: Tensor, tables: Tensor, hop: Hop, counts: Tensor) -> Tensor:
    """Return Σ_j (h_j + e_ji), j over the bonds that enter i and the self-loop: [V, d].

    Args:
        h: node states, [U, d].
        tables: embeddings of bonds, [9, d].
        hop: messages of the layer.
        counts: number of entering bonds by type and direction, [V, 9].
    """
    return _Collect.apply(*as_autocast(h, tables, counts), hop)  # type: ignore[no-any-return, no-untyped-call]


def bond_kinds(hop: Hop, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the kind of each message's bond, [M], and type and direction of the 18 kinds, one-hot, [18, 9]."""
    types, directions = (
        torch.eye(size, dtype=dtype, device=hop.attr.device) for size in (NUM_BOND_TYPES, NUM_BOND_DIRECTIONS)
    )
    kinds = [types.repeat_interleave(NUM_BOND_DIRECTIONS, dim=0), directions.repeat(NUM_BOND_TYPES, 1)]
    kind = hop.attr[:, 0] * NUM_BOND_DIRECTIONS + hop.attr[:, 1]
    kind.index_fill_(0, hop.offsets[:-1], SELF_LOOP * NUM_BOND_DIRECTIONS)
    return kind, torch.cat(kinds, dim=1)


def count_bonds(hop: Hop, weight: Tensor) -> Tensor:
    """Return the number of bonds that enter each node by type (6) and direction (3), self-loop included: [V, 9].

    A bond from node j counts weight[j], with weight [U].
    """
    kind, kinds = bond_kinds(hop, weight.dtype)
    return F.embedding_bag(kind, kinds, hop.offsets[:-1], mode="sum", per_sample_weights=weight[hop.source])


class HuEncoder(Accelerated):
    """Base class of the four encoders, which differ in `convolution` alone.

    Node states are the sum of two atom embeddings, followed by layers of convolution, batch norm, ReLU (not after the
    last) and dropout.

    Args:
        num_layers: number of convolutions.
        dim: width of the node states.
        dropout: probability of dropout after each layer.
    """

    convolution: ClassVar[type[Convolution]]

    def __init__(self, num_layers: int = 5, dim: int = 300, dropout: float = 0.5) -> None:
        super().__init__()
        check_sizes(num_layers, dim, dropout)
        self.dim, self.dropout = dim, dropout
        self.x_embedding1 = nn.Embedding(NUM_ATOM_TYPES, dim)
        self.x_embedding2 = nn.Embedding(NUM_CHIRALITIES, dim)
        nn.init.xavier_uniform_(self.x_embedding1.weight)
        nn.init.xavier_uniform_(self.x_embedding2.weight)
        self.gnns = nn.ModuleList(self.convolution(dim) for _ in range(num_layers))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(dim) for _ in range(num_layers))

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" (both atom tables) and "layer0", … (a convolution with its batch norm)."""
        embed = nn.ModuleList([self.x_embedding1, self.x_embedding2])
        return {"embed": embed, **layer_blocks(self.gnns, self.batch_norms)}

    def sites(self) -> list[Site]:
        """Return each convolution with its batch norm; only the map of GIN follows the sum over neighbors."""
        widths = (self.dim, self.dim, self.dim)
        pairs: list[tuple[Any, nn.Module]] = list(zip(self.gnns, self.batch_norms, strict=True))
        return [Site(layer, layer.own, layer.after_sum or norm, norm, widths) for layer, norm in pairs]

    def atom_inputs(self) -> list[nn.Module]:
        """Return the two atom tables."""
        return [self.x_embedding1, self.x_embedding2]

    def shared_layers(self) -> int:
        """Return the number of layers up to the first whose norm trains: dropout and batch statistics follow it.

        Norms with forward hooks, which combine states from several places of a layer, share all layers or none.
        """
        still = sum(1 for _ in takewhile(lambda norm: not norm.training, self.batch_norms))
        if is_hooked(*self.batch_norms) and still < len(self.batch_norms):
            return 0
        return min(still + 1, len(self.batch_norms))

    def frozen_layers(self) -> int:
        """Return the number of frozen layers if the atom tables are frozen; the last layer never counts."""
        if type(self).forward is not HuEncoder.forward or not _still(self.x_embedding1, self.x_embedding2):
            return 0
        still = takewhile(lambda pair: _still(*pair), zip(self.gnns[:-1], self.batch_norms[:-1], strict=True))
        return sum(1 for _ in still)

    def run_frozen_layers(self, batch: Batch) -> Tensor:
        """Return node states [N, d] after the frozen layers; the batch may share no more layers than these."""
        shared, done = batch.shared, self.frozen_layers()
        h = self._before(batch, shared)
        layers = self._reading(list(self.gnns[:done]), batch, shared, h.dtype)
        for layer, norm in zip(layers, self.batch_norms[:done], strict=True):
            h = norm(layer(h)).relu_()
        return h if shared is None else for_nodes(h, shared)

    def forward(self, batch: Batch) -> Nodes:
        """Return node states; `features` is the last convolution's output, before its batch norm."""
        shared = batch.shared
        if shared is not None and batch.layers_done + len(shared.hops) > self.shared_layers():
            shared = None
        h = self._before(batch, shared)
        layers: list[Any] = list(self.gnns[batch.layers_done :])
        hooked = is_hooked(*self.batch_norms)
        if hooked and shared is not None and len(shared.hops) < len(layers):
            shared = None
        everywhere = shared is not None and len(shared.hops) == len(layers)
        end: End | None = partial(_for_nodes_at_last, shared=shared) if hooked and shared is not None else None
        if not (self.batch_norms[-1].training or hooked or is_hooked(self.gnns[-1])):
            last: Any = self.gnns[-1]
            layers[-1] = last.begin
            end = partial(DeferredNodes, finish=last.finish, shared=shared if everywhere else None)
        layers = self._reading(layers, batch, shared, h.dtype)
        if shared is not None and not (everywhere and end):
            layers[len(shared.hops) - 1] = _then_for_nodes(layers[len(shared.hops) - 1], shared)
        return run_layers(h, layers, self.batch_norms[batch.layers_done :], self.dropout, end)

    def _before(self, batch: Batch, shared: Shared | None) -> Tensor:
        """Return the input of the first layer to run: embeddings of atoms or `batch.states`, per color if shared."""
        read = batch.x if batch.states is None else batch.states
        if shared is not None:
            read = read[shared.atoms]
        return read if batch.layers_done else self.x_embedding1(read[:, 0]) + self.x_embedding2(read[:, 1])

    def _reading(self, layers: Sequence[Any], batch: Batch, shared: Shared | None, dtype: torch.dtype) -> list[Map]:
        """Return the layers bound to their hops: between colors as long as these are shared, then between all nodes."""
        count = self.convolution.count
        reads = [] if shared is None else [(hop, count(hop, dtype)) for hop in shared.hops]
        if own := len(layers) - len(reads):
            hop = whole_hop(batch.edge_index, batch.edge_attr, batch.edge_ptr)
            reads += [(hop, count(hop, dtype))] * own
        return [partial(layer, hop=hop, counts=counts) for layer, (hop, counts) in zip(layers, reads, strict=True)]


def _still(*modules: nn.Module) -> bool:
    """Return whether modules are frozen: without gradient and in evaluation mode."""
    return not any(module.training or any(one.requires_grad for one in module.parameters()) for module in modules)


def _for_nodes_at_last(states: Tensor, norm: Map, shared: Shared) -> Nodes:
    """Return node states from those per color before the last norm."""
    return Nodes(out=for_nodes(norm(states), shared), features=for_nodes(states, shared))


def _then_for_nodes(layer: Map, shared: Shared) -> Map:
    """Return a layer whose states per color are expanded to nodes."""
    return lambda h: for_nodes(layer(h), shared)
