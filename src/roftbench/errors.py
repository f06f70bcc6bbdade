"""The errors that roftbench itself raises, and the words they share."""

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(ValueError):
    """What the user gave cannot be used; the message says what came, what is allowed and how to mend it."""


class JobError(RuntimeError):
    """A job cannot be finished for a reason that needs no traceback, such as a diverged training."""


class SkipJob(JobError):  # noqa: N818 (nothing went wrong)
    """A job that makes no sense for this model or data, such as tuning a block that the encoder lacks."""


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'? Allowed: …" for an unknown name."""
    names = sorted(allowed)
    by_lower = {one.lower(): one for one in names}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f" Did you mean '{by_lower[close[0]]}'?" if close else ""
    return f"{hint} Allowed: {', '.join(names)}." if names else hint


def check_choice(what: str, value: str, allowed: Iterable[str]) -> None:
    """Raise ValueError unless `value` is one of `allowed`."""
    allowed = list(allowed)
    if value not in allowed:
        raise ValueError(f"{what} is '{value}'.{suggest(str(value), allowed)}")


def check_range(what: str, value: float, low: float, high: float = float("inf"), *, open_low: bool = False) -> None:
    """Raise ValueError unless low ≤ value ≤ high (low < value with `open_low`)."""
    if not ((low < value if open_low else low <= value) and value <= high):
        sign = ">" if open_low else "≥"
        bound = f"{sign} {low:g}" + (f" and ≤ {high:g}" if high != float("inf") else "")
        raise ValueError(f"{what} must be {bound}, got {value:g}")
