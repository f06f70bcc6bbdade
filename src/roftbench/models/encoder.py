"""Interface between models and methods: an encoder with named blocks, and a predictor with a head on top."""

import re
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from roftbench.data.featurizers.base import HU
from roftbench.data.packed import Batch

HEAD = "head"
ADDED = "added"  # block of the modules that a method adds to the network

State = dict[str, Tensor]


class Weights(NamedTuple):
    """Tensors of a checkpoint, and the arguments of the encoder's class that it states."""

    state: State
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Nodes:
    """Node states after the last block.

    Attributes:
        out: states that are pooled, [N, d].
        features: states that the method `feature_map` compares, [N, d]. For the GIN family, the output of the last
            layer's MLP, before its batch norm (docs/protocol.md).
    """

    out: Tensor
    features: Tensor


class Site(NamedTuple):
    """Modules of a layer to which a method may add its own, by forward hooks of torch.

    Attributes:
        layer: its first argument is the input of the layer, [N, d], which a hook may replace.
        own: its first argument is that input once for each node that receives messages.
        map: its first argument is what the layer has collected from the neighbors, [N, k]; None if that is the layer's
            output.
        norm: its output, [N, d'], is the layer's, before activation and dropout.
        widths: d, k and d'.
    """

    layer: nn.Module
    own: nn.Module
    map: nn.Module | None
    norm: nn.Module
    widths: tuple[int, int, int]


class Encoder(nn.Module, ABC):
    """Base class of graph encoders: node states of a batch, from named blocks that methods train or freeze.

    A subclass implements `blocks` and `forward` and sets `self.dim`. All methods work with it.

    Attributes:
        featurizer: name of the featurizer whose graphs it reads: an option of `conf/featurizer/`, or the import path of
            a `Featurizer` in a plug-in.
        dim: width of the graph representations.
        omitted_at_default: parameters that enter a job's key only where they differ from their default.
        imports: parameters that hold the import path of a class, and the base of that class.
        random_only: reason why no checkpoint may be loaded into this instance; empty if any may.
    """

    featurizer: ClassVar[str] = HU
    omitted_at_default: ClassVar[tuple[str, ...]] = ()
    imports: ClassVar[Mapping[str, type]] = {}
    random_only: str = ""
    dim: int

    @property
    def protocol(self) -> int | None:
        """Version of the network's training; where it is set, it is part of the keys of jobs that train the network."""
        return None

    @abstractmethod
    def blocks(self) -> dict[str, nn.Module]:
        """Return the named parts in order ("embed", "layer0", …); each parameter and buffer is in exactly one."""

    @abstractmethod
    def forward(self, batch: Batch) -> Nodes:
        """Return the node states of a batch of N nodes, [N, d]."""

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Return graph representations z [B, d], pooled from node states [N, d]; by default their mean."""
        return torch.segment_reduce(out, "mean", offsets=batch.node_ptr, axis=0)

    def make_head(self, num_tasks: int) -> nn.Module:
        """Return a new head with random weights, from z [B, d] to logits [B, T]; by default a linear map.

        The whole head is the block "head", which `lp` trains. It has no running statistics and no dropout.

        Raises:
            ValueError: the encoder does not set `dim`.
        """
        if not hasattr(self, "dim"):
            raise ValueError(f"{type(self).__name__} sets no self.dim, the width of its representations")
        return nn.Linear(self.dim, num_tasks)

    def sites(self) -> list[Site]:
        """Return the places in each layer, in order, that adapters and prompts need; by default none."""
        return []

    def atom_inputs(self) -> list[nn.Module]:
        """Return the modules whose outputs, a row per atom, are all that states know of the atoms; by default none.

        `roftbench predict explain=true` needs them. If all of them return zeros, no state may depend on what the atoms
        are, only on bonds and on the shape of the graph.
        """
        return []

    @classmethod
    def read(cls, content: bytes, what: str) -> Weights | None:
        """Return the weights of a file in a format of the encoder's own, named `what` in messages; by default None.

        None stands for safetensors or a state dict, which state no arguments. An argument that is null in a config is
        filled in from a user's file. The encoder keeps arguments as attributes of the same names.

        Raises:
            UsageError: the file cannot be read.
        """
        return None

    def translate(self, state: State) -> State:
        """Return the tensors of a published checkpoint under this encoder's names; by default unchanged."""
        return state

    def pool(self, nodes: Nodes, batch: Batch) -> Tensor:
        """Return the `readout` of node states, z [B, d]."""
        return self.readout(nodes.out, batch)

    def represent(self, batch: Batch) -> Tensor:
        """Return graph representations z [B, d] of a batch."""
        nodes: Nodes = self(batch)
        return self.pool(nodes, batch)


class Predictor(nn.Module):
    """An encoder with its head, from a batch of B graphs to logits (or values) [B, T].

    `added` holds the modules that a method has added (`Method.extend`), which forward hooks or parametrizations of the
    encoder's modules call.
    """

    def __init__(self, encoder: Encoder, num_tasks: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = encoder.make_head(num_tasks)
        self.added = nn.ModuleDict()
        self.num_tasks = num_tasks

    def forward(self, batch: Batch) -> Tensor:
        """Return logits [B, T]."""
        logits: Tensor = self.head(self.represent(batch))
        return logits

    def represent(self, batch: Batch) -> Tensor:
        """Return graph representations z [B, d]."""
        return self.encoder.represent(batch)

    def blocks(self) -> dict[str, nn.Module]:
        """Return the encoder's blocks in order, the modules that a method has added if there are any, and the head."""
        added = {ADDED: self.added} if len(self.added) else {}
        return {**self.encoder.blocks(), **added, HEAD: self.head}

    def keys_of_blocks(self) -> dict[str, str]:
        """Map each key of the state dict to the name of its block.

        Raises:
            ValueError: a parameter or buffer is in no block or in two.
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
        """Train the blocks `names` and freeze the others.

        Frozen parameters have no gradient. With frozen_mode "eval", frozen blocks have no dropout and fixed running
        statistics; with "train" both stay active, as in the code of RoFt-Mol (docs/protocol.md).
        """
        trained = set(names)
        for name, block in self.blocks().items():
            active = name in trained
            block.train(active or frozen_mode == "train")
            block.requires_grad_(active)


def is_hooked(*modules: nn.Module) -> bool:
    """Return whether a module has forward hooks, so that a shortcut around its call would leave them out."""
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def renamed(state: State, unused: tuple[str, ...], names: Sequence[tuple[str, str]]) -> State:
    """Return tensors under the names that patterns make of theirs, without those whose names begin with `unused`."""
    found: State = {}
    for key, tensor in state.items():
        if not key.startswith(unused):
            for pattern, name in names:
                key = re.sub(pattern, name, key)
            found[key] = tensor
    return found


def copy_state(module: nn.Module, keys: Container[str] | None = None) -> State:
    """Return a copy of a module's weights and buffers (all, or those of `keys`) that later training leaves as it is."""
    state = module.state_dict()
    return {key: value.detach().clone() for key, value in state.items() if keys is None or key in keys}
