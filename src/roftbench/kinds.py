"""Which methods go with which models: those of networks, and estimators on fingerprints."""

from typing import Any

from roftbench.catalog import options
from roftbench.errors import UsageError
from roftbench.job import FINGERPRINT, NETWORK, MethodSpec, ModelSpec
from roftbench.methods.base import Method
from roftbench.methods.estimator import Estimator
from roftbench.models.encoder import Encoder
from roftbench.models.fingerprint import Fingerprint
from roftbench.plugins import import_name

KINDS: dict[str, dict[str, type]] = {
    NETWORK: {"model": Encoder, "method": Method},
    FINGERPRINT: {"model": Fingerprint, "method": Estimator},
}
SHOWN = 10  # names in a message


def kind_of(instance: Any, group: str, target: str) -> str:
    """Return the kind of a model or method built from `target`; raises UsageError where it is neither."""
    for name, kind in KINDS.items():
        if isinstance(instance, kind[group]):
            return name
    bases = " or ".join(f"{kind[group].__module__}.{kind[group].__qualname__}" for kind in KINDS.values())
    raise UsageError(f"{group}._target_={target} is no subclass of {bases}")


def check_pair(model: ModelSpec, method: MethodSpec) -> None:
    """Raise UsageError unless the method goes with the model."""
    if model.kind != method.kind:
        raise UsageError(
            f"model={model.name} is a {model.kind}, but method={method.name} is for a {method.kind}. Allowed with"
            f" model={model.name}: method={_names('method', model.kind)}. Allowed with method={method.name}:"
            f" model={_names('model', method.kind)}."
        )


def _names(group: str, kind: str) -> str:
    """Return the shipped options of a group that are of a kind."""
    base = KINDS[kind][group]
    names = [name for name, content in options(group).items() if issubclass(import_name(content["_target_"]), base)]
    return ",".join(names) if len(names) <= SHOWN else f"{','.join(names[:SHOWN])},… (see roftbench list {group}s)"
