"""Stack of convolution, batch norm, ReLU (not after the last) and dropout, shared by several published encoders."""

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from roftbench.models.acceleration import Map
from roftbench.models.dropout import dropout as drop
from roftbench.models.dropout import relu_dropout_
from roftbench.models.encoder import Nodes

End = Callable[[Tensor, Map], Nodes]


def check_sizes(num_layers: int, dim: int, dropout: float) -> None:
    """Raise ValueError for impossible sizes."""
    if num_layers < 1 or dim < 1 or not 0 <= dropout < 1:
        raise ValueError(f"num_layers ≥ 1, dim ≥ 1, 0 ≤ dropout < 1; got {num_layers}, {dim}, {dropout}")


def layer_blocks(convolutions: Iterable[nn.Module], norms: Iterable[nn.Module]) -> dict[str, nn.Module]:
    """Return the blocks "layer0", …, each a convolution with its batch norm."""
    return {f"layer{i}": nn.ModuleList(pair) for i, pair in enumerate(zip(convolutions, norms, strict=True))}


def run_layers(h: Tensor, layers: Sequence[Map], norms: nn.ModuleList, dropout: float, end: End | None = None) -> Nodes:
    """Return the node states after all layers.

    Args:
        h: states before the first layer, [N, d].
        layers: maps from states to those before the layer's norm.
        norms: batch norms of the layers.
        dropout: probability of dropout.
        end: function from the last layer's states and its norm to nodes; valid if that norm is in evaluation mode.

    Returns:
        Nodes whose `features` are the states before the last batch norm.
    """
    # The mode of each layer's norm decides its dropout, so that frozen layers have none while others train.
    for layer, norm in zip(layers[:-1], norms[:-1], strict=True):
        h = relu_dropout_(norm(layer(h)), dropout, training=norm.training)
    last, norm = layers[-1](h), norms[-1]
    if end is not None:
        return end(last, norm)
    return Nodes(out=drop(norm(last), dropout, training=norm.training), features=last)
