"""Jobs of a sweep as tasks of Ray, on this machine or on a cluster; a lost worker costs only the job that it had."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class RayLauncher(Launcher):
    """Each job is one task, which Ray never repeats: the sweep decides what is run again.

    `address` is a cluster's (auto: the one on this machine); without it Ray is started here for the sweep.
    `num_cpus`, `num_gpus` (a share is allowed) and `memory_gb` are what one job takes of its node.
    """

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float, memory_gb: float | None) -> None:
        self.address = address
        self.takes: dict[str, float] = {"num_cpus": num_cpus, "num_gpus": num_gpus}
        if memory_gb is not None:
            self.takes["memory"] = int(memory_gb * 1e9)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives."""
        self._given = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs to their end; raises the first error of a lost worker once all others have ended."""
        import ray  # Hydra imports plug-ins at every start

        setup_globals()
        lost: list[Exception] = []
        returned: list[JobReturn] = []
        with _connected(self.address):
            given = ray.put((*self._given, Singleton.get_state(), _surroundings()))
            task = ray.remote(_run).options(max_retries=0, **self.takes)
            numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
            for one in [
                task.remote(given, list(job), number) for job, number in zip(job_overrides, numbers, strict=True)
            ]:
                try:
                    returned.append(ray.get(one))
                except ray.exceptions.RayError as error:
                    lost.append(error)
        if lost:
            raise lost[0]
        return returned


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    more: dict[str, Any] = {} if address else {"include_dashboard": False}
    before = signal.getsignal(signal.SIGTERM)
    ray.init(address=address or "local", log_to_driver=False, logging_level="error", **more)
    if threading.current_thread() is threading.main_thread():  # Ray's own handler aborts: exit code -6 and a core
        signal.signal(signal.SIGTERM, before)
    try:
        yield
    finally:
        ray.shutdown()


def _surroundings() -> tuple[str, Mapping[str, str]]:
    """Return what a job sees of the process that launches it: its folder, and where results and cache are."""
    return os.getcwd(), {name: value for name, value in os.environ.items() if name.startswith("ROFTBENCH_")}  # noqa: PTH109


def _run(given: Any, overrides: list[str], number: int) -> JobReturn:
    """Compose and run one job in a worker of Ray's."""
    context, task_function, config, state, (folder, variables) = given
    os.chdir(folder)
    os.environ.update(variables)
    setup_globals()
    Singleton.set_state(state)
    job = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job):
        job.hydra.job.id = f"{job.hydra.job.name}_{number}"
        job.hydra.job.num = number
    HydraConfig.instance().set_config(job)
    return run_job(
        hydra_context=context,
        config=job,
        task_function=task_function,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
