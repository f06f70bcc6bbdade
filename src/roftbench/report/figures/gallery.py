"""Figures of a page in Markdown, and the reasons for those that cannot be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from roftbench.report.format import by_reason


@dataclass(frozen=True)
class Listed:
    """A figure: the stem of its files, its title, and the reason why it cannot be drawn, "" if it can."""

    stem: str
    title: str
    reason: str = ""


def gallery(figures: Sequence[Listed]) -> list[str]:
    """Return the figures in Markdown, each with a link to its PDF, then the reasons for missing ones."""
    shown = [f"![{one.title}]({one.stem}.svg)\n\n[{one.stem}.pdf]({one.stem}.pdf)" for one in figures if not one.reason]
    missing = by_reason("No figure", [(f"`{one.stem}`", one.reason) for one in figures if one.reason])
    return [*shown, "\n".join(missing)] if missing else shown
