"""Real jobs for the tests: the shipped configs composed, a results folder of the test's own, one shared cache."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from roftbench.config.compose import composed
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.parse import parse
from roftbench.data.config import DatasetSpec
from roftbench.data.table.load import read_table
from roftbench.methods.base import Finished, Fitted, Method
from roftbench.metrics import METRICS
from roftbench.models.encoder import Predictor, State
from roftbench.predict.save import save
from roftbench.runner.network import NetworkExperiment
from roftbench.runner.run import Outcome, load_experiment, run_job
from roftbench.store.downloads import Places
from roftbench.store.record_schema import Record, plain
from roftbench.store.results import Store
from roftbench.sweep.grid import expand
from roftbench.sweep.plan import Plan, plan_sweep

ROOT = Path(__file__).resolve().parents[2]
PLACES = Places(ROOT / "no-downloads", offline=True)  # for bundled files and tables of the tests' own
ESTIMATORS = ["random_forest", "ridge", "pls", "knn", "gp", "mean"]  # outside the nine, on a fingerprint
NINE = ["full_ft", "lp", "surgical_ft", "lp_ft", "l2_sp", "wise_ft", "feature_map", "bss", "roftmol"]  # of the paper
METHODS = sorted({path.stem for path in (ROOT / "conf" / "method").glob("*.yaml")} - {*ESTIMATORS})
DEFAULTS = (
    "model=tiny_gin", "train=smoke", "label_ratio=n50", "dataset=esol", "run.device=cpu", "run.threads=1",
)  # fmt: skip
FOREST = ("model=ecfp", "method=random_forest", "method.n_estimators=20")


@dataclass(frozen=True)
class Lab:
    """Where a test runs jobs; an override replaces the default of the same name."""

    results: Path
    cache: Path

    def job(self, *overrides: str) -> tuple[Job, RunContext]:
        """Return the job that the configs give, and an environment with this lab's folders."""
        job, env = _parsed(merged(overrides))
        return job, replace(env, results=self.results, cache=self.cache)

    def run(self, *overrides: str) -> Outcome:
        """Run the job that the configs give."""
        return run_job(*self.job(*overrides), save=save)

    def done(self, *overrides: str) -> Record:
        """Run a job that must succeed and return its record."""
        outcome = self.run(*overrides)
        assert isinstance(outcome.record, Record), outcome.record
        return outcome.record

    def experiment(self, *overrides: str) -> NetworkExperiment:
        """Load everything for a job without running it."""
        job, env = self.job(*overrides)
        experiment = load_experiment(job, env)
        assert isinstance(experiment, NetworkExperiment)
        return experiment

    def fitted(self, *overrides: str) -> Fitted:
        """Run full fine-tuning and return what a method is then given to finish with."""
        experiment = self.experiment("method=full_ft", *overrides)
        experiment.method = _Keep()
        experiment.work()
        return _Keep.given.pop()

    @property
    def store(self) -> Store:
        """The results folder."""
        return Store(self.results)

    def stages(self) -> list[Path]:
        """Return the files of the fitted stages."""
        return sorted((self.results / "stages").glob("*.safetensors"))

    def elsewhere(self, name: str) -> "Lab":
        """Return a lab with an empty results folder beside this one."""
        return replace(self, results=self.results.parent / name)

    def plan(self, *overrides: str) -> Plan:
        """Return the jobs of a sweep."""
        texts = [*merged(overrides), f"paths.results={self.results}", f"paths.cache={self.cache}"]
        return plan_sweep(expand(texts, lambda one: composed(list(one), None)))

    def command(self, *overrides: str) -> list[str]:
        """Return the command line of a job."""
        folders = [f"paths.results={self.results}", f"paths.cache={self.cache}"]
        return [sys.executable, "-m", "roftbench", "run", *merged(overrides), *folders]

    def start(self, *overrides: str) -> "subprocess.Popen[str]":
        """Start a job in a process of its own."""
        return start(self.command(*overrides))


@dataclass(frozen=True)
class _Keep(Method):
    """Full fine-tuning that keeps what `finish` was given."""

    given: ClassVar[list[Fitted]] = []

    def finish(self, fitted: Fitted) -> Finished:
        self.given.append(fitted)
        return Finished(fitted.tuned)


def fitted_between(model: Predictor, states: Sequence[State], val_loss: Callable[[State, int], Tensor]) -> Fitted:
    """Return what a method finishes with for two states of a network, with one validation batch on the CPU."""
    before, after = states
    return Fitted(
        start=before,
        tuned=after,
        block_of=model.keys_of_blocks(),
        buffers=frozenset(name for name, _ in model.named_buffers()),
        encoder_blocks=list(model.encoder.blocks()),
        num_val_batches=1,
        val_loss=val_loss,
        val_score=lambda state: val_loss(state, 0).item(),
        better=METRICS["rmse"].better,
        device=torch.device("cpu"),
        repeated=lambda work: work,
        progress=lambda numbers: numbers,
    )


def start(command: Sequence[str], *folders: Path) -> "subprocess.Popen[str]":
    """Start a command on one core that finds this checkout's roftbench and the modules in `folders`."""
    path = os.pathsep.join([str(ROOT / "src"), *map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def merged(overrides: Iterable[str]) -> tuple[str, ...]:
    """Return the lab's default overrides with those of a test, which come last and win."""
    chosen = {text.partition("=")[0]: text for text in (*DEFAULTS, *overrides)}
    return tuple(chosen.values())


@cache
def _parsed(overrides: tuple[str, ...]) -> tuple[Job, RunContext]:
    folder = next((Path(text.partition("=")[2]) for text in overrides if text.startswith("--config-dir=")), None)
    job, env, _ = parse(composed([text for text in overrides if not text.startswith("--")], folder), folder)
    return job, env


def primary(record: Record, part: str = "val") -> float:
    """Return a record's score by the job's own metric."""
    score = getattr(record.scores, part)[record.metric]
    assert isinstance(score, float)
    return score


def numbers(record: Record) -> dict[str, Any]:
    """Return everything in a record that a job's config decides: not times, nor the machine."""
    left_out = {"seconds", "cpu_seconds", "env", "peak_memory_mb"}
    return {key: value for key, value in plain(record).items() if key not in left_out}


def equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    """Whether two states hold the same keys and bits."""
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def clone(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in state.items()}


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Return the keys whose tensors differ in any bit."""
    assert before.keys() == after.keys()
    return {key for key in before if not torch.equal(before[key], after[key])}


def molecules(name: str, job: Job, count: int) -> tuple[list[str], list[float]]:
    """Return SMILES and first label of a bundled data set's first rows."""
    spec: DatasetSpec = job.dataset
    assert spec.name == name
    table = read_table(spec, PLACES)
    return table.smiles[:count], table.labels[:count, 0].tolist()


def write_csv(path: Path, columns: dict[str, Sequence[Any]]) -> Path:
    """Write a table; None and NaN become empty cells."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if value is None or value != value else value for value in row])
    return path
