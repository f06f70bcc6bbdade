"""Worker processes that end when the process that started them does, however that ends. Imports nothing heavy."""

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Any

SECONDS = 1.0
_PDEATHSIG = 1  # of linux/prctl.h


def following() -> dict[str, Any]:
    """Return what makes workers of joblib follow this process from their start: `initializer` and its arguments.

    Linux knows the end of the thread that started a process, so that only the main one is as good as the process.
    """
    lasting = threading.current_thread() is threading.main_thread()
    return {"initializer": follow, "initargs": (os.getpid(), lasting)}


def follow(parent: int, lasting: bool) -> None:
    """End this process once its `parent` is gone, as if it had been killed, too: at once, or within a second.

    lasting: the thread that started this process lives as long as its parent does.
    """
    if not (lasting and _is_killed_with_parent()):
        threading.Thread(target=_look, args=[parent], daemon=True).start()
    if os.getppid() != parent:  # it was gone before this process could ask to be told
        os._exit(1)


def _is_killed_with_parent() -> bool:
    """Ask the system to kill this process when the thread that started it ends; returns whether it will."""
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL) == 0)
    except (OSError, AttributeError):
        return False


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS)
    os._exit(1)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
