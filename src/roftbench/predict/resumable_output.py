"""Long output written in pieces beside its final name, so that a killed process can be resumed."""

import gzip
import json
import os
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import Timeout

from roftbench.console import own_file
from roftbench.errors import UsageError
from roftbench.store.files import write_text, writing
from roftbench.store.leftovers import remove_leftovers
from roftbench.store.locks import Lock


class Output:
    """An output that is `path`.part until it is complete; `path`.part.json records how much of the part is valid.

    A context manager that holds a lock on the output. Each piece of a path that ends with .gz is a gzip member.

    Attributes:
        identity: Plain values that determine the content; a part with another identity is started again.
        rows: Number of rows that are written.
        without: Number of these without a result.
        begun: Whether a part of an earlier call is continued.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path, self.identity = path, identity
        self.part = path.with_name(path.name + ".part")
        self.state = path.with_name(path.name + ".part.json")
        self._lock = Lock(path.with_name(path.name + ".part.lock"))
        self.rows = self.without = 0
        self.begun = False

    def __enter__(self) -> Self:
        """Lock the output and read the state of an earlier call."""
        with self._writing():
            if self.path.is_dir():
                raise self._refused("is a folder: give the name of a file")
            if links := [path for path in (self.part, self.state, Path(self._lock.lock_file)) if path.is_symlink()]:
                raise UsageError(f"{links[0]} is a link: remove it, or give another output=", key=str(links[0]))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                lock = Path(self._lock.lock_file)
                held = "is being written by another process" if lock.exists() else f"cannot be written ({lock})"
                raise self._refused(held) from None
            try:
                remove_leftovers([self.path.parent], self.state.name)
                self._open()
            except BaseException:
                self._release()
                raise
        return self

    def _writing(self) -> AbstractContextManager[None]:
        return writing(f"output={self.path}", self.path, "output")

    def _refused(self, problem: str) -> UsageError:
        return UsageError(f"output={self.path} {problem}", key="output", got=str(self.path))

    def _open(self) -> None:
        size = 0
        if (found := self._found()) is not None:
            self.rows, self.without, size = found
            self.begun = size > 0
        else:
            if not self.state.exists() and self.part.exists() and self.part.stat().st_size:
                problem = f"{self.part} exists and was not written by roftbench: rename it, or give another output="
                raise UsageError(problem, key=str(self.part))
            self._note(0)  # before the part is created, which marks it as written by roftbench
        self._file = open(self.part, "r+b" if self.part.exists() else "w+b", opener=own_file)  # noqa: SIM115
        self._file.truncate(size)
        self._file.seek(size)

    def _note(self, size: int) -> None:
        """Record how much of the part is valid."""
        state = {"identity": self.identity, "rows": self.rows, "without": self.without, "bytes": size}
        write_text(self.state, json.dumps(state) + "\n")

    def _release(self) -> None:
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
        """Append a piece with `rows` rows, `without` of them without a result, and flush it to the disk."""
        content = text.encode()
        with self._writing():
            self._file.write(gzip.compress(content, mtime=0) if self.path.suffix == ".gz" else content)
            self._file.flush()
            os.fsync(self._file.fileno())
            self.rows += rows
            self.without += without
            self._note(self._file.tell())

    def finish(self) -> None:
        """Give the complete output its final name."""
        with self._writing():
            self._file.close()
            self.part.replace(self.path)
            self.state.unlink(missing_ok=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Release the output; an unfinished part stays for the next call."""
        try:
            with self._writing() if error is None else suppress(OSError):  # a failed write may fail again
                self._file.close()
        finally:
            self._release()
