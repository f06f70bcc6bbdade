"""What a running job tells: lines on the terminal and in its log, bars, an estimate of the time left."""

import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

from roftbench.formatting import printable, printable_name, score_text

if TYPE_CHECKING:
    from rich.console import Console


def own_file(path: str, flags: int) -> int:
    """Open a file that is no link, as `opener` of `open`; raises OSError (ELOOP) where it is one."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


class _Log:
    """A job's log, made with its first line. A full disk costs the log, not the job."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def write(self, text: str) -> None:
        with suppress(OSError):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if self.path.is_symlink():  # a log is written beside what it leads to, never into it
                    self.path.unlink()
                self._file = open(self.path, "w", encoding="utf-8", opener=own_file)  # noqa: SIM115
            self._file.write(text + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


@dataclass
class _Console:
    """Where lines and bars go: the terminal unless it is another process's, and the log of the job at work."""

    quiet: bool = False
    bars: bool = True
    log: _Log | None = None
    label: str = ""  # stands before the name of each bar


_console = _Console()


def wide_console(least: int) -> "Console":
    """Return rich's console: of a terminal's width, or at least so many columns where the output goes elsewhere."""
    from rich.console import Console  # only here: a job needs none

    return Console(width=None if sys.stdout.isatty() else max(least, shutil.get_terminal_size().columns))


def say(text: str) -> None:
    """Print a line to standard output, above a progress bar if there is one, and write it into the job's log.

    Control characters in it are written out.
    """
    note(text)
    if not _console.quiet:
        tqdm.write(printable(text), file=sys.stdout)
        sys.stdout.flush()


def note(text: str) -> None:
    """Write a line into the job's log, if there is one."""
    if _console.log is not None:
        _console.log.write(printable(text))


@contextmanager
def logged(path: Path | None, *, quiet: bool, bars: bool = False) -> Iterator[None]:
    """Write all lines and warnings to `path` inside the block; with `quiet` the lines do not appear on the terminal.

    Nor do progress bars then, unless `bars` is set.
    """
    before = _console.quiet, _console.bars, _console.log
    _console.quiet, _console.bars, _console.log = quiet, bars or not quiet, None if path is None else _Log(path)
    handler = _Noted()
    logging.getLogger("roftbench").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("roftbench").removeHandler(handler)
        if _console.log is not None:
            _console.log.close()
        _console.quiet, _console.bars, _console.log = before


@contextmanager
def labeled(text: str) -> Iterator[None]:
    """Put `text` before the name of each progress bar inside the block."""
    before, _console.label = _console.label, text
    try:
        yield
    finally:
        _console.label = before


class _Noted(logging.Handler):
    """Warnings, into the job's log."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


def column(names: Iterable[str | None]) -> int:
    """Return how wide a first column of names must be."""
    return max([16, *(len(str(name)) + 2 for name in names)])


def bar(
    items: Iterable[Any], name: str, unit: str = "epoch", *, delay: float = 0, total: int | None = None
) -> "tqdm[Any]":
    """Return a progress bar over items on standard error; silent where that is no terminal, or not ours.

    It appears after `delay` seconds. `total` is the number of items where they cannot tell it.
    """
    name = f"{_console.label} · {name}" if _console.label else name
    silent = None if _console.bars else True
    return tqdm(
        items,
        desc=printable_name(name),
        unit=unit,
        disable=silent,
        leave=False,
        dynamic_ncols=True,
        delay=delay,
        total=total,
    )


def duration(seconds: float) -> str:
    """Return a time span in words: "4.2 s", "3 min 10 s", "2 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def shown(path: Path) -> str:
    """Return a path as short as it can be written from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


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
        """Show the validation score; after a stage's second epoch, say how long the stage will take.

        The first one says little: on a GPU it may take twenty times as long, as libraries are loaded.
        """
        if self._bar is not None and score is not None:
            self._bar.set_postfix_str(f"val {self.metric} {score_text(score)}")
        if epoch == 2 < total:
            say(f"  about {duration(seconds * total)} for {total} epochs ({seconds:.2f} s the second)")
