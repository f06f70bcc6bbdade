"""The process that holds the models: it reads, predicts and draws, and is stopped if a request takes too long.

RDKit and torch cannot be interrupted from within Python, and what a stranger's molecule does to them must not end the
server. The kernel ends this process when its timer runs out; the next one is started at once.
"""

import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from roftbench.errors import UsageError
from roftbench.serve.limits import RefusedError
from roftbench.serve.shown import About


@dataclass(frozen=True)
class Models:
    """Saved models, and how they are loaded.

    Attributes:
        folders: Their folders.
        device: Device of their networks.
        threads: Threads of torch, None for its own choice.
        plugins: Files or modules of the user's models and methods.
    """

    folders: Sequence[Path]
    device: str = "auto"
    threads: int | None = None
    plugins: Sequence[str] = ()


class Worker:
    """A process with the models, which answers one request after the other. Not thread-safe."""

    def __init__(self, models: Models, seconds: float, most: int, folder: Path) -> None:
        """Start to load the models.

        Args:
            models: The models.
            seconds: Time that a request may take.
            most: Number of molecules of a table.
            folder: Folder for files of requests, which the caller removes.
        """
        self._given = models, seconds, most, folder
        self.seconds = seconds
        self._stopped = False
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, *self._given), daemon=True)
        self._process.start()
        theirs.close()
        self._about: About | None = None

    def about(self) -> About:
        """Wait until the models are loaded.

        Raises:
            UsageError: They cannot be loaded.
        """
        if self._about is None:
            try:
                found = self._connection.recv()
            except (EOFError, OSError):
                raise UsageError("the process that loads the model ended") from None
            if isinstance(found, UsageError):
                raise found
            self._about = found
        return self._about

    def call(self, name: str, *arguments: Any) -> Any:
        """Return the result of a method of `Desk`.

        Raises:
            RefusedError: The request cannot be answered, took too long, or the process broke down.
        """
        try:
            self.about()
            self._connection.send((name, arguments))
            found = self._connection.recv()
        except (EOFError, OSError, UsageError):
            raise self._lost() from None
        if isinstance(found, RefusedError):
            raise found
        return found

    def _lost(self) -> RefusedError:
        """Start a new process and return why the last one is gone."""
        self._process.join()
        timed_out = self._process.exitcode == -signal.SIGALRM
        self._connection.close()
        if not self._stopped:
            self._start()
        if timed_out:
            return RefusedError(503, f"stopped after {self.seconds:g} s: give fewer or smaller molecules")
        return RefusedError(500, "the model's process broke down and was started again")

    def stop(self) -> None:
        """End the process."""
        self._stopped = True
        self._process.kill()
        self._process.join()


def _work(connection: Connection, models: Models, seconds: float, most: int, folder: Path) -> None:
    """Load the models and answer requests until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the server ends this one
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, whatever it is doing
    with suppress(EOFError, OSError):
        try:
            from roftbench.serve.desk import Desk  # torch and RDKit are loaded in this process alone

            desk = Desk(models.folders, models.device, models.threads, models.plugins, most, folder)
        except UsageError as error:
            connection.send(UsageError(str(error)))
            return
        connection.send(desk.about())
        while True:
            name, arguments = connection.recv()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                found = getattr(desk, name)(*arguments)
            except RefusedError as error:
                found = error
            except Exception as error:  # of any library: the next request must not suffer
                found = RefusedError(500, f"{type(error).__name__}: {error}")
            signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send(found)
