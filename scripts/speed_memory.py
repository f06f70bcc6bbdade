"""Peak memory of a process and all below it, sampled while it works (Linux)."""

import os
import threading
from pathlib import Path
from typing import Self


class PeakMemory:
    """Samples, while open, the memory of this process and of those below it (Linux), in megabytes."""

    peak = 0.0

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
            self.peak = max(self.peak, sum(map(proportional_mb, family(os.getpid()))))
            if self._stop.wait(0.5):
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
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
