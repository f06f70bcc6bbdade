"""Batch-norm statistics of published files, compared with those of molecules."""

from typing import Any

import torch
from graphs import batch_of
from lab import PLACES
from torch import Tensor, nn

from roftbench.config.dataset_specs import dataset_specs
from roftbench.data.packed import Batch
from roftbench.data.table.load import read_table


def shapes(encoder: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in encoder.state_dict().items()}


def lipo(count: int) -> Batch:
    """Return the first molecules of Lipo."""
    spec = dataset_specs()["lipo"]
    assert spec is not None
    return batch_of(read_table(spec, PLACES).smiles[:count])


def distances(encoder: Any, batch: Batch) -> tuple[list[float], list[float]]:
    """Compare what comes before each batch norm with its running statistics.

    Returns for each layer how far the mean is off, in running standard deviations, and how far the logarithm of the
    variance, both as mean over the dimensions.
    """
    seen: list[Tensor] = []
    for norm in encoder.batch_norms:
        norm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        assert encoder.eval()(batch).out is not None
    means, variances = [], []
    for x, norm in zip(seen, encoder.batch_norms, strict=True):
        means.append(((x.mean(0) - norm.running_mean).abs() / norm.running_var.sqrt()).mean().item())
        variances.append((x.var(0) / norm.running_var).log().abs().mean().item())
    return means, variances
