"""Limits of the page, and the one error for whatever they or the server refuse."""

import time
from dataclasses import dataclass, field

MOST_BYTES = 5_000_000  # of a table
MOST_ATOMS = 200  # in a drawing
MOST_RESULTS = 16  # that can still be downloaded
BODY_SECONDS = 20.0  # for a table to arrive
DRAIN_BYTES = 300_000_000  # that are read of a body that is too large, so that its sender sees the answer
DRAIN_SECONDS = 10.0


class RefusedError(Exception):
    """A request that is not answered: its status code, and what to do instead.

    Attributes:
        status: HTTP status code.
        message: One message for the page.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, message, headers)  # all of them, as it travels between processes
        self.status, self.message, self.headers = status, message, headers or {}


@dataclass
class Rate:
    """A token bucket: `burst` requests at once, then `per_second` of them."""

    burst: float
    per_second: float
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.at = self.burst, time.monotonic()

    def wait(self) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = time.monotonic()
        self.left = min(self.burst, self.left + (now - self.at) * self.per_second)
        self.at = now
        if self.left < 1:
            return (1 - self.left) / self.per_second
        self.left -= 1
        return 0.0
