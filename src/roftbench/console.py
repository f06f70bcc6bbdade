"""Terminal output, job logs and progress bars.

Lines are records of the standard `logging`: one handler prints them to standard output, above the progress bars, and
one writes them, with all warnings of roftbench, into the log of the running job.
"""

import logging
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

from roftbench.formatting import printable, printable_name, score_text

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 250
MARGIN = 10  # blanks from which on a line continues below its own beginning
NARROW = 40  # columns of a terminal below which nothing is wrapped
_LABEL = re.compile(r"\s*\S.{0,20}?\s{2,}")  # what stands before the text of a line: "   model  "


def own_file(path: str, flags: int) -> int:
    """Open a file that is no link, as `opener` of `open`; raises OSError (ELOOP) where it is one."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


class _TerminalHandler(logging.Handler):
    """Prints lines to standard output, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        text = printable(record.getMessage())
        tqdm.write(wrapped(text, sys.stdout) if getattr(record, "wrap", True) else text, file=sys.stdout)
        sys.stdout.flush()


class _JobLog(logging.FileHandler):
    """The log of a job, created with its first line. A full disk costs the log, not the job."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="w", encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():  # the log replaces a link, and never goes into the file that the link leads to
            path.unlink()
        return open(path, "w", encoding=self.encoding, opener=own_file)

    def format(self, record: logging.LogRecord) -> str:
        return printable(record.getMessage())

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (a hook of logging)
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@dataclass
class _Bars:
    """Whether progress bars are shown, and the text before the name of each."""

    shown: bool = True
    label: str = ""


_bars = _Bars()
_terminal = _TerminalHandler(logging.INFO)
_lines = logging.getLogger("roftbench.console")
_lines.propagate = False
_lines.setLevel(logging.DEBUG)
_lines.addHandler(_terminal)


def wide_console(least: int) -> "Console":
    """Return rich's console: of a terminal's width, or at least so many columns where the output goes elsewhere."""
    from rich.console import Console  # only here: a job needs none

    return Console(width=None if sys.stdout.isatty() else max(least, shutil.get_terminal_size().columns))


def wrapped(text: str, stream: TextIO) -> str:
    """Return a text with its lines broken at words to the width of a terminal; unchanged for any other stream.

    Continued lines are indented to the text behind a label such as "   model  ".
    """
    width = shutil.get_terminal_size().columns
    if not stream.isatty() or width < NARROW:
        return text
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def terminal_width() -> int:
    """Return the columns of the terminal; where the output goes elsewhere, more than any line needs."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def _wrapped_line(line: str, width: int) -> str:
    label, blanks = _LABEL.match(line), len(line) - len(line.lstrip())
    indent = label.end() if label else blanks if blanks > MARGIN else blanks + 2
    if len(line) <= width or indent > width // 2:
        return line
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(line, width, subsequent_indent=" " * indent, **options)


def say(text: str, level: int = logging.INFO, *, wrap: bool = True) -> None:
    """Print lines to standard output, above a progress bar if there is one, and write them into the job's log.

    Control characters are escaped. `wrap=False` leaves long lines whole, such as commands to copy.
    A warning is printed in the process of a sweep, too, where jobs are quiet.
    """
    _lines.log(level, "%s", text, extra={"wrap": wrap})


def note(text: str) -> None:
    """Write a line into the job's log, if there is one."""
    say(text, logging.DEBUG)


@contextmanager
def logged(path: Path | None, *, quiet: bool, bars: bool = False) -> Iterator[None]:
    """Write all lines and warnings to `path` inside the block.

    With `quiet` only warnings appear on the terminal, and progress bars if `bars` is set; without both, nothing.
    """
    log = logging.NullHandler() if path is None else _JobLog(path)
    loggers = _lines, logging.getLogger("roftbench")
    before = _terminal.level, _bars.shown
    if quiet:
        _terminal.setLevel(logging.WARNING if bars else logging.CRITICAL + 1)
    else:
        _terminal.setLevel(logging.INFO)
    _bars.shown = bars or not quiet
    for logger in loggers:
        logger.addHandler(log)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(log)
        log.close()
        _terminal.setLevel(before[0])
        _bars.shown = before[1]


@contextmanager
def labeled(text: str) -> Iterator[None]:
    """Put `text` before the name of each progress bar inside the block."""
    before, _bars.label = _bars.label, text
    try:
        yield
    finally:
        _bars.label = before


def column(names: Iterable[str | None]) -> int:
    """Return the width of a first column of names."""
    return max([16, *(len(str(name)) + 2 for name in names)])


def bar(
    items: Iterable[Any], name: str, unit: str = "epoch", *, delay: float = 0, total: int | None = None
) -> "tqdm[Any]":
    """Return a progress bar over items on standard error; silent where that is no terminal, and in workers.

    It appears after `delay` seconds. `total` is the number of items where they have no length.
    """
    name = f"{_bars.label} · {name}" if _bars.label else name
    silent = None if _bars.shown else True  # None: shown on a terminal alone
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
    """Return a time span as text: "4.2 s", "3 min 10 s", "2 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def shown(path: Path) -> str:
    """Return a path relative to the working directory if it is inside, else unchanged."""
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
        """Show the validation score; after a stage's second epoch, print how long the stage will take.

        The first epoch is no measure: on a GPU it may take twenty times as long, as libraries are loaded.
        """
        if self._bar is not None and score is not None:
            self._bar.set_postfix_str(f"val {self.metric} {score_text(score)}")
        if epoch == 2 < total:
            say(f"  about {duration(seconds * total)} for {total} epochs ({seconds:.2f} s per epoch)")
