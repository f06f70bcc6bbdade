"""Layers of convolution, batch norm, ReLU (not after the last) and dropout: what several published encoders are."""

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from roftbench.models.acceleration import Map
from roftbench.models.dropout import dropout as drop
from roftbench.models.dropout import relu_dropout_
from roftbench.models.encoder import Nodes

End = Callable[[Tensor, Map], Nodes]


def check_sizes(num_layers: int, dim: int, dropout: float) -> None:
    """Raise ValueError unless there can be such layers."""
    if num_layers < 1 or dim < 1 or not 0 <= dropout < 1:
        raise ValueError(f"num_layers ≥ 1, dim ≥ 1, 0 ≤ dropout < 1; got {num_layers}, {dim}, {dropout}")


def layer_blocks(convolutions: Iterable[nn.Module], norms: Iterable[nn.Module]) -> dict[str, nn.Module]:
    """Return the blocks "layer0", …, each a convolution with its batch norm."""
    return {f"layer{i}": nn.ModuleList(pair) for i, pair in enumerate(zip(convolutions, norms, strict=True))}


def run_layers(h: Tensor, layers: Sequence[Map], norms: nn.ModuleList, dropout: float, end: End | None = None) -> Nodes:
    """Return the node states after all layers, from h [N, d]; each takes states and returns those before its norm.

    `features` is what comes before the last batch norm. With `end`, which a last norm in evaluation mode allows, the
    nodes are what it makes of the last layer's states and that norm.
    """
    # Each layer's mode decides its dropout, so that a frozen layer is silent while its neighbors train.
    for layer, norm in zip(layers[:-1], norms[:-1], strict=True):
        h = relu_dropout_(norm(layer(h)), dropout, training=norm.training)
    last, norm = layers[-1](h), norms[-1]
    if end is not None:
        return end(last, norm)
    return Nodes(out=drop(norm(last), dropout, training=norm.training), features=last)
