"""Model files of chemprop 2: weights, and the hyperparameters that they state.

Two layouts are read. A model of `chemprop train` (`.pt`, or Lightning's `.ckpt`) holds message passing, aggregation,
batch norm and predictor; the predictor is left out. CheMeleon's file holds a message-passing block alone, which
chemprop pools by the mean.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from roftbench.errors import UsageError
from roftbench.models.encoder import Weights
from roftbench.models.inert import Placeholder, class_name, read_inert
from roftbench.models.multi_hot import KINDS, MultiHot

BLOCK = "message_passing."
AGGREGATIONS = {"MeanAggregation": "mean", "SumAggregation": "sum", "NormAggregation": "norm"}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "leakyrelu": partial(nn.LeakyReLU, 0.1),  # of chemprop's library; its command line makes the other one
    "leakyrelu0.01": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
SETTINGS = {"elu": ("alpha", 1.0), "gelu": ("approximate", "none"), "leakyrelu": ("negative_slope", 0.1)}


def read_model(content: bytes, what: str) -> Weights | None:
    """Return weights and hyperparameters of a chemprop file, or None for a file without hyperparameters.

    Raises:
        UsageError: the file is damaged, or holds a network other than chemprop's directed message passing on molecules.
    """
    if content[:2] != b"PK":  # chemprop 2 writes zip files alone
        return None
    loaded = read_inert(content, what)
    if isinstance(loaded, dict) and "args" in loaded and "hyper_parameters" not in loaded:
        raise _refused(what, "is a file of chemprop 1", hint="Convert it: chemprop convert -i OLD.pt -o NEW.pt")
    if not isinstance(loaded, dict) or not {"hyper_parameters", "state_dict"} <= loaded.keys():
        return None
    given, state = loaded["hyper_parameters"], loaded["state_dict"]
    if not isinstance(given, dict) or not isinstance(state, dict) or not all(map(_is_tensor, state.items())):
        raise _refused(what, "has no table of hyperparameters or no state dict")
    if "message_passing" not in given:
        pooled = {"aggregation": "mean", "norm": 100.0, "batch_norm": False}
        return _checked(Weights({**state}, {**_passing(given, what), **pooled}), what)
    passing, pooling = given["message_passing"], given.get("agg")
    if not isinstance(passing, dict) or not isinstance(pooling, dict):
        raise _refused(what, "states neither message passing nor aggregation")
    kept = {key.removeprefix(BLOCK): one for key, one in state.items() if key.startswith((BLOCK, "bn."))}
    arguments = {**_passing(passing, what), **_aggregation(pooling, what)}
    return _checked(Weights(kept, {**arguments, "batch_norm": bool(given.get("batch_norm"))}), what)


def _checked(found: Weights, what: str) -> Weights:
    """Return weights whose width is the one stated: a network as wide as a damaged number could fill the memory."""
    weight, width = found.state.get("W_i.weight"), found.arguments["dim"]
    if weight is None or weight.dim() != 2 or len(weight) != width:
        shape = "none" if weight is None else tuple(weight.shape)
        raise _refused(what, f"states d_h = {width}, which its W_i.weight does not have: {shape}")
    return found


def _is_tensor(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _refused(what: str, reason: str, hint: str = "") -> UsageError:
    return UsageError(f"{what} {reason}", key="model.checkpoint", got=what, hint=hint)


def _passing(given: dict[str, Any], what: str) -> dict[str, Any]:
    """Return the arguments of `DMPNN` that a block of message passing states."""
    name = class_name(given.get("cls"))
    if name not in (None, "BondMessagePassing"):
        raise _refused(what, f"holds chemprop's {name}: BondMessagePassing alone can be loaded")
    if given.get("d_vd"):
        raise _refused(what, f"wants {given['d_vd']} more descriptors per atom, which are not supported")
    kinds = {(one.num_atom, one.num_bond): name for name, one in ((name, MultiHot(name)) for name in KINDS)}
    widths = (_number(given, "d_v", int, what), _number(given, "d_e", int, what))
    if widths not in kinds:
        allowed = [f"{atoms} and {bonds} ({name})" for (atoms, bonds), name in kinds.items()]
        reason = (
            f"reads vectors of {widths[0]} and {widths[1]} columns for atoms and bonds; allowed: {', '.join(allowed)}"
        )
        raise _refused(what, f"{reason}. Features of your own are not supported")
    return {
        "dim": _number(given, "d_h", int, what),
        "depth": _number(given, "depth", int, what),
        "features": kinds[widths],
        "bias": bool(given.get("bias", False)),
        "undirected": bool(given.get("undirected", False)),
        "dropout": _number({"dropout": 0.0, **given}, "dropout", float, what),
        "activation": _activation(given.get("activation", "relu"), what),
    }


def _aggregation(given: dict[str, Any], what: str) -> dict[str, Any]:
    name = class_name(given.get("cls"))
    if name not in AGGREGATIONS:
        raise _refused(what, f"aggregates by {name}; allowed: {', '.join(AGGREGATIONS)}")
    return {"aggregation": AGGREGATIONS[name], "norm": _number({"norm": 100.0, **given}, "norm", float, what)}


def _activation(given: Any, what: str) -> str:
    """Return the name of an activation, given as text, as a member of an enumeration, or as a module."""
    text = given.args[0] if isinstance(given, Placeholder) and given.args else class_name(given) or given
    name = str(text).lower()
    state = given.state if isinstance(given, Placeholder) and isinstance(given.state, dict) else {}
    setting, usual = SETTINGS.get(name, ("", None))
    value = state.get(setting, usual)
    name += "" if value == usual else str(value)
    if name not in ACTIVATIONS:
        raise _refused(what, f"has the activation {name}; allowed: {', '.join(ACTIVATIONS)}")
    return name


def _number(given: dict[str, Any], name: str, kind: type, what: str) -> Any:
    value = given.get(name)
    try:
        number = kind(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is not None and number == value and math.isfinite(number):
            return number
    except (OverflowError, ValueError):  # infinite, not a number, or too large
        pass
    raise _refused(what, f"states no {name}")
