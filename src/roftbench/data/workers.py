"""Worker processes that end with the process that started them, however it ends. Imports nothing heavy."""

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
    """Return the arguments for joblib with which workers end with this process: `initializer` and `initargs`.

    Linux signals the end of the thread that started a worker, which is that of the process only for the main thread.
    """
    lasting = threading.current_thread() is threading.main_thread()
    return {"initializer": follow, "initargs": (os.getpid(), lasting)}


def follow(parent: int, lasting: bool) -> None:
    """End this process when its parent ends, at once or within a second.

    Args:
        parent: id of the parent process.
        lasting: whether the thread that started this process lives as long as the parent.
    """
    if not (lasting and _is_killed_with_parent()):
        threading.Thread(target=_look, args=[parent], daemon=True).start()
    if os.getppid() != parent:  # it ended before the signal was requested
        os._exit(1)


def _is_killed_with_parent() -> bool:
    """Request a signal that kills this process when the thread that started it ends; return whether it is supported."""
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
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
