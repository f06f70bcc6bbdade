"""The data, parts and method of a job, loaded."""

from dataclasses import dataclass
from typing import Any, Self

import torch

from roftbench.config.components import build
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.predefined import PARTS
from roftbench.data.split import Refit, Split, Splitter
from roftbench.data.warnings import unusual_scale, warnings_of
from roftbench.errors import UsageError
from roftbench.runner.objective import Objective


@dataclass(frozen=True)
class Setup:
    """The part of an experiment that does not depend on the kind of its model.

    Attributes:
        whole: the split before its labels are cut to the label ratio.
        parts: the split that is trained and evaluated on.
        method: the method with its hyperparameters.
        warnings: texts for the record.
    """

    job: Job
    context: RunContext
    device: torch.device
    dataset: MoleculeDataset
    whole: Split
    parts: Split
    objective: Objective
    method: Any
    warnings: tuple[str, ...]

    @classmethod
    def load(cls, job: Job, context: RunContext, device: torch.device) -> Self:
        """Load data set and method of a job; graphs and labels go to the device.

        Raises:
            UsageError: data, split, labels or method are not available as requested.
        """
        dataset = load_dataset(job.dataset, context.cache / "data", context.places)
        validates = job.trains or job.method.search  # a choice by validation scores: of an epoch, or a candidate
        splitter: Splitter = build(job.split)
        if job.refit:
            splitter = Refit(of=splitter, validates=validates)
        whole, parts = dataset.cut(splitter, job.label_ratio)
        used = PARTS if not job.refit else PARTS[:2] if validates else PARTS[:1]
        warnings = [*warnings_of(dataset, parts, used), *_scale_warnings(job, dataset, parts), *job.model.cautions]
        if job.dataset.name in job.model.seen:
            warnings.append(f"model {job.model.name}: its pretraining saw labels of {job.dataset.name}")
        if len(parts.train) == 0:
            problem = f"the training part of data set {job.dataset.name} is empty: {len(dataset)} molecules, cut by"
            hint = "Give it more of them: split.fractions"
            if job.split.name != "random":
                hint = "Most of them share a property, such as a scaffold, and are in one part: try split=random"
            raise UsageError(f"{problem} split={job.split.name}", key="split", got=job.split.name, hint=hint)
        objective = Objective.create(
            dataset.graphs_of(job.model.featurizer),
            dataset.y,
            (parts.train, parts.val, parts.test),
            metric=str(job.dataset.metric),
            loss=str(job.train.loss),
            standardize=job.train.standardize_targets,
            device=device,
        )
        return cls(job, context, device, dataset, whole, parts, objective, build(job.method), tuple(warnings))


def _scale_warnings(job: Job, dataset: MoleculeDataset, parts: Split) -> list[str]:
    """Return a warning where a network learns labels of an unusual scale without standardizing them."""
    if not job.trains or job.train.standardize_targets or job.dataset.task != "regression":
        return []
    return list(filter(None, [unusual_scale(dataset.targets, dataset.y[parts.train])]))
