"""A long output written piece by piece beside its final name: a process that is killed goes on where it was."""

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import Timeout

from roftbench.console import own_file
from roftbench.errors import UsageError
from roftbench.store.files import write_text
from roftbench.store.leftovers import remove_leftovers
from roftbench.store.locks import Lock


class Output:
    """`path`.part while it is written, and `path`.part.json, which says how much of it counts.

    `identity` are plain values that decide the content: a part of another identity is begun again. Of a path that ends
    with .gz, each piece is a gzip member of its own.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path, self.identity = path, identity
        self.part = path.with_name(path.name + ".part")
        self.state = path.with_name(path.name + ".part.json")
        self._lock = Lock(path.with_name(path.name + ".part.lock"))
        self.rows = self.without = 0
        self.begun = False

    def __enter__(self) -> Self:
        """Take the output, and find out whether it was `begun`, how many `rows` it has, how many `without` a result."""
        with _clear(self.path):
            if self.path.is_dir():
                raise UsageError(f"output={self.path} is a folder: give the name of a file")
            if links := [path for path in (self.part, self.state, Path(self._lock.lock_file)) if path.is_symlink()]:
                raise UsageError(f"{links[0]} is a link: remove it, or give another output=")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                lock = Path(self._lock.lock_file)
                held = "is being written by another process" if lock.exists() else f"cannot be written ({lock})"
                raise UsageError(f"output={self.path} {held}") from None
            try:
                remove_leftovers([self.path.parent], self.state.name)
                self._open()
            except BaseException:
                self._let_go()
                raise
        return self

    def _open(self) -> None:
        size = 0
        if (found := self._found()) is not None:
            self.rows, self.without, size = found
            self.begun = size > 0
        else:
            if not self.state.exists() and self.part.exists() and self.part.stat().st_size:
                raise UsageError(f"{self.part} is in the way and none of ours: rename it, or give another output=")
            self._note(0)  # before there is a part, so that it is known for ours
        self._file = open(self.part, "r+b" if self.part.exists() else "w+b", opener=own_file)  # noqa: SIM115
        self._file.truncate(size)
        self._file.seek(size)

    def _note(self, size: int) -> None:
        """Write down how much of the part counts."""
        state = {"identity": self.identity, "rows": self.rows, "without": self.without, "bytes": size}
        write_text(self.state, json.dumps(state) + "\n")

    def _let_go(self) -> None:
        with suppress(OSError):
            self._lock.release()
            Path(self._lock.lock_file).unlink(missing_ok=True)

    def _found(self) -> tuple[int, int, int] | None:
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            fits = state["identity"] == self.identity and self.part.stat().st_size >= state["bytes"]
            return (int(state["rows"]), int(state["without"]), int(state["bytes"])) if fits else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, text: str, rows: int, without: int = 0) -> None:
        """Add a piece that ends `rows` rows, some of them `without` a result; it is on the disk when this returns."""
        content = text.encode()
        with _clear(self.path):
            self._file.write(gzip.compress(content, mtime=0) if self.path.suffix == ".gz" else content)
            self._file.flush()
            os.fsync(self._file.fileno())
            self.rows += rows
            self.without += without
            self._note(self._file.tell())

    def finish(self) -> None:
        """Give the output its name."""
        with _clear(self.path):
            self._file.close()
            self.part.replace(self.path)
            self.state.unlink(missing_ok=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the output; what is unfinished stays, for the next call."""
        try:
            with _clear(self.path) if error is None else suppress(OSError):  # what was not written may fail once more
                self._file.close()
        finally:
            self._let_go()


@contextmanager
def _clear(path: Path) -> Iterator[None]:
    """Turn what a disk may refuse into one clear message."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"output={path} cannot be written: {error.strerror or error}") from None
