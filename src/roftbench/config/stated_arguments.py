"""Arguments of an encoder that its checkpoint states, such as the hyperparameters in a model file of chemprop."""

from typing import Any

from roftbench.config.kinds import bases_of
from roftbench.config.plugins import import_allowed
from roftbench.models.checkpoints import check_arguments, read_checkpoint
from roftbench.models.config import OWN, PUBLISHED
from roftbench.models.encoder import Encoder


def with_stated_arguments(values: dict[str, Any], plugins: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of a model whose nulls are filled in from the user's file, or left out.

    Values of a class that reads plain weights are returned unchanged.

    Raises:
        UsageError: the file cannot be read, or contradicts a value.
    """
    target = import_allowed(str(values.get("_target_")), "model", plugins, bases_of("model"))
    if not issubclass(target, Encoder) or target.read.__func__ is Encoder.read.__func__:  # type: ignore[attr-defined]
        return values
    location = values.get("checkpoint")
    if location in (None, OWN, PUBLISHED):
        return _without_nulls(values)
    what = f"model.checkpoint={location}"
    weights = target.read(read_checkpoint(str(location)), what)
    stated = {} if weights is None else weights.arguments
    check_arguments(values, stated, what)
    return {**stated, **_without_nulls(values)}


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
