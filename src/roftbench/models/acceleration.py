"""Optional speedups of encoders: replayed evaluation, states shared between atoms, frozen layers computed once.

None of them changes a result; an encoder that uses none is a plain `roftbench.models.encoder.Encoder`.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from roftbench.data.color_refinement import Shared
from roftbench.data.packed import Batch
from roftbench.models.encoder import Encoder, Nodes
from roftbench.models.segment_ops import for_nodes, mean_for

Map = Callable[[Tensor], Tensor]


class Accelerated(Encoder):
    """An encoder that declares which speedups are valid for it; each one is off by default.

    Attributes:
        sync_free: forward and backward never synchronize with the host (no `.item()`, boolean mask, or size that
            depends on values), so evaluation can be captured as a CUDA graph. Not inherited: a subclass may add
            operations that synchronize, and declares it again.
    """

    sync_free: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.sync_free = bool(vars(cls).get("sync_free", False))

    def shared_layers(self) -> int:
        """Return in how many leading layers, in the present mode, atoms with equal surroundings have equal states.

        `forward` may compute these layers once per group of such atoms, described by `Batch.shared`.
        """
        return 0

    def frozen_layers(self) -> int:
        """Return how many leading layers are frozen: without gradient and in evaluation mode.

        Their node states are computed once per stage by `run_frozen_layers`. `forward` then receives them as
        `Batch.states` and skips the first `Batch.layers_done` layers.
        """
        return 0

    def run_frozen_layers(self, batch: Batch) -> Tensor:
        """Return node states [N, d] after the frozen layers; called only if `frozen_layers` is positive."""
        raise NotImplementedError(f"{type(self).__name__} overrides frozen_layers but not run_frozen_layers")

    def pool(self, nodes: Nodes, batch: Batch) -> Tensor:
        """Return graph representations z [B, d]; the mean of `DeferredNodes` is taken before their last maps."""
        if isinstance(nodes, DeferredNodes) and type(self).readout is Encoder.readout:
            return nodes.mean(batch)
        return super().pool(nodes, batch)


class DeferredNodes(Nodes):
    """Node states whose last two steps, the affine maps `finish` and `norm`, are applied when they are needed.

    The mean over nodes commutes with affine maps, so pooling applies them to B graphs instead of N nodes.

    Args:
        states: input of the maps, [N, k]; with `shared`, one row per color, [V, k].
        norm: second map, from `features` to `out`.
        finish: first map, from `states` to `features`.
        shared: the colors that `states` belong to, if atoms share them.
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
        if self._shared is None:
            pooled = torch.segment_reduce(self._states, "mean", offsets=batch.node_ptr, axis=0)
        else:
            pooled = mean_for(self._states, self._shared, batch)
        return self._norm(self._finish(pooled))


def shared_layers(encoder: Encoder) -> int:
    """Return `Accelerated.shared_layers` of an encoder; 0 for a plain one."""
    return encoder.shared_layers() if isinstance(encoder, Accelerated) else 0


def is_sync_free(encoder: Encoder) -> bool:
    """Return `Accelerated.sync_free` of an encoder; False for a plain one."""
    return isinstance(encoder, Accelerated) and encoder.sync_free
