"""One stage fitted on an experiment's model."""

from typing import Any

from roftbench.config.job import TrainSettings
from roftbench.console import JobProgress
from roftbench.methods.base import Method, Stage
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.objective import Objective
from roftbench.runner.training import Fit, fit_stage


def fit(
    experiment: NetworkExperiment,
    stage: Stage = Stage("ft"),  # noqa: B008 (frozen)
    method: Method = Method(),  # noqa: B008 (frozen)
    *,
    number: int = 0,
    seed: int = 0,
    objective: Objective | None = None,
    **settings: Any,
) -> Fit:
    """Train the experiment's model for one stage, from where it is."""
    objective = objective or experiment.objective
    chosen = TrainSettings(**{"epochs": 3, "lr": 0.01, **settings}).for_task(objective.task)
    progress = JobProgress(objective.metric.name)
    return fit_stage(experiment.model, experiment.start, method, stage, number, objective, chosen, seed, progress)


def keys_of(experiment: NetworkExperiment, *blocks: str) -> set[str]:
    return {key for key, block in experiment.model.keys_of_blocks().items() if block in blocks}
