"""Errors that roftbench raises, and the checks and texts that they share."""

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(ValueError):
    """Input that cannot be used. Its text states what came, what is allowed and how to correct it, in this order.

    Attributes:
        message: What came, and why it cannot be used.
        key: Option, column, file or argument concerned, as the user writes it, such as "train.epochs".
        got: Value that came.
        allowed: Values that are possible, where they can be listed.
        hint: How to correct the input.
    """

    def __init__(
        self, message: str, *, key: str | None = None, got: object = None, allowed: Iterable[str] = (), hint: str = ""
    ) -> None:
        self.message, self.key, self.got, self.allowed, self.hint = message, key, got, tuple(allowed), hint
        text = f"{message}.{suggest(str(got), self.allowed)}" if self.allowed else message
        super().__init__(f"{text.removesuffix('.')}. {hint}" if hint else text)

    def under(self, prefix: str) -> "UsageError":
        """Return this error of an option that stands under a prefix, such as "train."."""
        key = None if self.key is None else f"{prefix}{self.key}"
        return UsageError(f"{prefix}{self.message}", key=key, got=self.got, allowed=self.allowed, hint=self.hint)


class JobError(RuntimeError):
    """A job cannot be finished for a reason that needs no traceback, such as a diverged training."""


class SkipJob(JobError):  # noqa: N818 (nothing went wrong)
    """A job that makes no sense for this model or data, such as tuning a block that the encoder lacks."""


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'? Allowed: …" for an unknown name."""
    names = sorted(allowed)
    by_lower = {one.lower(): one for one in names}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f" Did you mean '{by_lower[close[0]]}'?" if close else ""
    return f"{hint} Allowed: {', '.join(names)}." if names else hint


def check_choice(what: str, value: str, allowed: Iterable[str]) -> None:
    """Raise UsageError unless `value` is one of `allowed`."""
    allowed = list(allowed)
    if value not in allowed:
        raise UsageError(f"{what} is '{value}'", key=what, got=value, allowed=allowed)


def check_range(what: str, value: float, low: float, high: float = float("inf"), *, open_low: bool = False) -> None:
    """Raise UsageError unless low ≤ value ≤ high (low < value with `open_low`)."""
    if not ((low < value if open_low else low <= value) and value <= high):
        sign = ">" if open_low else "≥"
        bound = f"{sign} {low:g}" + (f" and ≤ {high:g}" if high != float("inf") else "")
        raise UsageError(f"{what} must be {bound}, got {value:g}", key=what, got=value)
