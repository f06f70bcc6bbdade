"""A job loaded for timing: roftbench's own objects, and the reference with the same weights and molecules."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch_geometric.loader import DataLoader

from roftbench.config.compose import composed
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.parse import parse
from roftbench.runner.network import NetworkExperiment
from scripts.speed.reference import ReferenceModel, loaders

LABELS = ("50", "500", "full")


@dataclass(frozen=True)
class Setting:
    """A data set with so many labels on a device, in folders of its own."""

    dataset: str
    labels: str
    cache: Path
    threads: int
    device: str = "cpu"

    def job(self, method: str, results: Path, *more: str) -> tuple[Job, RunContext]:
        """Return a job of the shipped configs with the default model, and its environment."""
        ratio = "full" if self.labels == "full" else f"n{self.labels}"
        words = [f"dataset={self.dataset}", f"label_ratio={ratio}", f"method={method}", f"run.device={self.device}"]
        folders = [f"paths.results={results}", f"paths.cache={self.cache}", f"run.threads={self.threads}"]
        job, env, _ = parse(composed([*words, *folders, *more], None))
        return job, env

    def experiment(self, method: str = "full_ft") -> NetworkExperiment:
        """Return a job with everything loaded."""
        job, env = self.job(method, self.cache / "unused")
        return NetworkExperiment.load(job, env)

    def __str__(self) -> str:
        return f"{self.dataset.upper()} {self.labels}"


@contextmanager
def settings(dataset: str, labels: str) -> Iterator[Setting]:
    """Give a setting whose graphs are featurized, with a cache that is removed at the end."""
    with TemporaryDirectory() as folder:
        setting = Setting(dataset, labels, Path(folder), torch.get_num_threads())
        setting.experiment()
        yield setting


def reference(experiment: NetworkExperiment) -> tuple[ReferenceModel, list[DataLoader]]:
    """Return the reference with the weights a job starts from, and its three loaders."""
    return reference_model(experiment), loaders(experiment.objective, experiment.job.train.batch_size)


def reference_model(experiment: NetworkExperiment) -> ReferenceModel:
    """Return the reference with the weights a job starts from."""
    model = ReferenceModel(experiment.objective.num_tasks)
    model.load_state_dict(experiment.start.state)
    return model


def nodes(experiment: NetworkExperiment, index: Tensor, size: int) -> list[int]:
    """Return the number of nodes of each batch of `size` graphs."""
    return [len(experiment.objective.graphs.batch(chunk).x) for chunk in index.split(size)]


def say(text: str) -> None:
    """Tell what is being timed."""
    print(f"[{os.getloadavg()[0]:.1f}] {text}", flush=True)
