"""Hydra's way to a sweep of ours: which jobs there are, and which of them are missing, is decided by roftbench."""

from collections.abc import Mapping
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class RoftbenchSweeper(Sweeper):
    """Every combination of the swept values, each job once, those that are done left out.

    `params` holds a preset's swept values (`hydra.sweeper.params`); the command line goes before them.
    """

    def __init__(self, params: Mapping[str, str] | None) -> None:
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives, and make the launcher that the config names.

        Raises:
            UsageError: a package that the launcher needs is missing, or its limits leave no time for a job.
        """
        from roftbench.sweep.launchers import (  # here: Hydra imports plug-ins at every start
            check_installed,
            settle_warning,
        )

        check_installed(config.hydra.launcher)
        settle_warning(config.hydra.launcher)
        given: dict[str, Any] = {"task_function": task_function, "config": config}
        self._context, self._config = hydra_context, config
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(hydra_context=hydra_context, **given)

    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep that the command line asks for, of which Hydra knows a part; raises JobError if jobs failed."""
        from roftbench.sweep import hydra_app  # Hydra imports plug-ins at every start

        hydra_app.launch_sweep(self._context, self._config, self._launcher)
