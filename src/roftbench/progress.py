"""What a running job tells the terminal: bars, an estimate of the time left, and the places where it must be silent."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm


def say(text: str) -> None:
    """Print a line to standard output, above a progress bar if there is one."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def column(names: Iterable[str | None]) -> int:
    """Return how wide a first column of names must be."""
    return max([16, *(len(str(name)) + 2 for name in names)])


def bar(items: Iterable[Any], name: str, unit: str = "epoch") -> "tqdm[Any]":
    """Return a progress bar over items on standard error; silent where that is no terminal."""
    return tqdm(items, desc=name, unit=unit, disable=None, leave=False, dynamic_ncols=True)


def duration(seconds: float) -> str:
    """Return a time span in words: "4.2 s", "3 min 10 s", "2 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class JobProgress:
    """Progress of the stages of one job; `metric` is the name of its primary metric."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self._bar: tqdm[Any] | None = None

    def epochs(self, name: str, numbers: Iterable[int]) -> Iterator[int]:
        """Yield the epoch numbers of a stage under a progress bar."""
        self._bar = bar(numbers, name)
        yield from self._bar

    def epoch_done(self, epoch: int, total: int, seconds: float, score: float | None) -> None:
        """Show the validation score; after a stage's first epoch, say how long the stage will take."""
        if self._bar is not None and score is not None:
            self._bar.set_postfix_str(f"val {self.metric} {score:.3f}")
        if epoch == 1 and total > 1:
            say(f"  about {duration(seconds * total)} for {total} epochs ({seconds:.2f} s the first)")
