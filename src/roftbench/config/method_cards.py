"""Methods as described in `conf/method/`, of roftbench and of the user's own config folder."""

from functools import cache
from pathlib import Path

from roftbench.config.registry import cards, default_folder
from roftbench.methods.config import PROPOSED, MethodCard


def method_cards() -> dict[str, MethodCard]:
    """Return the methods by name, in the order of tables and figures, with those of `default_folder()`.

    Raises:
        UsageError: a config lacks a required key of a method, or has an impossible value.
    """
    return _cards_of(default_folder())


@cache
def _cards_of(folder: Path | None) -> dict[str, MethodCard]:
    found = cards("method", MethodCard, folder).values()
    return {card.name: card for card in sorted(found, key=lambda card: (card.order, card.name))}


def proposed() -> str:
    """Return the name of the method that the paper proposes."""
    return next(name for name, card in method_cards().items() if card.role == PROPOSED)
