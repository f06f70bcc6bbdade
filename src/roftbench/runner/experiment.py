"""A job at work, whatever the kind of its model: data loaded, candidates compared, the best one recorded."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.components import build
from roftbench.config.environment import RunContext
from roftbench.config.job import NETWORK, Job
from roftbench.config.schema import naming_params
from roftbench.console import say
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.warnings import unusual_scale, warnings_of
from roftbench.errors import JobError, SkipJob, UsageError
from roftbench.metrics import names_of, undefined_tasks
from roftbench.runner.objective import Objective
from roftbench.runner.provenance import environment
from roftbench.store.record_schema import (
    BaseResult,
    CandidateResult,
    Count,
    DataResult,
    Epoch,
    GraphCount,
    LabelCount,
    PartScores,
    Record,
    Scores,
    StageResult,
    TestPredictions,
)

NEARLY_ONE = 0.999
DEFAULT_THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class FitResult:
    """A fitted candidate.

    Attributes:
        fitted: the argument of `Experiment.predict`.
        best_epoch: the selected epoch of the last stage.
        stages: the training stages.
        history: the epochs of all stages.
        base: scores before a finish, such as interpolation.
        info: details by the method, such as interpolation coefficients.
    """

    fitted: Any
    best_epoch: int | None = None
    stages: list[StageResult] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)
    base: BaseResult | None = None
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FittedCandidate:
    """A candidate with its scores and its test predictions [n, T]."""

    fitting: FitResult
    result: CandidateResult
    predictions: NDArray[np.float64]


class Experiment(ABC):
    """Data, parts and method of one job; what is fitted, and how, a subclass says."""

    not_finite: ClassVar[str] = "the fitted model's predictions are not all finite numbers."

    def __init__(self, job: Job, env: RunContext, device: torch.device) -> None:
        self.job, self.env, self.store, self.device = job, env, env.store, device
        torch.set_num_threads(env.run.threads or DEFAULT_THREADS)  # also where an earlier job of this process set it
        self.dataset: MoleculeDataset = load_dataset(job.dataset, env.cache / "data", env.places)
        self.whole, self.parts = self.dataset.cut(build(job.split), job.label_ratio)
        self.warnings = [*warnings_of(self.dataset, self.parts), *self._scale(), *job.model.cautions]
        if len(self.parts.train) == 0:
            raise UsageError(
                f"the training part of data set {job.dataset.name} is empty: {len(self.dataset)} molecules, cut by"
                f" split={job.split.name}. What most of them share, a scaffold say, is in one part: try split=random"
            )
        self.objective = Objective.create(
            self.dataset.graphs_of(job.model.featurizer),
            self.dataset.y,
            (self.parts.train, self.parts.val, self.parts.test),
            metric=str(job.dataset.metric),
            loss=str(job.train.loss),
            standardize=job.train.standardize_targets,
            device=device,
        )
        self.method: Any = build(job.method)
        self.seconds: dict[str, float] = {}
        self.chosen: Any = None  # `FitResult.fitted` of the best candidate, once `work` is done

    def _scale(self) -> list[str]:
        """Return a warning where labels that a network learns as they are have an unusual scale."""
        train = self.job.train
        if self.job.model.kind != NETWORK or train.standardize_targets or self.job.dataset.task != "regression":
            return []
        return list(filter(None, [unusual_scale(self.dataset.targets, self.dataset.y[self.parts.train])]))

    @abstractmethod
    def words(self) -> dict[str, str]:
        """Return in words what the "model" and its "training" are."""

    @property
    @abstractmethod
    def selects(self) -> bool:
        """Whether the validation labels choose anything."""

    @abstractmethod
    def candidates(self) -> list[Any]:
        """Return the methods to try: the grid's, or the one that was asked for."""

    @abstractmethod
    def fit(self, method: Any) -> FitResult:
        """Fit a candidate."""

    @abstractmethod
    def predict(self, fitted: Any, index: Tensor) -> NDArray[np.float64]:
        """Return the predictions [len(index), T] of what `fit` gave: values in the label's unit, or probabilities."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Return the best candidate's fitted numbers by name, as they are kept in a file."""

    def work(self) -> Record:
        """Fit every candidate, choose by validation score, and return the record."""
        name = self.objective.metric.name
        results: list[CandidateResult] = []
        best: FittedCandidate | None = None  # the fitted weights of the others are dropped
        for candidate in self.candidates():
            try:
                one = self._try(candidate)
            except SkipJob:
                raise
            except JobError as error:  # diverged: the worst of all, and no reason to lose the others
                results.append(self._lost(candidate, error))
                continue
            results.append(one.result)
            if best is None or self.objective.metric.better(one.result.val[name], best.result.val[name]):
                best = one
        if best is None:
            several = f"none of {len(results)} candidates can be used. The first: " if len(results) > 1 else ""
            raise JobError(f"{several}{results[0].error}")
        self.chosen = best.fitting.fitted
        train = self.predict(self.chosen, self.objective.train)
        return self._record(results, best, self.objective.scores(train, self.objective.train))

    def _record(self, candidates: list[CandidateResult], best: FittedCandidate, train: Scores) -> Record:
        """Return the record; scores, history and test predictions are the chosen candidate's (protocol §5)."""
        fitting, chosen = best.fitting, best.result
        return Record(
            key=self.job.key,
            job=self.job.identity(),
            scores=PartScores(train, chosen.val, chosen.test),
            base=fitting.base,
            chosen=chosen.params,
            candidates=candidates,
            best_epoch=fitting.best_epoch,
            details=fitting.info,
            stages=fitting.stages,
            history=fitting.history,
            count=self.count(),
            warnings=self.warnings,
            data=self._data(),
            test_predictions=TestPredictions(
                self.dataset.rows[self.parts.test].tolist(),
                [[_rounded(value, self.objective.task) for value in row] for row in best.predictions],
            ),
            seconds=dict(self.seconds),
            env=environment(self.device),
        )

    def _data(self) -> DataResult:
        dataset = self.dataset
        parts = {"val": self.parts.val, "test": self.parts.test}
        return DataResult(
            sha256=dataset.spec.sha256,
            place=dataset.place,
            rows=dataset.num_rows,
            kept=len(dataset),
            dropped=[asdict(row) for row in dataset.dropped],
            split_sha256=self.whole.sha256,
            parts_sha256=self.parts.sha256,
            undefined_tasks={
                name: undefined_tasks(self.objective.task, dataset.y[part]) for name, part in parts.items()
            },
        )

    def count(self) -> Count:
        """Return the number of molecules per part and of labels per use (protocol §3)."""
        parts = (self.parts.train, self.parts.val, self.parts.test)
        train, val, test = (int((~np.isnan(self.dataset.y[index])).sum()) for index in parts)
        labels = LabelCount(
            weights=train,
            selection=val if self.selects else 0,
            interpolation=val if self.method.fits_on_validation else 0,
            test=test,
        )
        return Count(GraphCount(*map(len, parts)), labels)

    def _lost(self, method: Any, error: JobError) -> CandidateResult:
        """Return the result of a candidate that has no scores, and warn about it."""
        params = self._params(method)
        if self.job.method.search:
            tried = {name: value for name, value in params.items() if name in self.job.method.grid}
            self.warnings.append(f"candidate {tried}: {error}")
            say(f"  {self.warnings[-1]}")
        nothing: Scores = dict.fromkeys(names_of(self.objective.task))
        return CandidateResult(params, nothing, nothing, error=str(error))

    def _try(self, method: Any) -> FittedCandidate:
        try:
            fitting = self.fit(method)
        except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]  # a penalty met infinite numbers
            raise JobError(f"training diverged: {error}") from None
        val, test, predictions = self.scores(fitting.fitted)
        return FittedCandidate(
            fitting, CandidateResult(self._params(method), val, test, fitting.best_epoch), predictions
        )

    def _params(self, method: Any) -> dict[str, Any]:
        """Return a candidate's hyperparameters: those that identify it, and all that the grid varies."""
        params = asdict(method)
        varied = {name: params[name] for name in self.job.method.grid if self.job.method.search}
        return {**naming_params(type(method), params), **varied}

    def scores(self, fitted: Any) -> tuple[Scores, Scores, NDArray[np.float64]]:
        """Return val scores, test scores and test predictions [n, T]; nothing else reads the test part.

        Raises:
            JobError: a prediction is not a finite number.
        """
        val, test = self.predict(fitted, self.objective.val), self.predict(fitted, self.objective.test)
        if not (np.isfinite(val).all() and np.isfinite(test).all()):
            raise JobError(self.not_finite.format(job=self.job))
        scores = self.objective.scores
        return scores(val, self.objective.val), scores(test, self.objective.test), test

    def add_seconds(self, name: str, seconds: float) -> None:
        """Take note of how long a part of the work took."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def _rounded(value: float, task: str) -> float:
    """Return a prediction to nine significant digits; a probability close to 1 in full, since ranks depend on it."""
    return float(value) if task == "classification" and value > NEARLY_ONE else float(f"{value:.9g}")
