"""A job with everything loaded: candidates are fitted and compared, and the best one is recorded."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.schema import naming_params
from roftbench.console import say
from roftbench.data.split import Indices
from roftbench.errors import JobError, SkipJob
from roftbench.metrics import names_of, undefined_tasks
from roftbench.runner.provenance import environment
from roftbench.runner.setup import Setup
from roftbench.store.record_schema import (
    BaseResult,
    CandidateResult,
    Count,
    DataResult,
    Epoch,
    GraphCount,
    LabelCount,
    LabelStatistics,
    PartScores,
    Predictions,
    Record,
    Scores,
    StageResult,
)

NEARLY_ONE = 0.999  # probabilities above it are recorded in full: rounding would create ties


@dataclass(frozen=True)
class FitResult:
    """A fitted candidate.

    Attributes:
        fitted: the argument of `Experiment.predict`.
        best_epoch: the selected epoch of the last stage.
        stages: the training stages.
        history: the epochs of all stages.
        base: scores before `Method.finish`.
        info: results of the method, such as interpolation coefficients.
        trained_parameters: number of parameters that training changes in what predicts; None without a network.
    """

    fitted: Any
    best_epoch: int | None = None
    stages: list[StageResult] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)
    base: BaseResult | None = None
    info: dict[str, Any] = field(default_factory=dict)
    trained_parameters: int | None = None


@dataclass(frozen=True)
class FittedCandidate:
    """A candidate with its scores and its predictions [n, T] for validation and test part."""

    fitting: FitResult
    result: CandidateResult
    val: NDArray[np.float64]
    test: NDArray[np.float64]


class Experiment(ABC):
    """A job with everything loaded; subclasses fit networks, or estimators on fingerprints."""

    not_finite: ClassVar[str] = "the fitted model's predictions are not all finite numbers."

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.job, self.context, self.device = setup.job, setup.context, setup.device
        self.dataset, self.whole, self.parts = setup.dataset, setup.whole, setup.parts
        self.objective = setup.objective
        self.method = setup.method
        self.warnings = list(setup.warnings)
        self.store = setup.context.store
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float | None] = {}
        self.on_epoch: Callable[[Epoch, int | None], None] = lambda epoch, candidate: None  # that of a callback
        self.candidate: int | None = None  # number of the one that is fitted, if there are several
        self.chosen: Any = None  # `FitResult.fitted` of the best candidate, after `work`

    @classmethod
    @abstractmethod
    def load(cls, job: Job, context: RunContext) -> Self:
        """Load data, model and method of a job.

        Raises:
            UsageError: data, split, labels, model or device are not available as requested.
        """

    @abstractmethod
    def words(self) -> dict[str, str]:
        """Return descriptions of the "model" and its "training" for the terminal."""

    @property
    def keeps_labels(self) -> bool:
        """Whether interpolation coefficients have labels of their own."""
        return False

    @property
    @abstractmethod
    def selects(self) -> bool:
        """Whether validation labels are used for selection."""

    @abstractmethod
    def candidates(self) -> list[Any]:
        """Return the methods to try: those of the grid, or the single one of the job."""

    @abstractmethod
    def fit(self, method: Any) -> FitResult:
        """Fit a candidate."""

    @abstractmethod
    def predict(self, fitted: Any, index: Tensor) -> NDArray[np.float64]:
        """Return predictions [len(index), T] of a `FitResult.fitted`: values in the label's unit, or probabilities."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Return the fitted tensors of the best candidate by name, for a saved model."""

    def work(self) -> Record:
        """Fit every candidate, choose by validation score, and return the record."""
        name = self.objective.metric.name
        results: list[CandidateResult] = []
        best: FittedCandidate | None = None  # the fitted weights of the others are dropped
        candidates = self.candidates()
        for number, candidate in enumerate(candidates):
            self.candidate = number if len(candidates) > 1 else None
            try:
                one = self._try(candidate)
            except SkipJob:
                raise
            except JobError as error:  # diverged: ranked last, and the other candidates are still fitted
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
        """Return the record; scores, history and predictions are the chosen candidate's (protocol §5)."""
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
            test_predictions=self._by_row(self.parts.test, best.test),
            val_predictions=self._by_row(self.parts.val, best.val),
            seconds=dict(self.seconds),
            cpu_seconds=dict(self.cpu_seconds),
            env=environment(self.device),
            trained_parameters=fitting.trained_parameters,
        )

    def _by_row(self, part: Indices, predictions: NDArray[np.float64]) -> Predictions:
        task = self.objective.task
        columns = [rounded(column, task) for column in predictions.T]
        return Predictions(self.dataset.rows[part].tolist(), np.stack(columns, axis=1).tolist())

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
            test_labels=label_statistics(self.objective.task, dataset.y[self.parts.test]),
            units=dataset.spec.units,
            noise=dataset.spec.noise,
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
        """Return the result of a candidate without scores, and add a warning."""
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
        except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]  # infinite numbers in a penalty
            raise JobError(f"training diverged: {error}") from None
        val, test, *predictions = self.scores(fitting.fitted)
        shift = self.shift(fitting.fitted)
        result = CandidateResult(self._params(method), val, test, fitting.best_epoch, **shift)
        return FittedCandidate(fitting, result, *predictions)

    def shift(self, fitted: Any) -> dict[str, Any]:
        """Return the fields of a candidate's result on the distance from the pretrained model; none without one."""
        return {}

    def _params(self, method: Any) -> dict[str, Any]:
        """Return the hyperparameters that identify a candidate, and all that the grid varies."""
        params = asdict(method)
        varied = {name: params[name] for name in self.job.method.grid if self.job.method.search}
        return {**naming_params(type(method), params), **varied}

    def scores(self, fitted: Any) -> tuple[Scores, Scores, NDArray[np.float64], NDArray[np.float64]]:
        """Return the scores on val and test and the predictions [n, T] for them; nothing else reads the test part.

        Raises:
            JobError: a prediction is not a finite number.
        """
        val, test = self.predict(fitted, self.objective.val), self.predict(fitted, self.objective.test)
        if not (np.isfinite(val).all() and np.isfinite(test).all()):
            raise JobError(self.not_finite.format(job=self.job))
        scores = self.objective.scores
        return scores(val, self.objective.val), scores(test, self.objective.test), val, test

    def add_seconds(self, name: str, seconds: float, cpu: float | None) -> None:
        """Add to the recorded duration of a fit, and to its seconds on all cores; None: not known."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        before = self.cpu_seconds.get(name, 0.0)
        self.cpu_seconds[name] = None if before is None or cpu is None else before + cpu


def rounded(predictions: NDArray[np.float64], task: str) -> NDArray[np.float64]:
    """Return predictions [n] with nine significant digits, but in full where ranks depend on the others.

    These are probabilities close to 1, and different values that would become equal: a forest's means of the same
    leaves differ in the last digit.
    """
    short = np.array([float(f"{value:.9g}") for value in predictions])
    _, place = np.unique(short, return_inverse=True)
    lowest, highest = np.full(len(short), np.inf), np.full(len(short), -np.inf)
    np.minimum.at(lowest, place, predictions)
    np.maximum.at(highest, place, predictions)
    needed = lowest[place] < highest[place]
    if task == "classification":
        needed |= predictions > NEARLY_ONE
    return np.where(needed, predictions, short)


def label_statistics(task: str, y: NDArray[np.float64]) -> LabelStatistics:
    """Return the spread of labels [N, T], NaN = missing, each number averaged over the tasks that have labels."""
    columns = [column[~np.isnan(column)] for column in y.T if not np.isnan(column).all()]
    if not columns:
        return LabelStatistics()
    if task == "classification":
        return LabelStatistics(positives=float(np.mean([one.mean() for one in columns])))
    spread = np.mean([[one.std(), one.min(), one.max()] for one in columns], axis=0)
    return LabelStatistics(*spread.tolist())
