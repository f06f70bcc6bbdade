"""Hydra's launchers: concurrent jobs and threads of each, installed packages, and what differs by launcher."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, read_write

from roftbench.data.workers import cores, following
from roftbench.errors import UsageError

EXTRAS = {  # class of the launcher: the extra that installs it, and a package of it
    "JoblibLauncher": ("joblib", "hydra_plugins.hydra_joblib_launcher"),
    "LocalLauncher": ("slurm", "hydra_plugins.hydra_submitit_launcher"),
    "SlurmLauncher": ("slurm", "hydra_plugins.hydra_submitit_launcher"),
    "RayLauncher": ("ray", "ray"),
}
START_SECONDS = 60  # before Slurm may signal a job's time limit; it checks every 30 s
# Hydra's joblib plug-in has a config of the same name, about which Hydra warns in each job.
warnings.filterwarnings("ignore", r"\s*'hydra/launcher/joblib' is validated", UserWarning)


def check_installed(launcher: Mapping[str, Any]) -> None:
    """Raise UsageError if the package of a launcher is not installed, from the launcher's config."""
    extra, package = EXTRAS.get(_class(launcher), ("", ""))
    if package and find_spec(package) is None:
        problem = f"this launcher needs a package that is not installed: pip install 'roftbench[{extra}]'"
        raise UsageError(problem, key="hydra/launcher")


def settle_warning(launcher: DictConfig) -> None:
    """Let Slurm signal the time limit only to jobs that are requeued at the signal.

    For other jobs the signal is useless, and one that arrives while Python starts kills the job: 120 s before the
    limit, the default, would kill every job with a limit of two minutes.

    Raises:
        UsageError: the signal would arrive while a job starts.
    """
    if _class(launcher) != "SlurmLauncher" or "signal_delay_s" not in launcher:
        return
    if not launcher.max_num_timeout:
        with read_write(launcher):
            launcher.signal_delay_s = 0
    elif launcher.signal_delay_s + START_SECONDS > 60 * launcher.timeout_min:
        problem = (
            f"hydra.launcher.signal_delay_s={launcher.signal_delay_s} leaves a job less than {START_SECONDS} s of"
            f" hydra.launcher.timeout_min={launcher.timeout_min}: lower the one or raise the other"
        )
        raise UsageError(problem, key="hydra.launcher.signal_delay_s", got=launcher.signal_delay_s)


def workers(launcher: Mapping[str, Any]) -> int | None:
    """Return how many jobs a launcher runs at a time, from its config; None where a cluster decides."""
    name = _class(launcher)
    if name == "BasicLauncher":
        return 1
    if name == "JoblibLauncher":
        count = int(launcher.get("n_jobs") or 1)
        return count if count > 0 else max(1, cores() + 1 + count)
    return None


def threads(launcher: Mapping[str, Any]) -> int | None:
    """Return the threads of a job without run.threads, so that each core is used once; None: torch decides."""
    name = _class(launcher)
    if name == "RayLauncher":  # a share of a core is one thread
        return max(1, int(launcher.get("num_cpus") or 1))
    if per_task := launcher.get("cpus_per_task"):
        return int(per_task)
    if name in ("LocalLauncher", "SlurmLauncher"):  # the first starts all jobs at once, the second gives each one core
        return 1
    count = workers(launcher)
    return None if count in (None, 1) else max(1, cores() // int(count or 1))


def set_following(launcher: Any, config: Mapping[str, Any]) -> None:
    """Make the workers of a launcher end with this process, as those of joblib otherwise keep running."""
    if _class(config) == "JoblibLauncher":
        launcher.joblib |= following()


def outlast_warning(launcher: Mapping[str, Any]) -> None:
    """Keep the signal of the time limit from failing the job of this process, a worker."""
    if _class(launcher) in ("LocalLauncher", "SlurmLauncher"):
        from roftbench.sweep import slurm  # here: it needs the launcher's package

        slurm.outlast_warning()


def awaited(launcher: Mapping[str, Any], interrupted: Sequence[Callable[[], bool]]) -> AbstractContextManager[None]:
    """Return the context of a launch; `interrupted`: for each job, whether its process was killed."""
    if _class(launcher) != "SlurmLauncher":
        return nullcontext()
    from roftbench.sweep import slurm  # here: it needs the launcher's package

    return slurm.tasks(launcher, interrupted)


def remedy(launcher: Mapping[str, Any]) -> str:
    """Return advice on a worker that was lost twice, if the reason contains none."""
    return "" if _class(launcher) == "SlurmLauncher" else "; if memory ran out, run fewer jobs at a time"


def most_at_once(launcher: Mapping[str, Any]) -> int | None:
    """Return the largest number of jobs per launch; None if there is no limit."""
    if _class(launcher) != "SlurmLauncher":
        return None
    from roftbench.sweep import slurm  # here: it needs the launcher's package

    return slurm.array_limit()


def _class(launcher: Mapping[str, Any]) -> str:
    return str(launcher.get("_target_", "")).rpartition(".")[2]
