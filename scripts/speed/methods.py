"""What methods cost beside full fine-tuning, as ratios of CPU seconds: a step, and what follows a shared fit."""

import argparse
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from roftbench.config.job import FLOAT32
from roftbench.methods.base import Method
from roftbench.methods.step_rule import Training
from roftbench.runner.modes import Modes
from roftbench.runner.passes import FullPass
from roftbench.runner.run import run_job
from roftbench.runner.training import train_step
from roftbench.store.record_schema import Record
from scripts.speed.jobs import EPOCHS
from scripts.speed.setting import Setting, say, settings
from scripts.speed.timing import Row, Work

FULL = "full_ft"
STEPS: Mapping[str, str] = {  # target of a step's cost, in steps of full fine-tuning
    "spd": "≤ 1.05 × full_ft", "ema": "≤ 1.05 × full_ft", "ftp": "", "mixout": "", "gtot": "",
    "adapter": "≤ 1 × full_ft", "lora": "≤ 1 × full_ft", "bitfit": "", "gpf": "", "gpf_plus": "",
}  # fmt: skip
AFTER: Mapping[str, str] = {  # target of what follows the fit that a method shares, in such fits
    "wise_ft": "≤ 0.02 × full_ft", "lines": "≤ 0.02 × full_ft", "tpgm": "", "roftmol": "",
}  # fmt: skip
NOTE = (
    "Methods: CPU seconds of all cores, beside full_ft's in the place of the floor. Steps: medians over rounds of as"
    " many steps on the same batches, variants alternating. After the fit: what a job that finds full fine-tuning of"
    " 100 epochs in the store makes of it; the fit is scaled from fewer epochs."
)


class Steps:
    """The training steps of a method's first stage, as `fit_stage` takes them."""

    def __init__(self, setting: Setting, method: str) -> None:
        experiment = setting.experiment(method)
        experiment.words()  # extends the network where the method does
        self.model, own, train = experiment.model, experiment.method, experiment.job.train
        assert isinstance(own, Method)
        stage = own.stages()[0]
        modes = Modes(self.model, stage.blocks or list(self.model.blocks()), train.frozen_mode, stage)
        self.optimizer = modes.optimizer(train.lr, train.weight_decay)
        modes.train()
        self.rule = own.step_rule(Training(self.model, experiment.start.state, modes.moving, EPOCHS))
        self.passes = FullPass(modes, experiment.objective, experiment.start, own)
        index = experiment.objective.train
        self.batches = [index[: train.batch_size]]

    def run(self, number: int) -> None:
        """Take so many steps."""
        self.passes.train()
        for loss in self.passes.losses(self.batches * number):
            train_step(loss, self.optimizer, FLOAT32, torch.device("cpu"), None, self.rule)


def methods(arguments: argparse.Namespace) -> list[Row]:
    """A step of the methods beside the nine, and what follows a shared fit, beside full fine-tuning."""
    dataset, labels = ("freesolv", "50") if arguments.quick else (arguments.dataset or "esol", arguments.labels or "50")
    with settings(dataset, labels) as setting:
        return [*_steps(setting, quick=arguments.quick), *_after(setting, quick=arguments.quick)]


def _steps(setting: Setting, *, quick: bool) -> list[Row]:
    number, rounds = (1, 1) if quick else (8, 9)
    say(f"steps of {len(STEPS)} methods on {setting}")
    variants = {method: partial(Steps(setting, method).run, number) for method in (FULL, *STEPS)}
    spent = cpu_seconds(variants, rounds)
    return [
        Row(f"{setting}: a step of {method}", spent[method] / number, floor=spent[FULL] / number, target=target)
        for method, target in STEPS.items()
    ]


def cpu_seconds(variants: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of each variant over rounds, after one that warms up."""
    spans: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, work in variants.items():
            began = time.process_time()
            work()
            if number:
                spans[name].append(time.process_time() - began)
    return {name: median(found) for name, found in spans.items()}


def _after(setting: Setting, *, quick: bool) -> list[Row]:
    epochs, rounds = (1, 1) if quick else (20, 3)
    fits, others = [], {method: list[float]() for method in AFTER}
    for number in range(rounds):
        with TemporaryDirectory() as folder:
            say(f"jobs after the fit on {setting}, round {number + 1} of {rounds}")
            words = (f"train.epochs={epochs}", *(["train.interpolation_epochs=1"] if quick else []))
            spent = _job(setting, FULL, Path(folder), *words)["ft"]
            fits.append((spent or 0.0) * EPOCHS / epochs)
            for method, found in others.items():
                found.append(_own(_job(setting, method, Path(folder), *words)))
    return [
        Row(f"{setting}: {method} after {FULL}", median(found), floor=median(fits), target=AFTER[method])
        for method, found in others.items()
    ]


def _job(setting: Setting, method: str, results: Path, *words: str) -> Mapping[str, float | None]:
    outcome = run_job(*setting.job(method, results, *words))
    if not isinstance(outcome.record, Record):
        raise RuntimeError(f"{method}: {outcome.record}")
    return outcome.record.cpu_seconds


def _own(spent: Mapping[str, float | None]) -> float:
    return sum(span or 0.0 for name, span in spent.items() if name != "total" and "(" not in name)
