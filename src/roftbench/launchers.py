"""What the engines of a sweep mean for its jobs: how many run at a time, and with how many threads each."""

import os
from collections.abc import Mapping
from typing import Any


def workers(launcher: Mapping[str, Any]) -> int | None:
    """Return how many jobs a launcher runs at a time, from its config; None where a cluster decides."""
    target = str(launcher.get("_target_", ""))
    if target.endswith(".BasicLauncher"):
        return 1
    if target.endswith(".JoblibLauncher"):
        asked = int(launcher.get("n_jobs") or 1)
        return asked if asked > 0 else max(1, cores() + 1 + asked)
    return None


def threads(launcher: Mapping[str, Any]) -> int | None:
    """Return the threads of a job that says nothing of them, so that cores are used once; None: torch decides."""
    if per_task := launcher.get("cpus_per_task"):
        return int(per_task)
    count = workers(launcher)
    return None if count in (None, 1) else max(1, cores() // int(count or 1))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
