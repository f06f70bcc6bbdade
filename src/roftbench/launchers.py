"""What the engines of a sweep mean for its jobs: how many run at a time, and with how many threads each."""

import os
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from roftbench.errors import UsageError
from roftbench.follow import following

EXTRAS = {  # the class that launches: the extra that brings it, and a package that must be there
    "JoblibLauncher": ("joblib", "hydra_plugins.hydra_joblib_launcher"),
    "LocalLauncher": ("slurm", "hydra_plugins.hydra_submitit_launcher"),
    "SlurmLauncher": ("slurm", "hydra_plugins.hydra_submitit_launcher"),
    "RayLauncher": ("ray", "ray"),
}
# Hydra's plug-in has a config of the same name for joblib, under which Hydra still puts ours, and says so at each job.
warnings.filterwarnings("ignore", r"\s*'hydra/launcher/joblib' is validated", UserWarning)


def check_installed(launcher: Mapping[str, Any]) -> None:
    """Raise UsageError if the package of a launcher is not installed, from the launcher's config."""
    extra, package = EXTRAS.get(_class(launcher), ("", ""))
    if package and find_spec(package) is None:
        raise UsageError(f"this launcher needs a package that is not installed: pip install 'roftbench[{extra}]'")


def workers(launcher: Mapping[str, Any]) -> int | None:
    """Return how many jobs a launcher runs at a time, from its config; None where a cluster decides."""
    name = _class(launcher)
    if name == "BasicLauncher":
        return 1
    if name == "JoblibLauncher":
        asked = int(launcher.get("n_jobs") or 1)
        return asked if asked > 0 else max(1, cores() + 1 + asked)
    return None


def threads(launcher: Mapping[str, Any]) -> int | None:
    """Return the threads of a job that says nothing of them, so that cores are used once; None: torch decides."""
    name = _class(launcher)
    if name == "RayLauncher":  # a share of a core is one thread
        return max(1, int(launcher.get("num_cpus") or 1))
    if per_task := launcher.get("cpus_per_task"):
        return int(per_task)
    if name in ("LocalLauncher", "SlurmLauncher"):  # one starts all jobs at once, the other gives a job one core
        return 1
    count = workers(launcher)
    return None if count in (None, 1) else max(1, cores() // int(count or 1))


def set_following(launcher: Any, config: Mapping[str, Any]) -> None:
    """Make the workers of a launcher end with this process, from their start: joblib's would stay for good."""
    if _class(config) == "JoblibLauncher":
        launcher.joblib |= following()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _class(launcher: Mapping[str, Any]) -> str:
    return str(launcher.get("_target_", "")).rpartition(".")[2]
