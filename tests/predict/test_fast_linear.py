"""Linear layers by oneDNN: equal to torch's own up to rounding, and nothing else is touched."""

from typing import Any

import pytest
import torch
from graphs import SMILES, batch_of
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from roftbench.models.encoder import Predictor
from roftbench.models.gin import GIN
from roftbench.predict.fast_linear import FastLinear


class Operations(TorchDispatchMode):
    """Collects the names of what torch executes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))

    @property
    def fast(self) -> int:
        return sum("mkldnn._linear_pointwise" in name for name in self.names)


def test_a_network_has_the_same_outputs_up_to_rounding() -> None:
    torch.manual_seed(0)
    model, batch = Predictor(GIN(num_layers=3, dim=64), 4).eval(), batch_of(SMILES)
    with torch.no_grad():
        wanted = model(batch)
        with FastLinear(), Operations() as seen:
            found = model(batch)
    assert seen.fast == 7  # two per layer, and the head
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "x",
    [torch.ones(3, 8, dtype=torch.float64), torch.ones(0, 8), torch.ones(2, 3, 8), torch.ones(3, 8, device="meta")],
    ids=["float64", "empty", "3-D", "device"],
)
def test_what_it_does_not_cover_is_left_to_torch(x: Tensor) -> None:
    layer = nn.Linear(8, 2, dtype=x.dtype, device=x.device)
    with torch.no_grad():
        wanted = layer(x)
        with FastLinear(), Operations() as seen:
            found = layer(x)
    assert seen.fast == 0
    assert found.shape == wanted.shape
    assert x.device.type == "meta" or torch.equal(found, wanted)


def test_gradients_and_autocast_are_left_to_torch() -> None:
    layer, x = nn.Linear(8, 2, bias=False), torch.ones(3, 8)
    with FastLinear(), Operations() as seen:
        layer(x).sum().backward()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            assert layer(x).dtype == torch.bfloat16
        assert seen.fast == 0
        with torch.no_grad():
            layer(x)
    assert seen.fast == 1
    assert layer.weight.grad is not None
