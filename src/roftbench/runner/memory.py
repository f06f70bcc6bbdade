"""How much memory a process has had at most, from the system's own account."""

import contextlib
import resource
import sys
from pathlib import Path


def forget_peak() -> None:
    """Begin this process's account anew, where the system can (Linux): several jobs share one process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> float:
    """Return the most memory in MB that this process has had since it began, or since `forget_peak`.

    Outside Linux it is what `getrusage` says: it knows no new beginning, and may begin with the parent's memory.
    """
    found = told_mb("self", "status", "VmHWM:")
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return found or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def told_mb(process: int | str, file: str, name: str) -> float:
    """Return a number of megabytes from a file of a process's folder in /proc; 0 where there is none."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
