"""Distance of a fit from the pretrained model, in weights and in representations (docs/protocol.md §5)."""

import math
import re
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from roftbench.models.encoder import Encoder, State
from roftbench.store.record_schema import SHIFT_MOLECULES

if TYPE_CHECKING:
    from roftbench.runner.members import Tuned
    from roftbench.runner.network import NetworkExperiment

PARAMETRIZED = re.compile(r"\.parametrizations\.(\w+)\.original$")  # in the name that torch gives a parameter


def shift_of(experiment: "NetworkExperiment", fitted: "Tuned") -> dict[str, Any]:
    """Return the fields of a candidate's result on its shift, means over the networks of an ensemble.

    Representations are those of at most SHIFT_MOLECULES molecules, evenly spaced in the test part, whose labels are not
    read. Nothing is returned for an ensemble on random weights, as each of its networks starts from others.
    """
    if fitted.others and not experiment.job.model.has_weights:
        return {}
    start, test = experiment.start, experiment.objective.test
    count = min(len(test), SHIFT_MOLECULES)
    index = test[torch.arange(count) * len(test) // max(count, 1)]
    before: State = {key.removeprefix("encoder."): one for key, one in experiment.plain_start.state.items()}
    weights, features = [], []
    for model in experiment.networks(fitted):
        weights.append(parameter_shift(model.encoder, before))
        if len(index) < 2 or start.is_pretrained(model):
            features.append(0.0 if len(index) > 1 else None)
        else:
            features.append(feature_shift(start.own_representations(index), start.representations(model, index)))
    return {
        "parameter_shift": {block: _mean([one[block] for one in weights]) for block in weights[0]},
        "feature_shift": _mean(features),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def parameter_shift(encoder: Encoder, start: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Return ‖θ − θ⁰‖/‖θ⁰‖ over the parameters of each block of an encoder; None where θ⁰ is zero.

    Running statistics do not count. A matrix that a method parametrizes counts as the network uses it, so that LoRA's
    product is a shift; what a method adds beside the weights, such as adapters and prompts, is none.

    Args:
        encoder: the fine-tuned encoder.
        start: θ⁰, by the names of the parameters before a method extended the network.
    """
    name_of = {id(tensor): name for name, tensor in encoder.named_parameters()}
    found: dict[str, float | None] = {}
    for block, module in encoder.blocks().items():
        names = {PARAMETRIZED.sub(r".\1", name_of[id(tensor)]) for tensor in module.parameters()}
        pairs = [(attrgetter(name)(encoder).detach(), start[name]) for name in sorted(names & start.keys())]
        moved, size = (_norm(one) for one in ([now - before for now, before in pairs], [one for _, one in pairs]))
        found[block] = moved / size if size else None
    return found


def _norm(tensors: list[Tensor]) -> float:
    return math.sqrt(sum(float(one.double().square().sum()) for one in tensors))


def linear_cka(x: Tensor, y: Tensor) -> float | None:
    """Return the linear centered kernel alignment of representations of the same n molecules, x [n, d] and y [n, k].

    ‖YᵀX‖²/(‖XᵀX‖·‖YᵀY‖) with Frobenius norms and centered columns (Kornblith et al., ICML 2019, section 3): 1 for
    representations that are equal up to rotation and scale. None where either is the same for all molecules.
    """
    x, y = (one.double() - one.double().mean(dim=0) for one in (x, y))
    both = torch.linalg.matrix_norm(x.T @ x) * torch.linalg.matrix_norm(y.T @ y)
    return float((y.T @ x).square().sum() / both) if both > 0 else None


def feature_shift(x: Tensor, y: Tensor) -> float | None:
    """Return 1 − linear CKA of representations, in [0, 1]; None where it is undefined."""
    if torch.equal(x, y):
        return 0.0
    cka = linear_cka(x, y)
    return None if cka is None else min(max(1 - cka, 0.0), 1.0)
