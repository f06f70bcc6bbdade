"""Peak memory of a process, as the operating system accounts it."""

import contextlib
import resource
import sys
from pathlib import Path


def reset_peak() -> None:
    """Reset this process's peak, where the system can (Linux): several jobs share one process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> float:
    """Return the peak memory of this process in MB since its start or `reset_peak`.

    Outside Linux it comes from `getrusage`, which cannot be reset and may include the parent's memory.
    """
    found = proc_mb("self", "status", "VmHWM:")
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return found or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def proc_mb(process: int | str, file: str, name: str) -> float:
    """Return the sum in MB of the lines that begin with `name` in a process's file in /proc; 0 where there is none."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
