"""Scaling of a GIN's weights that leaves its function unchanged, as applied to the bundled checkpoints."""

from typing import Any

import torch

WEIGHT_SCALE, INPUT_SCALE = 20.0, 10.0  # factors of linear weights, and of the tables before the first of them


@torch.no_grad()
def rescale(encoder: Any, weight_scale: float = WEIGHT_SCALE, input_scale: float = INPUT_SCALE) -> None:
    """Scale the weights of a GIN in place without changing its function, as batch norms remove the factors.

    Linear weights except those of the last map are multiplied by `weight_scale`; the atom tables, and the bond tables
    of the first layer, which are added to them, by `input_scale`; running means and variances of batch norms by the
    factor of their input and its square. In exact arithmetic outputs change only by the 1e-5 that batch norm adds to
    variances, in evaluation and training mode.

    The scale determines how fast weights are fine-tuned, as Adam changes a weight by about the learning rate per step
    whatever its size. After their long training, the linear weights of the public encoders of Hu et al. have standard
    deviations of 0.7 to 1.6; those of new encoders have 0.04, and a learning rate of 1e-3 replaces them within a few
    epochs. The last map is not scaled, so that its output, which feature-map regularization compares, has a variance of
    some hundreds before batch norm, as in the public encoders.

    Args:
        encoder: a `roftbench.models.gin.GIN`.
        weight_scale: factor of linear weights.
        input_scale: factor of embedding tables.
    """
    for table in encoder.blocks()["embed"].parameters():
        table.mul_(input_scale)
    last = len(encoder.gnns) - 1
    layers: list[Any] = list(encoder.gnns)
    for number, (layer, norm) in enumerate(zip(layers, encoder.batch_norms, strict=True)):
        before = input_scale if number == 0 else 1.0  # later layers read normalized states
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
