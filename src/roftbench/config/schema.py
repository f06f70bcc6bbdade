"""Dataclasses as schemas of configs: plain values are checked for names, types and ranges."""

import inspect
import math
from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Any, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf import errors as omega

from roftbench.errors import UsageError, first_line
from roftbench.overrides import elements, quoted_list, shell_word


def typed(cls: Any, values: dict[str, Any], where: str, extra: tuple[str, ...] = ()) -> Any:
    """Return an instance of a dataclass from plain values, with names, types and ranges checked.

    Args:
        cls: the dataclass.
        values: its fields.
        where: name of the config group, for messages.
        extra: keys that are allowed and ignored, as other parts of the config refer to them.

    Raises:
        UsageError: a key is unknown or missing, or a value has the wrong type or is out of range.
    """
    prefix = f"{where}." if where else ""
    values = {key: value for key, value in values.items() if key not in extra}
    schema = OmegaConf.structured(cls)
    OmegaConf.set_readonly(schema, False)
    names = [str(key) for key in schema]  # `in schema` is False for keys without a value
    if unknown := [key for key in values if key not in names]:
        raise UsageError(
            f"unknown key '{prefix}{unknown[0]}'", key=f"{prefix}{unknown[0]}", got=unknown[0], allowed=names
        )
    for key, value in values.items():
        try:
            schema[key] = value
        except (omega.ValidationError, omega.UnsupportedValueType) as error:
            raise _wrong_type(f"{prefix}{key}", value, error) from None
    if missing := [name for name in names if OmegaConf.is_missing(schema, name)]:
        raise UsageError(f"{prefix}{missing[0]} must be given", key=f"{prefix}{missing[0]}")
    fields = {name: _plain(schema[name]) for name in names}
    if endless := [name for name, value in fields.items() if not _finite(value)]:
        key, got = f"{prefix}{endless[0]}", fields[endless[0]]
        raise UsageError(f"{key} must be finite, got {got}", key=key, got=got)
    try:
        return cls(**fields)
    except UsageError as error:
        raise error.under(prefix) from None
    except ValueError as error:
        raise UsageError(f"{prefix}{error}", key=where) from None
    except TypeError as error:
        raise UsageError(f"{where}: {error}", key=where) from None


def _wrong_type(key: str, value: Any, error: Exception) -> UsageError:
    """Return the error for a value that OmegaConf refuses for a key."""
    if "not a ListConfig" in str(error):
        example = shell_word(key, quoted_list(elements(str(value))))
        return UsageError(f"{key} must be a list, such as {example}", key=key, got=value)
    if isinstance(value, list) and None in value:
        example = shell_word(key, quoted_list("null" if one is None else str(one) for one in value))
        hint = f"If it is a name, quote it: {example}"
        return UsageError(f"{key} contains null, which is not text", key=key, got=value, hint=hint)
    return UsageError(f"{key}: {first_line(error)}", key=key, got=value)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if isinstance(value, (DictConfig, ListConfig)) else value


def _finite(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return all(map(_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def schema_of(target: Any) -> Any:
    """Return a dataclass with the parameters of a class: the class itself, or one made from its __init__."""
    return target if is_dataclass(target) else _signature(target)


def naming_params(target: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that identify a component of class `target`.

    Those in its `omitted_at_default` are left out at their default value: they were added after results had been
    recorded, whose keys must stay.
    """
    omitted = getattr(target, "omitted_at_default", ())
    if not omitted:
        return params
    defaults = {one.name: one.default for one in fields(schema_of(target)) if one.name in omitted}
    return {key: value for key, value in params.items() if key not in defaults or value != defaults[key]}


def _signature(target: Any) -> type:
    """Return a dataclass with the parameters of a class's __init__, which gets the same checks as any dataclass."""
    hints = get_type_hints(target.__init__)
    parameters = list(inspect.signature(target).parameters.values())
    required = [(p.name, hints.get(p.name, Any)) for p in parameters if p.default is p.empty]
    optional = [
        (p.name, hints.get(p.name, Any), field(default=p.default)) for p in parameters if p.default is not p.empty
    ]
    return make_dataclass(target.__name__, [*required, *optional], frozen=True)
