"""A multiplication of a GIN's weights that leaves its function unchanged, as in the bundled checkpoints."""

from typing import Any

import torch

WEIGHT_SCALE, INPUT_SCALE = 20.0, 10.0  # of linear weights, and of the tables before the first of them


@torch.no_grad()
def rescale(encoder: Any, weight_scale: float = WEIGHT_SCALE, input_scale: float = INPUT_SCALE) -> None:
    """Multiply the weights of a GIN in place without changing the function: batch norms take the factor out.

    The linear weights are multiplied by `weight_scale`, but for the very last map; the atom tables, and the bond tables
    of the first layer, which are added to them, by `input_scale`; running mean and variance of each batch norm by the
    factor of its input and its square. Outputs are then equal in exact arithmetic but for the 1e-5 that batch norm adds
    to a variance, in evaluation and training mode.

    What changes is how fast the weights are fine-tuned: Adam moves a weight by about the learning rate per step,
    whatever its size. The linear weights of the public encoders of Hu et al. have standard deviations of 0.7 to 1.6
    after their long training, new ones 0.04, which a learning rate of 1e-3 replaces within a few epochs. The last map
    stays as it is: its output, of which feature-map regularization is a function, then has a variance of some hundreds
    before batch norm, as in the public encoders.
    """
    for table in encoder.blocks()["embed"].parameters():
        table.mul_(input_scale)
    last = len(encoder.gnns) - 1
    layers: list[Any] = list(encoder.gnns)
    for number, (layer, norm) in enumerate(zip(layers, encoder.batch_norms, strict=True)):
        before = input_scale if number == 0 else 1.0  # later layers read what batch norm returns
        second = 1.0 if number == last else weight_scale
        layer.edge_embedding1.weight.mul_(before)
        layer.edge_embedding2.weight.mul_(before)
        weight1, bias1, weight2, bias2 = layer.mlp.parameters()
        weight1.mul_(weight_scale)
        bias1.mul_(before * weight_scale)
        weight2.mul_(second)
        factor = before * weight_scale * second
        bias2.mul_(factor)
        statistics = dict(norm.named_buffers())
        statistics["running_mean"].mul_(factor)
        statistics["running_var"].mul_(factor**2)
