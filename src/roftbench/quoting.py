"""How a text is written as the value of an override, so that Hydra reads the same text."""

import re

_BEFORE_QUOTE = re.compile(r"(\\*)('|$)")


def quoted(text: str) -> str:
    """Return a text in single quotes; backslashes are doubled only where a quote follows, as Hydra's grammar has it."""
    inside = _BEFORE_QUOTE.sub(lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text)
    return f"'{inside}'"
