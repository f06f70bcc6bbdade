"""Peak memory, sampled while processes work (Linux)."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from roftbench.runner.memory import proc_mb


class PeakMemory:
    """Samples, while open, a number of megabytes: the memory of this process and of those below it if none is given."""

    def __init__(self, measured: Callable[[], float] | None = None, every: float = 0.5) -> None:
        self.peak, self._every = 0.0, every
        self._measured = measured or (lambda: sum(map(proportional_mb, family(os.getpid()))))

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self._measured())
            if self._stop.wait(self._every):
                return


def family(process: int) -> list[int]:
    """Return a process and all below it."""
    try:
        lists = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        lists = []
    return [process, *(one for children in lists for child in children for one in family(int(child)))]


def proportional_mb(process: int) -> float:
    """Return a process's memory, with shared pages divided among those that share them; 0 where it has ended."""
    return proc_mb(process, "smaps_rollup", "Pss:")


def high_water_mb(process: int) -> float:
    """Return the most memory that a process has had, 0 where it has ended.

    The system's own account of an ended process begins with the memory of the one that started it, which may be more.
    """
    return proc_mb(process, "status", "VmHWM:")
