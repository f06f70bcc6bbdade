"""Sweeper plug-ins: hand a sweep or a search over to roftbench, which plans its jobs and launches the missing ones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from roftbench.sweep.hydra_app import SweepTask


class RoftbenchSweeper(Sweeper):
    """Every combination of the swept values, each job once, those that are done left out.

    `params` holds a preset's swept values (`hydra.sweeper.params`); the command line goes before them.
    """

    def __init__(self, params: Mapping[str, str] | None) -> None:
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store what Hydra gives, and make the launcher that the config names.

        Raises:
            UsageError: a package that the launcher needs is missing, or its limits leave no time for a job.
        """
        from roftbench.sweep.launchers import (  # here: Hydra imports plug-ins at every start
            check_installed,
            settle_warning,
        )

        check_installed(config.hydra.launcher)
        settle_warning(config.hydra.launcher)
        self._sweep = cast("SweepTask", task_function)
        self._context, self._config = hydra_context, config
        given: dict[str, Any] = {"task_function": self._sweep.job, "config": config}
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(hydra_context=hydra_context, **given)

    def sweep(self, arguments: list[str]) -> None:
        """Run the whole sweep; `arguments` are the part of its overrides that Hydra composes. Raises JobError."""
        self._sweep.launch(self._context, self._config, self._launcher)


class OptunaSweeper(RoftbenchSweeper):
    """A hyperparameter search: Optuna proposes the values of each trial from the validation scores of those before it.

    `settings` are the fields of `roftbench.sweep.search_space.SearchSettings`.
    """

    def __init__(self, params: Mapping[str, str] | None, **settings: Any) -> None:
        super().__init__(params)  # the settings are checked where they are used

    def sweep(self, arguments: list[str]) -> None:
        """Run the whole search; raises JobError as `RoftbenchSweeper.sweep` does, or if no trial has a score."""
        self._sweep.search(self._context, self._config, self._launcher)
