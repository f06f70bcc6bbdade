"""Failing file operations inside a process: the n-th one kills it, half done, or raises an error of the system.

Operations are opening, every write, fsync, renaming, linking, removing, making and removing folders, and setting times,
of files under one folder. What C extensions read by themselves is not among them.
"""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roftbench.store import folders

KILL = "kill"
FULL = "ENOSPC"  # from the n-th operation on: a full disk takes nothing more, but removes
ERRORS = {FULL: errno.ENOSPC, "EIO": errno.EIO}
FAULTS = (KILL, *ERRORS)
_FREES = ("unlink", "remove", "rmdir", "read")
_NAMES = ("rename", "replace", "link", "unlink", "remove", "rmdir", "mkdir", "utime")


class Faults:
    """Counts the operations on files under `root` once installed; number `at` meets the fault."""

    def __init__(self, root: Path, fault: str, at: int, log: Path | None = None) -> None:
        self.root, self.fault, self.at = root, fault, at
        self.count = 0
        self._open, self._log = builtins.open, log and os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def install(self) -> None:
        """Put counting functions in the place of those of Python, for the rest of this process."""
        for name in _NAMES:
            setattr(os, name, self._counting(name, getattr(os, name)))
        folders._exchange = self._counting("exchange", folders._exchange)
        self._install_open()

    def meet(self, name: str, path: object, half: Callable[[], object] = lambda: None) -> None:
        """Count an operation; where it is the one to fail, do `half` of it and fail."""
        self.count += 1
        if self._log:
            os.write(self._log, f"{name} {path}\n".encode())
        if self.count == self.at or (self.fault == FULL and 0 < self.at < self.count):
            self._fail(name, path, half)

    def _fail(self, name: str, path: object, half: Callable[[], object]) -> None:
        if self.fault == KILL:
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == FULL and name in _FREES:
            return
        half()
        number = ERRORS[self.fault]
        named = [] if name in ("write", "fsync") else [str(path)]  # as the system does
        raise OSError(number, os.strerror(number), *named)

    def has(self, path: object) -> bool:
        """Tell whether a path is one of those that are counted; of an open file, its path."""
        try:
            found = Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else Path(str(path)).absolute()
        except OSError:
            return False
        return found.is_relative_to(self.root)

    def _counting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *given: Any, **named: Any) -> Any:
            if named.get("dir_fd") is not None or self.has(path):  # within a folder that is being removed
                self.meet(name, path)
            return function(path, *given, **named)

        return call

    def _install_open(self) -> None:
        faults, fsync, open_number = self, os.fsync, os.open

        def opened(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
            if isinstance(file, int) or not faults.has(file):
                return faults._open(file, mode, *given, **named)
            return faults._opened(file, mode, *given, **named)

        def numbered(path: Any, flags: int, *given: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR) and named.get("dir_fd") is None and faults.has(path):
                faults.meet("open", path)
            return open_number(path, flags, *given, **named)

        def flushed(fd: Any) -> None:
            if faults.has(fd if isinstance(fd, int) else fd.fileno()):
                faults.meet("fsync", fd)
            fsync(fd)

        builtins.open = io.open = opened
        os.open, os.fsync = numbered, flushed

    def _opened(
        self,
        file: Any,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """Open a file as Python does, with a lowest layer that counts."""
        plain = mode.replace("b", "").replace("t", "")
        writes = plain != "r"
        self.meet("open" if writes else "read", file)
        raw = _Raw(file, plain, closefd, opener)
        raw.faults = self
        both = io.BufferedRandom if "+" in plain else io.BufferedWriter if writes else io.BufferedReader
        buffered = both(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


class _Raw(io.FileIO):
    """The lowest layer of an open file, whose writes are operations."""

    faults: Faults

    def write(self, content: Any) -> int:
        view = memoryview(content)
        self.faults.meet("write", self.name, lambda: super(_Raw, self).write(view[: len(view) // 2]))
        return super().write(content)
