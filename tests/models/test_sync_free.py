"""Encoders that declare `sync_free`: no operation of theirs moves a number between host and device."""

from collections.abc import Sequence
from typing import Any

import pytest
from encoders import SMALL, batch_for
from torch.utils._python_dispatch import TorchDispatchMode

from roftbench.models.acceleration import is_sync_free
from roftbench.models.encoder import Encoder, Predictor
from roftbench.models.gin import GIN
from roftbench.models.graphgps import GraphGPS

# `.item()` and its like; a tensor made from Python numbers; what has as many rows as numbers say.
SYNCHRONIZING = ("_local_scalar_dense", "lift_fresh", "nonzero", "masked_select", "unique", "_unique2", "bincount")


class Recorder(TorchDispatchMode):
    """Records operations that synchronize with a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in SYNCHRONIZING:
            self.found.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def synchronizations(encoder: Encoder, *, training: bool) -> list[str]:
    """Return which operations synchronize with a GPU, forward and backward."""
    batch = batch_for(encoder)
    model = Predictor(encoder, 1).train(training)
    with Recorder() as recorder:
        model(batch).sum().backward()
    return recorder.found


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_sync_free_encoder_never_synchronizes(name: str, training: bool) -> None:
    encoder = SMALL[name]()
    assert is_sync_free(encoder)
    assert synchronizations(encoder, training=training) == []


def test_encoder_with_sync_is_detected() -> None:
    encoder = GraphGPS(num_layers=2, dim=8, num_heads=2, walk_dim=4)
    assert not is_sync_free(encoder)
    assert "_local_scalar_dense" in synchronizations(encoder, training=False)


def test_subclass_does_not_inherit_sync_free() -> None:
    class Undeclared(GIN):
        pass

    class Declared(GIN):
        sync_free = True

    assert [is_sync_free(kind(2, 8)) for kind in (GIN, Declared, Undeclared)] == [True, True, False]
