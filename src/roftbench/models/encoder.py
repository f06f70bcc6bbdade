"""What the methods see of a model: an encoder that tells its blocks, and a predictor with a head on top."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from roftbench.data.color_refinement import Shared
from roftbench.data.featurizers.registry import HU
from roftbench.data.packed import Batch
from roftbench.models.segment_ops import for_nodes, mean_for

HEAD = "head"

State = dict[str, Tensor]
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Nodes:
    """Node states after the last block: `out` [N, d] is pooled, `features` [N, d] is what feature_map compares.

    For the GIN family `features` is the output of the last layer's MLP, before its batch norm (docs/protocol.md).
    """

    out: Tensor
    features: Tensor

    def mean(self, batch: Batch) -> Tensor:
        """Return the mean of `out` over the nodes of each graph, [B, d]."""
        return _mean(self.out, batch)


class UnfinishedNodes(Nodes):
    """Node states whose last steps, `finish` and `norm`, are affine maps of each node's own `states` [N, k].

    The mean over nodes commutes with such maps, so that they are worked out for B graphs instead of N nodes. Where
    `shared` is given, states [V, k] are those of its colors.
    """

    _states: Tensor
    _finish: Map
    _norm: Map
    _shared: Shared | None

    def __init__(self, states: Tensor, norm: Map, finish: Map, shared: Shared | None = None) -> None:
        vars(self).update(_states=states, _finish=finish, _norm=norm, _shared=shared)

    @cached_property
    def features(self) -> Tensor:
        """Node states before the norm, [N, d]."""
        features = self._finish(self._states)
        return features if self._shared is None else for_nodes(features, self._shared)

    @cached_property
    def out(self) -> Tensor:
        """Node states, [N, d]."""
        return self._norm(self.features)

    def mean(self, batch: Batch) -> Tensor:
        """Return the mean of `out` over the nodes of each graph, [B, d]."""
        pooled = _mean(self._states, batch) if self._shared is None else mean_for(self._states, self._shared, batch)
        return self._norm(self._finish(pooled))


def _mean(states: Tensor, batch: Batch) -> Tensor:
    return torch.segment_reduce(states, "mean", offsets=batch.node_ptr, axis=0)


class Encoder(nn.Module, ABC):
    """A network that also tells its parts. A new architecture is one subclass; no method needs to know it.

    `featurizer` names the graphs that it reads, one of `data.featurizers.registry.FEATURIZERS`; `dim` is the width of
    its representations. `asks_nothing` is a promise: what it does never waits for a number from a GPU (no `.item()`, no
    boolean mask, no size that follows from values), so that validation can be replayed as a CUDA graph. A subclass does
    not inherit it: it may do more. `omitted_at_default` names parameters that are no part of a job's identity at their
    default value (`config.schema.naming_params`). `random_only` is empty, or the reason why no checkpoint may be
    loaded into this encoder.
    """

    featurizer: ClassVar[str] = HU
    asks_nothing: ClassVar[bool] = False
    omitted_at_default: ClassVar[tuple[str, ...]] = ()
    random_only: str = ""
    dim: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.asks_nothing = bool(vars(cls).get("asks_nothing", False))

    @abstractmethod
    def blocks(self) -> dict[str, nn.Module]:
        """Return the named parts in order ("embed", "layer0", …); each parameter and buffer is in exactly one."""

    @abstractmethod
    def forward(self, batch: Batch) -> Nodes:
        """Return the node states of a batch."""

    def shared_layers(self) -> int:
        """Return how many of its first layers, in the mode it is in, give atoms with equal surroundings equal states.

        A batch made with that number holds what is needed to work them out once (`Batch.shared`). None unless an
        encoder says otherwise.
        """
        return 0

    def frozen_layers(self) -> int:
        """Return how many of its first layers will not move: no gradient, and in evaluation mode.

        What they make of a batch, `begin` says; with that in it (`Batch.begun`), the encoder goes on from there.
        None unless an encoder says otherwise.
        """
        return 0

    def begin(self, batch: Batch) -> Tensor:
        """Return node states [N, d] after the frozen layers; asked for only where there are any."""
        raise NotImplementedError(f"{type(self).__name__} has `frozen_layers`, but no `begin`")

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Pool node states [N, d] to graph representations z [B, d]; the mean unless a subclass says otherwise."""
        return _mean(out, batch)

    def pool(self, nodes: Nodes, batch: Batch) -> Tensor:
        """Return `readout` of node states: z [B, d]."""
        return nodes.mean(batch) if type(self).readout is Encoder.readout else self.readout(nodes.out, batch)

    def represent(self, batch: Batch) -> Tensor:
        """Return graph representations z [B, d]."""
        nodes: Nodes = self(batch)
        return self.pool(nodes, batch)

    def make_head(self, num_tasks: int) -> nn.Module:
        """Return a new head with random weights, z [B, d] to logits [B, T]; linear unless a subclass says otherwise.

        All of it is the one block "head": `lp` trains it whole. It has no running statistics and no dropout.
        Raises ValueError for an encoder that does not say how wide its representations are.
        """
        if not hasattr(self, "dim"):
            raise ValueError(f"{type(self).__name__} sets no self.dim, the width of its representations")
        return nn.Linear(self.dim, num_tasks)

    def translate(self, state: State) -> State:
        """Return the tensors of a published checkpoint under this encoder's names; the same unless overridden."""
        return state


class Predictor(nn.Module):
    """An encoder with its head: a batch of B graphs to B rows of T logits (or values)."""

    def __init__(self, encoder: Encoder, num_tasks: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = encoder.make_head(num_tasks)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits [B, T]."""
        logits: Tensor = self.head(self.represent(batch))
        return logits

    def represent(self, batch: Batch) -> Tensor:
        """Return graph representations z [B, d]."""
        return self.encoder.represent(batch)

    def blocks(self) -> dict[str, nn.Module]:
        """Return the encoder's blocks in order, then the head."""
        return {**self.encoder.blocks(), HEAD: self.head}

    def keys_of_blocks(self) -> dict[str, str]:
        """Map each key of the state dict to the name of its block.

        Raises:
            ValueError: a parameter or buffer is in no block, or in two.
        """
        owner: dict[int, str] = {}
        for name, block in self.blocks().items():
            for tensor in block.state_dict(keep_vars=True).values():
                if owner.setdefault(id(tensor), name) != name:
                    raise ValueError(f"a tensor is in two blocks: {owner[id(tensor)]} and {name}")
        state = self.state_dict(keep_vars=True)
        if lost := [key for key, tensor in state.items() if id(tensor) not in owner]:
            raise ValueError(f"in no block of {type(self.encoder).__name__}: {', '.join(lost)}")
        return {key: owner[id(tensor)] for key, tensor in state.items()}

    def set_trained(self, names: Iterable[str], *, frozen_mode: str = "eval") -> None:
        """Train the blocks `names`, freeze the rest: no gradient and, in mode "eval", no dropout, fixed statistics.

        Mode "train" leaves dropout and batch statistics of frozen blocks active, as the authors' code does.
        """
        trained = set(names)
        for name, block in self.blocks().items():
            active = name in trained
            block.train(active or frozen_mode == "train")
            block.requires_grad_(active)


def copy_state(module: nn.Module, keys: Container[str] | None = None) -> State:
    """Return a copy of a module's weights and buffers, all or those of `keys`: later training does not reach it."""
    state = module.state_dict()
    return {key: value.detach().clone() for key, value in state.items() if keys is None or key in keys}
