"""Encoders that promise to ask a GPU for nothing: no operation of theirs moves a number between host and device."""

from collections.abc import Sequence
from typing import Any

import pytest
from encoders import SMALL, batch_for
from torch.utils._python_dispatch import TorchDispatchMode

from roftbench.models.encoder import Encoder, Predictor
from roftbench.models.graphgps import GraphGPS

# `.item()` and its like; a tensor made from Python numbers; what has as many rows as numbers say.
ASKING = ("_local_scalar_dense", "lift_fresh", "nonzero", "masked_select", "unique", "_unique2", "bincount")


class Watching(TorchDispatchMode):
    """Takes note of operations that wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in ASKING:
            self.asked.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def asked(encoder: Encoder, *, training: bool) -> list[str]:
    """Return which operations wait for a GPU, forward and backward."""
    batch = batch_for(encoder)
    model = Predictor(encoder, 1).train(training)
    with Watching() as watching:
        model(batch).sum().backward()
    return watching.asked


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_a_promise_is_kept(name: str, training: bool) -> None:
    encoder = SMALL[name]()
    assert encoder.asks_nothing
    assert asked(encoder, training=training) == []


def test_who_asks_is_noticed_and_promises_nothing() -> None:
    encoder = GraphGPS(num_layers=2, dim=8, num_heads=2, walk_dim=4)
    assert not encoder.asks_nothing
    assert "_local_scalar_dense" in asked(encoder, training=False)
