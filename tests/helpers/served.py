"""`roftbench serve` in a process of its own, and what tests ask it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from command import INTERRUPTIBLE, WAIT_SECONDS, Terminal


@dataclass(frozen=True)
class Served:
    """A running server: its address and its process, which is the first of a group."""

    address: str
    process: "subprocess.Popen[str]"

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.address + path, headers=headers, timeout=WAIT_SECONDS)

    def post(self, content: Any, kind: str = "text/csv", **headers: str) -> requests.Response:
        """Post a table, or what a function returns, or pasted SMILES where it is a dictionary.

        A request that comes too soon waits as it is told.
        """
        sent = {**({} if isinstance(content, dict) else {"Content-Type": kind}), **headers}
        while True:
            now = content() if callable(content) else content
            given: Mapping[str, Any] = {"json": now} if isinstance(now, dict) else {"data": now}
            found = requests.post(f"{self.address}/predictions", headers=sent, timeout=WAIT_SECONDS, **given)
            if found.status_code != 429:
                return found
            time.sleep(float(found.headers["retry-after"]))


@contextmanager
def serving(terminal: Terminal, *arguments: str) -> Iterator[Served]:
    """Start `roftbench serve` on a free port and end all of its processes at the end."""
    command = [sys.executable, "-c", INTERRUPTIBLE, "serve", *arguments, "port=0"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        command, cwd=terminal.cwd, env=terminal.env, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    try:
        assert child.stdout is not None
        address = next((found[0] for line in child.stdout if (found := re.search(r"http://[\d.:]+", line))), None)
        assert address is not None, child.communicate()
        yield Served(address, child)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
