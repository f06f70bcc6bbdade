"""Progress of jobs that run in other processes, wherever these are: a look into the store every few seconds."""

import shlex
import threading
import time
from collections.abc import Sequence
from typing import Self

from roftbench.console import duration, say
from roftbench.sweep.outcomes import Endings
from roftbench.sweep.plan import Planned

SECONDS = 2.0


class Watch:
    """While open, prints a line for each job that ends, and how long the others will take at this rate."""

    def __init__(self, jobs: Sequence[Planned], endings: Endings) -> None:
        self._left, self._count, self._endings = list(jobs), len(jobs), endings
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _look_on(self) -> None:
        while not self._stop.wait(SECONDS):
            self._look()

    def _look(self) -> None:
        for one in [one for one in self._left if self._endings.ended(one)]:
            ending = self._endings.of(one)
            self._left.remove(one)
            if ending is not None:
                say(f"{self._progress():<22}{ending.status:<9}{shlex.join(one.overrides)}  {ending.words}")

    def _progress(self) -> str:
        ended = self._count - len(self._left)
        text = f"{ended}/{self._count}"
        if not self._left:
            return text
        return f"{text} {duration((time.monotonic() - self._began) / ended * len(self._left))} left"
