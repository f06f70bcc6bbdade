"""What a race may spend: a time, or a number of jobs."""

import time

from roftbench.console import duration


class Budget:
    """What is left of a time, or of a number of jobs; a job that was done before costs nothing.

    A `recorded` time passes only as it is charged: with the seconds that records tell, so that a race can be repeated
    from a store without running its jobs again.
    """

    def __init__(self, seconds: float | None, jobs: int | None, *, recorded: bool = False) -> None:
        self.seconds, self.jobs, self.recorded = seconds, jobs, recorded
        self.began = time.monotonic()
        self.done = 0
        self.charged = 0.0

    @property
    def counted(self) -> bool:
        """Whether jobs are counted, not seconds."""
        return self.jobs is not None

    @property
    def limit(self) -> float:
        """Seconds, or jobs, in all."""
        return float(self.jobs if self.jobs is not None else self.seconds or 0.0)

    def used(self) -> float:
        """Return the seconds, or the jobs, that were spent."""
        if self.jobs is not None:
            return float(self.done)
        return self.charged if self.recorded else time.monotonic() - self.began

    def left(self) -> float:
        """Return the seconds, or the jobs, that are left; below 0 where more was spent."""
        return self.limit - self.used()

    def spend(self, seconds: float) -> None:
        """Take note of a job that was run, and of the seconds that it takes where the clock is recorded."""
        self.done += 1
        self.charged += seconds

    def allows(self, price: float) -> bool:
        """Tell whether so many seconds, or jobs, are left."""
        return price <= self.left()

    def words(self) -> str:
        """Return in words what was spent of what."""
        used = f"{self.done}" if self.jobs is not None else duration(self.used())
        return f"{used} of {self.shown(self.limit)} used"

    def shown(self, amount: float) -> str:
        """Return an amount of this budget's kind in words."""
        if self.jobs is None:
            return duration(amount)
        return f"{amount:.0f} job{'s' * (round(amount) != 1)}"
