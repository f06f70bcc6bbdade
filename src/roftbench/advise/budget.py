"""Budget of a race: a time, or a number of jobs."""

import time

from roftbench.console import duration


class Budget:
    """A time or a number of jobs that is spent; jobs that are done already cost nothing.

    A `recorded` time advances only by the seconds in records, so that a race can be repeated from a store without
    running its jobs again.
    """

    def __init__(self, seconds: float | None, jobs: int | None, *, recorded: bool = False) -> None:
        self.seconds, self.jobs, self.recorded = seconds, jobs, recorded
        self.began = time.monotonic()
        self.done = 0
        self.charged = 0.0

    @property
    def counted(self) -> bool:
        """Whether jobs are counted in place of seconds."""
        return self.jobs is not None

    @property
    def limit(self) -> float:
        """The whole budget in seconds or jobs."""
        return float(self.jobs if self.jobs is not None else self.seconds or 0.0)

    def used(self) -> float:
        """Return the seconds or jobs that are spent."""
        if self.jobs is not None:
            return float(self.done)
        return self.charged if self.recorded else time.monotonic() - self.began

    def left(self) -> float:
        """Return the seconds or jobs that are left, negative if more was spent."""
        return self.limit - self.used()

    def spend(self, seconds: float) -> None:
        """Charge a job that was run; its seconds count if the time is recorded."""
        self.done += 1
        self.charged += seconds

    def allows(self, price: float) -> bool:
        """Return whether so many seconds or jobs are left."""
        return price <= self.left()

    def words(self) -> str:
        """Return the spent and the whole budget in words."""
        used = f"{self.done}" if self.jobs is not None else duration(self.used())
        return f"{used} of {self.shown(self.limit)} used"

    def shown(self, amount: float) -> str:
        """Return an amount of seconds or jobs in words."""
        if self.jobs is None:
            return duration(amount)
        return f"{amount:.0f} job{'s' * (round(amount) != 1)}"
