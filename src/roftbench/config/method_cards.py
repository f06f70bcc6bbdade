"""Methods as described in `conf/method/`."""

from dataclasses import fields
from functools import cache

from roftbench.config.registry import options
from roftbench.errors import UsageError
from roftbench.methods.config import PROPOSED, MethodCard


@cache
def method_cards() -> dict[str, MethodCard]:
    """Return the shipped methods by name, in the order of tables and figures.

    Raises:
        UsageError: a config lacks a required key of a method, or has an impossible value.
    """
    names = {one.name for one in fields(MethodCard)}
    found = []
    for name, content in options("method").items():
        try:
            found.append(MethodCard(**{key: value for key, value in content.items() if key in names}))
        except (TypeError, ValueError) as error:
            raise UsageError(f"method/{name}.yaml: {error}", key=f"method/{name}.yaml") from None
    return {card.name: card for card in sorted(found, key=lambda card: (card.order, card.name))}


def proposed() -> str:
    """Return the name of the method that the paper proposes."""
    return next(name for name, card in method_cards().items() if card.role == PROPOSED)
