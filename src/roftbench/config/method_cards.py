"""Methods as described in `conf/method/`."""

from functools import cache

from roftbench.config.registry import cards
from roftbench.methods.config import PROPOSED, MethodCard


@cache
def method_cards() -> dict[str, MethodCard]:
    """Return the shipped methods by name, in the order of tables and figures.

    Raises:
        UsageError: a config lacks a required key of a method, or has an impossible value.
    """
    found = cards("method", MethodCard).values()
    return {card.name: card for card in sorted(found, key=lambda card: (card.order, card.name))}


def proposed() -> str:
    """Return the name of the method that the paper proposes."""
    return next(name for name, card in method_cards().items() if card.role == PROPOSED)
