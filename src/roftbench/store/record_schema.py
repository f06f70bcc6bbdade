"""Records of jobs as typed values: what the runner writes, the store keeps and the report reads.

The order of fields is the order of keys in the JSON files.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from roftbench.formatting import printable_name, score_text

SCHEMA: Literal[2] = 2  # 1: without a digest
NAMED = ("model", "method", "dataset", "split", "label_ratio", "train", "seed")  # parts of a job that have names
SHIFT_MOLECULES = 96  # of the test part, for `feature_shift`: more would slow down short jobs
Scores = dict[str, float | None]  # by metric; None: undefined


class PartScores(Struct, frozen=True):
    """Scores of the chosen candidate on each part."""

    train: Scores
    val: Scores
    test: Scores


class CandidateResult(Struct, frozen=True):
    """Hyperparameters that were tried, and their scores.

    Attributes:
        error: the reason where there are no scores.
        parameter_shift: ‖θ − θ⁰‖/‖θ⁰‖ by block of the encoder (docs/protocol.md §5); None: θ⁰ is zero. Absent without a
            network, and from older records, as is the next.
        feature_shift: 1 − linear CKA between pretrained and fine-tuned representations; None: undefined.
    """

    params: dict[str, Any]
    val: Scores
    test: Scores
    best_epoch: int | None = None
    error: str | UnsetType = UNSET
    parameter_shift: dict[str, float | None] | UnsetType = UNSET
    feature_shift: float | UnsetType | None = UNSET


class BaseResult(Struct, frozen=True):
    """Scores before `Method.finish`, such as those of full fine-tuning before interpolation."""

    method: str
    val: Scores
    test: Scores
    best_epoch: int | None


class Epoch(Struct, frozen=True):
    """Training loss and validation score of an epoch of a stage."""

    stage: str
    epoch: int
    train_loss: float | None
    val_score: float | None


class StageResult(Struct, frozen=True, kw_only=True):
    """Settings of a training stage, and whether its encoder was frozen."""

    name: str
    blocks: list[str] | None = None
    epochs: int | None = None
    lr: float | None = None
    converged: bool | UnsetType = UNSET
    parameters: list[str] | UnsetType = UNSET
    lrs: dict[str, float] | UnsetType = UNSET
    lr_decay: float | UnsetType = UNSET
    unfreeze_every: int | UnsetType = UNSET
    frozen: bool


class GraphCount(Struct, frozen=True):
    """Number of molecules per part; None: not recorded."""

    train: int | None = None
    val: int | None = None
    test: int | None = None


class LabelCount(Struct, frozen=True):
    """Number of labels per use (docs/protocol.md §3); None: not recorded."""

    weights: int | None = None
    selection: int | None = None
    interpolation: int | None = None
    test: int | None = None


class Count(Struct, frozen=True):
    """Number of molecules and labels of a job."""

    graphs: GraphCount = GraphCount()
    labels: LabelCount = LabelCount()


class LabelStatistics(Struct, frozen=True):
    """Spread of the labels of a part, averaged over the prediction tasks that have labels there.

    Attributes:
        sd: standard deviation (ddof 0) in the label's unit, the RMSE of their mean; None for classification.
        min: smallest label; None for classification.
        max: largest label; None for classification.
        positives: share of class 1; None for regression.
    """

    sd: float | None = None
    min: float | None = None
    max: float | None = None
    positives: float | None = None


class DataResult(Struct, frozen=True):
    """The data file of a job, its rows, the spread of its labels, and hashes of its parts; None: not recorded.

    `units` is the label's unit and `noise` the standard deviation of repeated measurements in it, as the data set's
    config states.
    """

    sha256: str | None = None
    place: str | None = None
    rows: int | None = None
    kept: int | None = None
    dropped: list[Any] = []
    split_sha256: str | None = None
    parts_sha256: str | None = None
    undefined_tasks: dict[str, int] = {}
    test_labels: LabelStatistics | None = None
    units: str | None = None
    noise: float | None = None


class Predictions(Struct, frozen=True):
    """Predictions [n, T] of the chosen candidate for molecules of one part, by their rows [n] in the data file."""

    row: list[int]
    prediction: list[list[float]]


class JobResult(Struct, frozen=True, kw_only=True):
    """What every record has: the job, by its identity as plain values, and how it ended."""

    schema: Literal[1, 2] = SCHEMA
    key: str
    status: str
    job: dict[str, Any]

    @property
    def metric(self) -> str:
        """Name of the metric by which the job selects."""
        return str(self.job["dataset"]["metric"])

    def name(self, part: str) -> str:
        """Return the name of a part of the job ("model", "method", …), or its "seed" as text."""
        return str(self.job["seed"] if part == "seed" else self.job[part]["name"])


class Failure(JobResult, frozen=True, kw_only=True):
    """Record of a job that failed or was skipped."""

    status: Literal["failed", "skipped"]
    error: str
    traceback: str | None = None
    env: dict[str, Any] = {}


class RecordSummary(JobResult, frozen=True, kw_only=True):
    """Record of a finished job without histories, predictions and other bulk.

    Attributes:
        scores: scores of the chosen candidate; None where the summary was read from a table of scores.
        epochs: number of epochs per stage of the chosen candidate.
        env: versions, commit and machine.
        seconds: seconds per fit, with "(reused)" after the name of one from the store, and of the whole job in "total".
        cpu_seconds: the same in seconds of all cores together; None where a stage from the store lacks them.
        trained_parameters: number of parameters that training changes in the network, or networks, that predict.
    """

    status: Literal["done"] = "done"
    candidates: list[CandidateResult]
    scores: PartScores | None = None
    stages: list[StageResult] = []
    epochs: Mapping[str, int] = {}
    count: Count = Count()
    data: DataResult = DataResult()
    env: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    cpu_seconds: dict[str, float | None] = {}
    peak_memory_mb: float | None = None
    trained_parameters: int | None = None


class Record(JobResult, frozen=True, kw_only=True):
    """Record of a finished job.

    Attributes:
        base: scores before `Method.finish`, where the method has one.
        chosen: hyperparameters of the chosen candidate.
        details: free-form results of the method, such as interpolation coefficients.
        history: all epochs of the chosen candidate.
        env: versions, commit and machine.
        seconds: seconds per fit, with "(reused)" after the name of one from the store, and of the whole job in "total".
        cpu_seconds: the same in seconds of all cores together; None where a stage from the store lacks them.
        trained_parameters: number of parameters that training changes in the network, or networks, that predict.
    """

    status: Literal["done"] = "done"
    scores: PartScores
    base: BaseResult | None
    chosen: dict[str, Any]
    candidates: list[CandidateResult]
    best_epoch: int | None
    details: dict[str, Any]
    stages: list[StageResult] = []  # absent from older records, as are the other defaults
    history: list[Epoch]
    count: Count
    warnings: list[str] = []
    data: DataResult
    test_predictions: Predictions | None = None
    val_predictions: Predictions | None = None
    seconds: dict[str, float]
    cpu_seconds: dict[str, float | None] = {}
    env: dict[str, Any]
    peak_memory_mb: float | None = None
    trained_parameters: int | None = None

    def __repr__(self) -> str:
        parts = ", ".join(f"{part}={self.name(part)}" for part in NAMED)
        val, test = (f"{part} {score_text(getattr(self.scores, part)[self.metric])}" for part in ("val", "test"))
        return printable_name(f"<Record {self.key}: {parts}; {self.metric}: {val}, {test}>")

    def summary(self) -> RecordSummary:
        """Return the record without its bulk."""
        shared = {name: getattr(self, name) for name in RecordSummary.__struct_fields__ if name != "epochs"}
        return RecordSummary(epochs=Counter(epoch.stage for epoch in self.history), **shared)


def plain(value: Any) -> Any:
    """Return a part of a record as plain values, keys in the order of its fields; unset ones are left out."""
    if isinstance(value, Struct):
        found = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: plain(one) for name, one in found if one is not UNSET}
    if isinstance(value, list) and value and isinstance(value[0], Struct):
        return [plain(one) for one in value]
    return value
