"""The command line under test: in this process where that is equal, in one of its own where it is not."""

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import ROOT, Lab, merged

from roftbench.cli.main import main
from roftbench.store.record_schema import Record

WAIT_SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """What a call of the command line returned and printed."""

    code: Any
    out: str
    err: str

    @property
    def header(self) -> dict[str, str]:
        """The lines that say what will happen, by their names."""
        head = self.out.partition("\n\n")[0]
        pairs = [(line[:9].strip(), line[9:].strip()) for line in head.splitlines() if line[9:11] == "  "]
        return {name: text for name, text in pairs if name}

    def refused(self, *parts: str) -> None:
        """Assert one clear message on standard error that holds `parts`, and the exit code of a usage error."""
        assert self.code == 2, self
        assert self.err.startswith("roftbench: ")
        assert self.err.count("\n") == 1
        assert "Traceback" not in self.err + self.out
        for part in parts:
            assert part in self.err


@dataclass
class Command:
    """Calls of `roftbench` in an empty working directory; results and cache come from the environment."""

    lab: Lab
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ended:
        try:
            code: Any = main(arguments)
        except SystemExit as error:
            code = error.code
        return Ended(code, *self.capture.readouterr())

    def run(self, *overrides: str) -> Ended:
        """Run the lab's small job, an override in the place of its default."""
        return self("run", *merged(overrides))

    def on_terminal(self, *arguments: str, width: int = 100) -> tuple[Ended, str]:
        """Run with a real pseudo-terminal as standard error; returns also what that showed."""
        leader, follower = pty.openpty()
        termios.tcsetwinsize(follower, (24, width))
        shown: list[bytes] = []

        def read() -> None:
            with suppress(OSError):  # Linux: the other end is closed
                while content := os.read(leader, 4096):
                    shown.append(content)

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(follower, "w") as stream, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            ended = self(*arguments)
        reader.join()
        os.close(leader)
        return ended, b"".join(shown).decode("utf-8", "replace")

    def record(self) -> Record:
        """Return the record that is there, of one job."""
        [record] = self.lab.store.load()
        return record

    def files(self) -> list[str]:
        """Return what the results folder holds, the locks left out."""
        found = (path.relative_to(self.lab.results) for path in self.lab.results.rglob("*") if path.is_file())
        return sorted(str(path) for path in found if ".locks" not in path.parts)


# A shell that starts tests in the background has SIGINT ignored, and its children inherit that.
INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("roftbench", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Terminal:
    """Calls of `roftbench` in processes of their own, on one core."""

    cwd: Path
    env: Mapping[str, str]

    @classmethod
    def of(cls, lab: Lab, cwd: Path, **more: str) -> "Terminal":
        """Return a terminal that finds this checkout and the lab's folders."""
        folders = {"ROFTBENCH_RESULTS": str(lab.results), "ROFTBENCH_CACHE": str(lab.cache)}
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", **folders, **more}
        return cls(cwd, env)

    def __call__(self, *arguments: str) -> Ended:
        """Run `roftbench` to its end."""
        return self.python("-m", "roftbench", *arguments)

    def run(self, *overrides: str) -> Ended:
        """Run the lab's small job, an override in the place of its default."""
        return self("run", *merged(overrides))

    def python(self, *arguments: str) -> Ended:
        """Run Python to its end."""
        command, encoding = [sys.executable, *arguments], self.env.get("PYTHONIOENCODING")
        done = subprocess.run(
            command, cwd=self.cwd, env=self.env, capture_output=True, text=True, encoding=encoding, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def begun(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `roftbench` and return at once; `ended` collects what it printed."""
        return self.popen("-m", "roftbench", *arguments)

    def popen(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start Python and return at once."""
        command, pipe = [sys.executable, *arguments], subprocess.PIPE
        return subprocess.Popen(command, cwd=self.cwd, env=self.env, stdout=pipe, stderr=pipe, text=True)

    @contextmanager
    def killed(self, *arguments: str, when: Callable[[], object]) -> Iterator[int]:
        """Run `roftbench`, send it SIGKILL once `when` holds, and yield the number of its process group."""
        command, null = [sys.executable, "-m", "roftbench", *arguments], subprocess.DEVNULL
        child = subprocess.Popen(command, cwd=self.cwd, env=self.env, stdout=null, stderr=null, start_new_session=True)
        try:
            reached(child, when)
            child.kill()
            assert child.wait() == -signal.SIGKILL
            yield child.pid
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def stopped(self, number: int, *arguments: str, after: str, count: int) -> Ended:
        """Run `roftbench` and send it the signal `number` once it has printed `count` lines with `after`."""
        command = [sys.executable, "-c", INTERRUPTIBLE, *arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=self.cwd, env=self.env, stdout=pipe, stderr=pipe, text=True) as child:
            assert child.stdout is not None
            lines: list[str] = []
            for line in child.stdout:
                lines.append(line)
                if sum(after in one for one in lines) == count:
                    child.send_signal(number)
                    break
            rest, err = child.communicate()
        return Ended(child.returncode, "".join(lines) + rest, err)


def awaited(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def reached(child: "subprocess.Popen[Any]", condition: Callable[[], object]) -> None:
    """Wait until a condition holds while a process is at work."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def ended(child: "subprocess.Popen[str]") -> Ended:
    """Wait for a process to end and return what it printed."""
    with child:
        out, err = child.communicate(timeout=WAIT_SECONDS)
    return Ended(child.returncode, out, err)


def at_work(group: int) -> list[str]:
    """Return the processes of a group that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().rpartition(")")
            state, _, number = rest.split()[:3]
            if int(number) == group and state not in "ZX":
                found.append(name)
    return found
